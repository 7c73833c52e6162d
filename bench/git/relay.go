package main

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// relay stands before the store and counts.
type relay struct {
	url    string
	server *http.Server
	served errgroup.Group
	bytes  atomic.Int64 // both ways
	gets   atomic.Int64 // objects that were read
}

// newRelay starts a relay to a URL.
func newRelay(to string) (*relay, error) {
	target, err := url.Parse(to)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{url: "http://" + l.Addr().String()}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { // the signature covers the host
			p.SetURL(target)
			p.Out.Host = p.In.Host
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	}
	r.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == "GET" && !strings.Contains(req.URL.RawQuery, "list-type") {
			r.gets.Add(1)
		}
		proxy.ServeHTTP(w, req)
	})}
	r.served.Go(func() error { return r.server.Serve(listener{l, r}) })
	return r, nil
}

func (r *relay) close() {
	r.server.Close()
	r.served.Wait() // ends with what Close says
}

func (r *relay) reset() {
	r.bytes.Store(0)
	r.gets.Store(0)
}

type listener struct {
	net.Listener
	relay *relay
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return connection{c, l.relay}, nil
}

type connection struct {
	net.Conn
	relay *relay
}

func (c connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.relay.bytes.Add(int64(n))
	return n, err
}

func (c connection) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.relay.bytes.Add(int64(n))
	return n, err
}
