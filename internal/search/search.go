// Package search is the client of Elasticsearch and OpenSearch clusters that
// the search source and the search sink share: one tuned connection pool,
// requests whose bodies stream, small calls that are tried again, and what
// must be known of the engine and its indices.
//
// Small calls go this way too, and not through olivere/elastic and opensearch-go:
// each of them is the same for both engines, so two libraries would be two paths
// to test on seven engines; and neither knows what is kept here for every
// request: places, speeds, which nodes are down, signatures over each attempt,
// and what may be tried again.
//
// No error of this package holds a secret.
package search

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"sluice/internal/kind"
	"sluice/internal/pace"
	"sluice/internal/unit"
)

// Config is the options that all stages at a cluster have in common. Their own
// options embed it.
type Config struct {
	URL      []string      `yaml:"url" required:"true" doc:"Address of the cluster, or a list of addresses of its nodes."`
	Username string        `yaml:"username" doc:"User of basic authentication."`
	Password unit.Secret   `yaml:"password" doc:"Password of that user."`
	APIKey   unit.Secret   `yaml:"api_key" doc:"API key in its encoded form, instead of a user."`
	Bearer   unit.Secret   `yaml:"bearer" doc:"Token of a service account or of single sign-on, instead of a user."`
	AWS      AWS           `yaml:"aws" doc:"How requests to a cluster of Amazon are signed, instead of a user."`
	TLS      TLS           `yaml:"tls" doc:"How the cluster and Sluice prove who they are."`
	Proxy    unit.Secret   `yaml:"proxy" doc:"Proxy on the way to the cluster, http://, https:// or socks5://, with user:password@ if it wants them; default: what the environment says (HTTPS_PROXY, NO_PROXY)."`
	Limit    pace.Limit    `yaml:"limit" doc:"What all lanes of this stage together may ask of the cluster and the network."`
	Retry    unit.Duration `yaml:"retry" default:"5m" doc:"How long one request is tried again while the cluster is overloaded or out of reach."`
}

// Problems checks the options. It reads no files.
func (c Config) Problems() (list []kind.Problem) {
	add := func(option, message string) { list = append(list, kind.Problem{Option: option, Message: message}) }
	if len(c.URL) == 0 {
		add("url", "there is none; write one as https://host:9200")
	}
	for _, text := range c.URL {
		if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
			add("url", fmt.Sprintf("%q is not the address of a cluster; write one as https://host:9200", strip(text)))
		}
	}
	if problem := c.proxyProblem(); problem != "" {
		add("proxy", problem)
	}
	list = append(list, c.authProblems()...)
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		add("tls", "cert and key belong together: give both or none")
	}
	return list
}

// Endpoint is the addresses, without user and password.
func (c Config) Endpoint() string {
	var list []string
	for _, text := range c.URL {
		list = append(list, strip(text))
	}
	return strings.Join(list, ",")
}

// strip leaves out user, password and a final slash.
func strip(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		_, host, found := strings.Cut(text, "@")
		if !found {
			return text
		}
		return host
	}
	u.User = nil
	return strings.TrimRight(u.String(), "/")
}

// Client talks to one cluster. Its methods may be called from several
// goroutines.
type Client struct {
	http   *http.Client
	nodes  nodes
	auth   string       // of the header Authorization
	aws    *signer      // nil: requests are not signed
	ways   []string     // options that say who asks
	found  atomic.Value // string: the distribution of the engine, once it is known
	retry  time.Duration
	limits pace.Limits
	gate   pace.Gate
	tuner  *tuner
	link   link
}

const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 2 * time.Minute  // until the first byte of a reply; a bulk may wait a minute for a shard
	idleTimeout   = 60 * time.Second // without a byte of a body that goes on
	readBuffer    = 128 << 10
	writeBuffer   = 64 << 10
)

// ConnectionMemory is what one connection holds, in bytes, with the decoder of a
// reply.
const ConnectionMemory = readBuffer + writeBuffer + decoderMemory

// New returns a client. It reads the files of cfg.TLS and sends nothing. User
// and password in an address are used if cfg names none.
func New(cfg Config) (*Client, error) {
	if list := cfg.Problems(); len(list) > 0 {
		return nil, fmt.Errorf("%s: %s", list[0].Option, list[0].Message)
	}
	t, err := cfg.TLS.config()
	if err != nil {
		return nil, err
	}
	c := &Client{retry: time.Duration(cfg.Retry), auth: cfg.authorization(), ways: cfg.ways(), limits: cfg.Limit.Limits(), tuner: newTuner("off")}
	if cfg.AWS != (AWS{}) {
		c.aws = newSigner(cfg.AWS)
	}
	for _, text := range cfg.URL {
		c.nodes.list = append(c.nodes.list, &node{base: strip(text)})
	}
	c.http = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  cfg.proxy(),
			OnProxyConnectResponse: connected,
			DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        t,
			TLSHandshakeTimeout:    dialTimeout,
			DisableCompression:     true,
			MaxIdleConnsPerHost:    64,
			IdleConnTimeout:        90 * time.Second,
			ResponseHeaderTimeout:  headerTimeout,
			ReadBufferSize:         readBuffer,
			WriteBufferSize:        writeBuffer,
		},
	}
	return c, nil
}

// Compress says how pages are to come (see [Request.Hits]): compressed if it is
// on, in clear if it is off, and whatever is faster if it is auto. Without it
// they come in clear. It is called before the first request.
func (c *Client) Compress(how string) { c.tuner = newTuner(how) }

// SetDial lets the client reach the cluster in another way than by TCP: tests
// have a false clock then. It is called before the first request.
func (c *Client) SetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	t := c.http.Transport.(*http.Transport)
	t.DialContext, t.Proxy = dial, nil
}

// Close closes connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }
