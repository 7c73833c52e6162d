package pace

import (
	"context"

	"golang.org/x/time/rate"

	"sluice/internal/unit"
)

// Limit is the options that hold back what all lanes of a stage do together.
type Limit struct {
	Requests int64      `yaml:"requests" min:"1" max:"100000" doc:"Requests that are begun in a second, at most; without it, as many as there are."`
	Bytes    unit.Bytes `yaml:"bytes" min:"1KiB" doc:"Bytes of requests and replies that are moved in a second, at most, as they are on the wire; without it, as many as there are."`
}

// Limits holds requests and their bytes back. The zero value does not.
type Limits struct{ requests, bytes *rate.Limiter }

const (
	minBurst = 1 << 10
	maxBurst = 256 << 10
)

// Limits makes what keeps the limit.
func (l Limit) Limits() (s Limits) {
	if l.Requests > 0 {
		s.requests = rate.NewLimiter(rate.Limit(l.Requests), 1)
	}
	if l.Bytes > 0 { // a tenth of a second at once, so that lanes take turns
		s.bytes = rate.NewLimiter(rate.Limit(l.Bytes), int(min(max(minBurst, l.Bytes/10), maxBurst)))
	}
	return s
}

// Request waits until a request may be begun.
func (s Limits) Request(ctx context.Context) error { return wait(ctx, s.requests, 1) }

// Bounded says whether there is a limit of bytes.
func (s Limits) Bounded() bool { return s.bytes != nil }

// Piece is how many of n bytes may be moved at once.
func (s Limits) Piece(n int) int {
	if s.bytes == nil {
		return n
	}
	return min(n, s.bytes.Burst())
}

// Move waits until n bytes, no more than a piece, may have been moved.
func (s Limits) Move(ctx context.Context, n int) error { return wait(ctx, s.bytes, n) }

func wait(ctx context.Context, l *rate.Limiter, n int) error {
	if l == nil || n == 0 {
		return nil
	}
	err := l.WaitN(ctx, n)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
