// Package search is the client of Elasticsearch and OpenSearch clusters that
// the search source and the search sink share: one tuned connection pool,
// requests whose bodies stream, small calls that are tried again, and what
// must be known of the engine and its indices.
//
// No error of this package holds a secret.
package search

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"sluice/internal/kind"
	"sluice/internal/unit"
)

// Config is the options that all stages at a cluster have in common. Their own
// options embed it.
type Config struct {
	URL      []string      `yaml:"url" required:"true" doc:"Address of the cluster, or a list of addresses of its nodes."`
	Username string        `yaml:"username" doc:"User of basic authentication."`
	Password unit.Secret   `yaml:"password" doc:"Password of that user."`
	APIKey   unit.Secret   `yaml:"api_key" doc:"API key in its encoded form, instead of a user."`
	TLS      TLS           `yaml:"tls" doc:"How the cluster and Sluice prove who they are."`
	Retry    unit.Duration `yaml:"retry" default:"5m" doc:"How long one request is tried again while the cluster is overloaded or out of reach."`
}

// TLS is the options of connections by https.
type TLS struct {
	CA       string `yaml:"ca" doc:"File with the certificates (PEM) that the cluster's is checked against; default: those of the system."`
	Cert     string `yaml:"cert" doc:"File with the client certificate (PEM)."`
	Key      string `yaml:"key" doc:"File with the client certificate's key (PEM)."`
	Insecure bool   `yaml:"insecure" doc:"Do not check the cluster's certificate."`
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
	switch {
	case c.APIKey != "" && c.Username != "":
		add("api_key", "there is a username too; give one of them")
	case c.Password != "" && c.Username == "":
		add("password", "there is no username")
	}
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
	http  *http.Client
	nodes nodes
	auth  string // of the header Authorization
	retry time.Duration
}

const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 2 * time.Minute  // until the first byte of a reply; a bulk may wait a minute for a shard
	idleTimeout   = 60 * time.Second // without a byte of a body that goes on
	readBuffer    = 128 << 10
	writeBuffer   = 64 << 10
)

// ConnectionMemory is what one connection holds, in bytes.
const ConnectionMemory = readBuffer + writeBuffer

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
	c := &Client{retry: time.Duration(cfg.Retry), auth: cfg.authorization()}
	for _, text := range cfg.URL {
		c.nodes.list = append(c.nodes.list, &node{base: strip(text)})
	}
	c.http = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:       t,
			TLSHandshakeTimeout:   dialTimeout,
			DisableCompression:    true,
			MaxIdleConnsPerHost:   64,
			IdleConnTimeout:       90 * time.Second,
			ResponseHeaderTimeout: headerTimeout,
			ReadBufferSize:        readBuffer,
			WriteBufferSize:       writeBuffer,
		},
	}
	return c, nil
}

// Close closes connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c Config) authorization() string {
	if c.APIKey != "" {
		return "ApiKey " + c.APIKey.Reveal()
	}
	user, password := c.Username, c.Password.Reveal()
	for _, text := range c.URL {
		if u, err := url.Parse(text); err == nil && user == "" && u.User != nil {
			user = u.User.Username()
			password, _ = u.User.Password()
		}
	}
	if user == "" {
		return ""
	}
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

func (t TLS) config() (*tls.Config, error) {
	cfg := &tls.Config{InsecureSkipVerify: t.Insecure, MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls: ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("tls: ca: " + t.CA + ": no certificate in PEM form")
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls: cert: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
