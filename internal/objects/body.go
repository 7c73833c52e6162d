package objects

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"sluice/internal/pace"
)

// payload is the bytes of a request. After the end of the request none of them
// is read, though net/http may still be at it after an early reply.
type payload struct {
	bytes []byte
	ctx   context.Context // of the request
	c     *Client

	mu   sync.Mutex
	over bool
	conn net.Conn    // is kept alive while limits hold the bytes back
	held *time.Timer // while they are
}

func (p *payload) end() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
}

func (p *payload) reader() (io.ReadCloser, error) { return &payloadReader{payload: p}, nil }

// trace finds out on which connection the bytes go, if they may be held back.
func (p *payload) trace(ctx context.Context) context.Context {
	if !p.c.limits.Bounded() || len(p.bytes) == 0 {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		p.mu.Lock()
		p.conn = i.Conn
		p.mu.Unlock()
	}})
}

// hold waits until limits let n bytes pass. The reply is waited for meanwhile:
// that nothing moves is no fault of the connection.
func (p *payload) hold(n int) error {
	if !p.c.limits.Bounded() {
		return nil
	}
	p.mu.Lock()
	p.held = time.AfterFunc(0, p.alive)
	p.mu.Unlock()
	err := p.c.limits.Move(p.ctx, n)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held.Stop()
	p.held = nil
	return err
}

// alive gives the connection more time, and again before that has passed.
func (p *payload) alive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held != nil && !p.over && p.conn != nil {
		p.conn.SetDeadline(time.Now().Add(p.c.stall))
		p.held.Reset(p.c.stall / 4)
	}
}

type payloadReader struct {
	*payload
	off int
}

// Read implements io.Reader.
func (r *payloadReader) Read(p []byte) (int, error) {
	p = p[:r.c.limits.Piece(min(len(p), len(r.bytes)-r.off))]
	if err := r.hold(len(p)); err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return 0, http.ErrBodyReadAfterClose
	}
	if r.off == len(r.bytes) {
		return 0, io.EOF
	}
	n := copy(p, r.bytes[r.off:])
	r.off += n
	return n, nil
}

// Close implements io.Closer.
func (r *payloadReader) Close() error { return nil }

// slowBody is the body of a reply that limits hold back.
type slowBody struct {
	io.ReadCloser
	ctx    context.Context
	limits pace.Limits
}

// Read implements io.Reader.
func (b *slowBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:b.limits.Piece(len(p))])
	if held := b.limits.Move(b.ctx, n); held != nil && err == nil {
		err = held
	}
	return n, err
}
