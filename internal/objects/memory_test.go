package objects_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"time"

	"sluice/internal/awscreds"
	"sluice/internal/objects"
	"sluice/internal/unit"
)

// inMemory is a client of a store in memory, for tests whose time is a false one.
func inMemory(t *testing.T, cfg objects.Config, h http.HandlerFunc) *objects.Client {
	t.Helper()
	cfg.Bucket, cfg.Endpoint, cfg.Region = "b", "http://memory", "us-east-1"
	cfg.Config = awscreds.Config{AccessKey: "a", SecretKey: "s"}
	if cfg.Retry == 0 {
		cfg.Retry = unit.Duration(time.Minute)
	}
	c := client(t, cfg)
	l := &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go s.Serve(l)
	t.Cleanup(func() {
		s.Close()
		time.Sleep(time.Second) // connections that were cut linger half as long
	})
	objects.SetDial(c, func() (net.Conn, error) {
		here, there := net.Pipe()
		select {
		case l.conns <- there:
			return here, nil
		case <-l.closed:
			return nil, net.ErrClosed
		}
	})
	return c
}

type listener struct {
	conns  chan net.Conn
	closed chan struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { close(l.closed); return nil }
func (l *listener) Addr() net.Addr { return &net.UnixAddr{} }
