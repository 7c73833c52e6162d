package objects

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
)

// ConnSize is about the memory that a connection takes, in bytes.
const ConnSize = 2*buffer + 64<<10

const (
	buffer   = 64 << 10  // of a connection, each way
	piece    = 256 << 10 // written at once: one that takes longer than the stall time has failed
	sessions = 64        // of TLS that are kept to be taken up again
)

// transports are those of the process: what talks to a store from one stage
// shares its connections with all others.
var transports transportPool

// transportPool keeps transports while they have users.
type transportPool struct {
	mu  sync.Mutex
	all []*sharedTransport
}

type sharedTransport struct {
	*http.Transport
	stall time.Duration
	users int
}

// get gives a transport that is as the SDK has made its HTTP client ready
// (AWS_CA_BUNDLE), and how to give it back.
func (p *transportPool) get(made config.HTTPClient, stall time.Duration) (*http.Transport, func()) {
	b, ok := made.(*awshttp.BuildableClient)
	if !ok {
		b = awshttp.NewBuildableClient().WithTransportOptions(tune(stall))
	}
	t := &sharedTransport{Transport: b.GetTransport(), stall: stall}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.all, t.like); i >= 0 {
		t = p.all[i]
	} else {
		p.all = append(p.all, t)
	}
	t.users++
	return t.Transport, func() { p.release(t) }
}

// release gives a transport back. The last user closes its connections.
func (p *transportPool) release(t *sharedTransport) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.users--; t.users > 0 {
		return
	}
	p.all = slices.DeleteFunc(p.all, func(other *sharedTransport) bool { return other == t })
	t.CloseIdleConnections()
}

// like says whether another transport trusts the same certificates and waits as
// long. All of them take proxies from the environment.
func (t *sharedTransport) like(other *sharedTransport) bool {
	return t.stall == other.stall && t.roots().Equal(other.roots())
}

func (t *sharedTransport) roots() *x509.CertPool {
	if t.TLSClientConfig == nil {
		return nil
	}
	return t.TLSClientConfig.RootCAs
}

// tune makes a transport fit for bulk data. There is no time limit on a
// request, which may be long: a connection fails when no byte has moved for
// the stall time. As many connections are kept as were in use at the same time,
// until nobody has needed them for a while.
func tune(stall time.Duration) func(*http.Transport) {
	return func(t *http.Transport) {
		t.MaxIdleConnsPerHost = 1 << 16
		t.MaxIdleConns = 0
		t.MaxConnsPerHost = 0
		t.DisableCompression = true // objects come as they are stored
		t.ResponseHeaderTimeout = stall
		t.ReadBufferSize, t.WriteBufferSize = buffer, buffer
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true) // one connection for each stream of data, none waits for another's window
		t.ForceAttemptHTTP2 = false
		if t.TLSClientConfig == nil {
			t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		t.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(sessions)
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
