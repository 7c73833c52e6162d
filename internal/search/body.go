package search

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/pace"
)

// errStalled is why a request ended whose body stood still.
var errStalled = errors.New("no byte for " + idleTimeout.String())

// watch ends a request whose body stands still.
type watch struct {
	timer     *time.Timer
	ctx       context.Context // of the request
	cancel    context.CancelCauseFunc
	limits    pace.Limits
	connected atomic.Int64 // when there was a connection, so something may have been sent, in Unix nanoseconds; 0: not yet
	written   atomic.Int64 // when all was sent, likewise
	mu        sync.Mutex
	over      bool // the caller has its bytes back
}

// end ends the request. No byte of its body is read from then on, though after
// an early reply net/http may still be at it.
func (w *watch) end() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	w.timer.Stop()
	w.cancel(nil)
}

// outgoing is a request body that tells the watch when it moves. The time in
// which limits hold it back does not count.
type outgoing struct {
	rest  []byte
	watch *watch
}

// Read implements io.Reader.
func (o *outgoing) Read(p []byte) (int, error) {
	w := o.watch
	if !w.touch(func() { w.timer.Stop() }) {
		return 0, net.ErrClosed
	}
	p = p[:w.limits.Piece(min(len(p), len(o.rest)))]
	if err := w.limits.Move(w.ctx, len(p)); err != nil {
		return 0, err
	}
	err := net.ErrClosed
	n := 0
	w.touch(func() {
		n, err = copy(p, o.rest), nil
		if o.rest = o.rest[n:]; len(o.rest) == 0 {
			err = io.EOF
			return
		}
		w.timer.Reset(idleTimeout)
	})
	return n, err
}

// touch calls f, unless the caller has its bytes back.
func (w *watch) touch(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		f()
	}
	return !w.over
}

// Close implements io.Closer.
func (o *outgoing) Close() error { return nil }

// incoming is a reply's body as it is on the wire. Time counts only while
// somebody reads it, and limits do not hold it back.
type incoming struct {
	io.ReadCloser
	watch *watch
	err   error // of the last Read
}

// Read implements io.Reader.
func (b *incoming) Read(p []byte) (n int, err error) {
	w := b.watch
	w.timer.Reset(idleTimeout)
	n, err = b.ReadCloser.Read(p[:w.limits.Piece(len(p))])
	w.timer.Stop()
	if err != nil && err != io.EOF {
		err = b.broken(err)
	}
	if limited := w.limits.Move(w.ctx, n); err == nil {
		err = limited
	}
	b.err = err
	return n, err
}

// broken says why the body broke off.
func (b *incoming) broken(err error) error {
	switch cause := context.Cause(b.watch.ctx); {
	case cause == errStalled:
		return Again("timeout", errStalled)
	case cause != nil:
		return cause
	case err == io.ErrUnexpectedEOF:
		return Again("cut body", err)
	}
	return Again("cut body", fmt.Errorf("reply: %w", err))
}

// Close implements io.Closer.
func (b *incoming) Close() error {
	b.watch.end()
	return b.ReadCloser.Close()
}
