package objects

import (
	"context"
	"net"
	"net/http"
	"time"
)

// ConnSize is about the memory that a connection takes, in bytes.
const ConnSize = 2*buffer + 64<<10

const (
	buffer = 64 << 10  // of a connection, each way
	piece  = 256 << 10 // written at once: one that takes longer than the stall time has failed
)

// tune makes a transport fit for bulk data. There is no time limit on a
// request, which may be long: a connection fails when no byte has moved for
// the stall time.
func tune(conns int, stall time.Duration) func(*http.Transport) {
	return func(t *http.Transport) {
		t.MaxIdleConnsPerHost = conns + 8
		t.MaxIdleConns = conns + 8
		t.MaxConnsPerHost = 0
		t.DisableCompression = true // objects come as they are stored
		t.ResponseHeaderTimeout = stall
		t.ReadBufferSize, t.WriteBufferSize = buffer, buffer
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true) // one connection for each stream of data, none waits for another's window
		t.ForceAttemptHTTP2 = false
		dial := t.DialContext
		t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &conn{c, stall}, nil
		}
	}
}

// conn is a connection on which bytes must move. Only waiting for the network
// counts: who reads a body slowly is not in Read.
type conn struct {
	net.Conn
	stall time.Duration
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn. While a request is written, its reply is already
// waited for: what moves one way is progress for both.
func (c *conn) Write(p []byte) (n int, err error) {
	for err == nil && n < len(p) {
		if err = c.SetDeadline(time.Now().Add(c.stall)); err != nil {
			return n, err
		}
		var m int
		m, err = c.Conn.Write(p[n:min(len(p), n+piece)])
		n += m
	}
	return n, err
}
