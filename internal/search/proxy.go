package search

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// proxySchemes are those that net/http knows.
var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// proxyProblem says what is wrong with the option proxy. It never repeats it:
// there may be a password in it.
func (c Config) proxyProblem() string {
	if c.Proxy == "" {
		return ""
	}
	u, err := url.Parse(c.Proxy.Reveal())
	if err != nil || u.Hostname() == "" || !slices.Contains(proxySchemes, u.Scheme) || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "this is not the address of a proxy; write one as http://proxy:3128, https://proxy:3129 or socks5://proxy:1080, with user:password@ before the host if it wants them"
	}
	return ""
}

// proxy gives the proxy of a request: that of the option, or what the
// environment says (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).
func (c Config) proxy() func(*http.Request) (*url.URL, error) {
	u, err := url.Parse(c.Proxy.Reveal())
	if c.Proxy == "" || err != nil {
		return http.ProxyFromEnvironment
	}
	return http.ProxyURL(u)
}

// proxyError is the answer of a proxy that makes no connection to a node.
type proxyError struct{ status int }

// Error implements error.
func (e *proxyError) Error() string {
	text := fmt.Sprintf("proxy: %d %s", e.status, http.StatusText(e.status))
	if remedy := proxyRemedy(e.status); remedy != "" {
		text += ": " + remedy
	}
	return text
}

// proxyRemedy says what to do about an answer of a proxy, or "".
func proxyRemedy(status int) string {
	switch status {
	case http.StatusProxyAuthRequired:
		return "it wants a user and a password that it knows; write them as proxy: http://USER:PASSWORD@HOST:PORT"
	case http.StatusForbidden, http.StatusMethodNotAllowed:
		return "it does not let Sluice connect to the cluster; name another one as proxy, or the cluster in NO_PROXY"
	}
	return ""
}

// connected is what a proxy answered to CONNECT. It is an
// [http.Transport.OnProxyConnectResponse].
func connected(_ context.Context, _ *url.URL, _ *http.Request, reply *http.Response) error {
	if reply.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{reply.StatusCode}
}

// refusedByProxy says whether a proxy will never make the connection.
func refusedByProxy(err error) bool {
	var answer *proxyError
	if errors.As(err, &answer) {
		return proxyRemedy(answer.status) != ""
	}
	var op *net.OpError
	return errors.As(err, &op) && strings.HasPrefix(op.Op, "socks") && strings.Contains(op.Error(), "authentication")
}
