package search

import (
	"sync"
	"time"
)

const (
	// slowLink is the speed at which bodies leave, in bytes a second and lane,
	// below which compressing them pays: the fastest level of gzip makes some ten
	// times as much.
	slowLink = 20 << 20

	linkBody  = 256 << 10 // shorter bodies say nothing: they go into buffers
	linkTrial = 4         // bodies that are measured
)

// link finds out whether the way to the cluster is so slow that bodies should
// leave compressed. It is measured by bodies in clear; while it is slow, some
// leave so now and then.
type link struct {
	mu    sync.Mutex
	n     int
	bytes int64
	took  time.Duration
	rest  time.Duration // until it is measured again, twice as long each time
	until time.Time     // it is slow
}

// left notes a body that left in clear.
func (l *link) left(bytes int, took time.Duration) {
	if bytes < linkBody {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	l.bytes += int64(bytes)
	l.took += took
	if l.n < linkTrial {
		return
	}
	slow := float64(l.bytes) < slowLink*l.took.Seconds()
	l.n, l.bytes, l.took = 0, 0, 0
	if !slow {
		l.rest = 0
		return
	}
	l.rest = min(max(firstRest, 2*l.rest), longestRest)
	l.until = time.Now().Add(l.rest)
}

func (l *link) slow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.until)
}

// SlowLink says whether bodies of some size leave so slowly that they should be
// compressed (see [Request.Zipped]).
func (c *Client) SlowLink() bool { return c.link.slow() }
