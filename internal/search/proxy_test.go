package search_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/search"
	"sluice/internal/unit"
)

// join copies both ways between two connections until both ways end.
func join(a, b io.ReadWriteCloser) {
	var g errgroup.Group
	for _, way := range [][2]io.ReadWriteCloser{{a, b}, {b, a}} {
		g.Go(func() error {
			defer way[0].Close()
			_, err := io.Copy(way[0], way[1])
			return err
		})
	}
	g.Wait()
}

// httpProxy is a proxy that wants a user and a password, and makes connections
// and forwards requests.
func httpProxy(t *testing.T, password string) (address string, used *atomic.Int64) {
	used = new(atomic.Int64)
	transport := &http.Transport{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+password))
		if r.Header.Get("Proxy-Authorization") != want {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		used.Add(1)
		if r.Method != http.MethodConnect {
			r.RequestURI = ""
			r.Header.Del("Proxy-Authorization")
			resp, err := transport.RoundTrip(r)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer resp.Body.Close()
			w.WriteHeader(resp.StatusCode)
			io.Copy(w, resp.Body)
			return
		}
		there, err := net.Dial("tcp", r.URL.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		join(here, there)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(transport.CloseIdleConnections)
	return s.Listener.Addr().String(), used
}

// socksProxy is a SOCKS 5 proxy (RFC 1928, RFC 1929) that wants a user and a
// password.
func socksProxy(t *testing.T, password string) (address string, used *atomic.Int64) {
	used = new(atomic.Int64)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				there, err := socks(c, password)
				if err != nil {
					return
				}
				used.Add(1)
				join(c, there)
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String(), used
}

// socks makes the connection that a client asks for.
func socks(c net.Conn, password string) (there net.Conn, err error) {
	in := bufio.NewReader(c)
	take := func(n int) []byte {
		b := make([]byte, n)
		if err == nil {
			_, err = io.ReadFull(in, b)
		}
		return b
	}
	take(int(take(2)[1]))
	c.Write([]byte{5, 2}) // it wants a user and a password
	user := take(int(take(2)[1]))
	if got := take(int(take(1)[0])); string(user) != "u" || string(got) != password {
		c.Write([]byte{1, 1})
		return nil, errors.New("another user")
	}
	c.Write([]byte{1, 0})
	var host string
	switch kind := take(4)[3]; kind {
	case 1:
		host = net.IP(take(4)).String()
	case 3:
		host = string(take(int(take(1)[0])))
	}
	port := take(2)
	if err != nil {
		return nil, err
	}
	there, err = net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(int(port[0])<<8|int(port[1]))))
	if err != nil {
		c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0}) // connection refused
		return nil, err
	}
	c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	return there, nil
}

func TestClustersAreReachedThroughProxies(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("the cluster has got the password of the proxy")
		}
		fmt.Fprintf(w, `{"a":%q}`, body)
	}
	byHTTP, usedHTTP := httpProxy(t, "hidden")
	bySOCKS, usedSOCKS := socksProxy(t, "hidden")
	plain, safe := cluster(t, answer), secured(t, answer)
	for proxy, used := range map[string]*atomic.Int64{"http://u:hidden@" + byHTTP: usedHTTP, "socks5://u:hidden@" + bySOCKS: usedSOCKS} {
		for _, url := range []string{plain, safe.URL} {
			cfg, before := to(url), used.Load()
			cfg.TLS.CA, cfg.Proxy = file(t, "CERTIFICATE", safe.Certificate().Raw), unit.Secret(proxy)
			c := client(t, cfg)
			for _, body := range []string{"a", "b"} {
				var reply struct{ A string }
				if err := c.CallOnce(t.Context(), search.Request{Path: "/_search", Body: []byte(body)}, &reply); err != nil || reply.A != body {
					t.Errorf("%s through %s: got %q, %v, want %q", url, proxy, reply.A, err, body)
				}
			}
			if used.Load() == before {
				t.Errorf("%s through %s: got there without it", url, proxy)
			}
			c.Close()
		}
	}
}

func TestAProxyThatRefusesIsNamedAtOnceAndItsPasswordIsNot(t *testing.T) {
	byHTTP, used := httpProxy(t, "another")
	bySOCKS, usedSOCKS := socksProxy(t, "another")
	for _, c := range []struct{ proxy, url, says string }{
		{"http://u:hidden@" + byHTTP, "https://127.0.0.1:1", "USER:PASSWORD@"},
		{"http://u:hidden@" + byHTTP, "http://127.0.0.1:1", "USER:PASSWORD@"},
		{"socks5://u:hidden@" + bySOCKS, "http://127.0.0.1:1", "authentication failed"},
	} {
		cfg := to(c.url)
		cfg.Proxy, cfg.Retry = unit.Secret(c.proxy), unit.Duration(time.Hour)
		begin := time.Now()
		err := client(t, cfg).Call(t.Context(), search.Request{Path: "/"}, nil)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hidden") || time.Since(begin) > 5*time.Second {
			t.Errorf("%s to %s: got %v after %s, want %q at once, without the password", c.proxy, c.url, err, time.Since(begin), c.says)
		}
	}
	if used.Load()+usedSOCKS.Load() > 0 {
		t.Error("a proxy has let in somebody with another password")
	}
	gone := to("https://127.0.0.1:1")
	gone.Proxy = "http://u:hidden@127.0.0.1:1"
	_, err := client(t, gone).Do(t.Context(), search.Request{Path: "/"})
	if cause, _ := search.Retryable(err); cause != "connection" || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "proxy") {
		t.Errorf("got %v, want a lost connection to the proxy, without the password", err)
	}
}
