package s3

import (
	"context"
	"io"

	"golang.org/x/sync/errgroup"

	"sluice/internal/objects"
)

// ranged reads a large object by parts: the first by the request that began,
// and the others by one request each, several at a time, in order. Each is
// tried again alone. If there is no room for parts, or the store knows no
// ranges, it reads one stream. It is for one goroutine.
type ranged struct {
	body   *body
	size   int64
	at     int64           // of the next byte
	stream *objects.Reader // up to limit; nil: not open
	limit  int64
	next   int64 // where the next part begins that is asked for
	parts  []*part
	wide   int // parts at the same time; twice as many after each
	fetch  func(p *part)
	open   func(off int64) (*objects.Reader, error)
	wait   func(p *part) error
	close  func()
}

// part is some bytes of an object.
type part struct {
	off  int64
	buf  []byte
	read int // of buf
	done chan struct{}
	err  error // once done is closed
}

// newRanged reads on from off, where r is open. Its goroutines end when it is
// closed.
func newRanged(ctx context.Context, b *body, r *objects.Reader, off int64) *ranged {
	ctx, cancel := context.WithCancel(ctx)
	var g errgroup.Group
	content := b.content
	limit := off + b.ahead.part()
	x := &ranged{body: b, size: b.size, at: off, stream: r, limit: limit, next: limit, wide: 1}
	x.fetch = func(p *part) {
		g.Go(func() error {
			p.err = content.Fill(ctx, p.buf, p.off)
			close(p.done)
			return nil
		})
	}
	x.open = func(off int64) (*objects.Reader, error) { return content.Open(ctx, off, x.size) }
	x.wait = func(p *part) error {
		select {
		case <-p.done:
			return p.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	x.close = func() {
		cancel()
		g.Wait()
	}
	x.ask()
	return x
}

// ask asks for parts as long as there is room.
func (x *ranged) ask() {
	for x.next < x.size && len(x.parts) < x.wide && x.body.content.Ranges() {
		n := min(x.body.ahead.part(), x.size-x.next)
		if !x.body.ahead.take(n) {
			return
		}
		p := &part{off: x.next, buf: buffer(n), done: make(chan struct{})}
		x.parts = append(x.parts, p)
		x.next += n
		x.fetch(p)
	}
	if x.next >= x.size {
		x.body.ahead.passed(x.body)
	}
}

// Read implements io.Reader.
func (x *ranged) Read(b []byte) (int, error) {
	for x.at < x.size && len(b) > 0 {
		if x.stream != nil && x.at < x.limit {
			n, err := x.stream.Read(b[:min(int64(len(b)), x.limit-x.at)])
			x.at += int64(n)
			return n, err
		}
		if x.stream != nil {
			x.stream.Close()
			x.stream = nil
			x.further()
		}
		if len(x.parts) == 0 {
			if err := x.straight(); err != nil {
				return 0, err
			}
			continue
		}
		return x.give(b)
	}
	if len(b) == 0 {
		return 0, nil
	}
	return 0, io.EOF
}

// further asks for more parts at a time than before.
func (x *ranged) further() {
	x.wide *= 2
	x.ask()
}

// straight reads the rest as one stream.
func (x *ranged) straight() (err error) {
	x.body.ahead.passed(x.body)
	x.limit, x.next = x.size, x.size
	x.stream, err = x.open(x.at)
	return err
}

// give gives bytes of the first part.
func (x *ranged) give(b []byte) (int, error) {
	p := x.parts[0]
	if err := x.wait(p); err != nil {
		return 0, err
	}
	n := copy(b, p.buf[p.read:])
	p.read += n
	x.at += int64(n)
	if p.read == len(p.buf) {
		x.parts = x.parts[1:]
		x.body.ahead.give(p.buf, int64(len(p.buf)))
		x.further()
	}
	return n, nil
}

// Close implements io.Closer. It may be called again.
func (x *ranged) Close() error {
	if x.stream != nil {
		x.stream.Close()
	}
	x.close()
	for _, p := range x.parts {
		x.body.ahead.give(p.buf, int64(len(p.buf)))
	}
	x.body.ahead.passed(x.body)
	x.parts, x.stream, x.at = nil, nil, x.size
	return nil
}
