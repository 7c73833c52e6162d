// Package pace holds back what stages ask of servers: by limits that the user
// sets, and by gates that let fewer requests wait at the same time while a
// server has too much to do.
package pace

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	decrease  = 0.7 // of the limit is left when the server has too much to do
	alpha     = 0.4 // weight of a window in the mean of a kind of request
	deviation = 2.5 // so many of them are still usual
	spread    = 0.5 // and as much of the mean is in any case, so that noise is none
	window    = 8   // requests of a kind whose mean is compared
)

// Gate bounds how many requests wait for the head of their reply at the same
// time: as many as there are lanes, until the server has too much to do. Then
// it is fewer by a factor (once for all requests that were under way), and one
// more after as many successes as may wait, if somebody had to wait for a place.
// Too much to do means an answer that says so, none in time, or one that is late
// beside those to requests of its kind before.
//
// No place is held while a body streams: a lane that waits for its sink keeps
// no other from asking. When a reply says after which time to ask again, that
// holds for all requests.
//
// The zero value is ready, and bounds nothing yet. The methods may be called
// from several goroutines.
type Gate struct {
	mu      sync.Mutex
	limit   float64         // 0: none
	busy    int             // places that are taken
	most    int             // of them at the same time, lately
	earlier int             // likewise before that
	waiting []chan struct{} // for a place, in order

	successes int       // since the limit was changed
	reached   bool      // somebody had to wait since then
	lowered   time.Time // when it last was
	shut      time.Time // until then nothing is sent
	kinds     map[string]*latency
}

// Reply is how a request went.
type Reply struct {
	Kind  string        // of requests that take about as long as each other; "": this one says nothing by its time
	Begun time.Time     // when it was sent
	Took  time.Duration // until the head of its reply
	Busy  string        // why it means that the server has too much to do; "": it does not
	Err   error         // it was no success, for whatever reason
}

// Enter takes a place. Leave gives it back, unless there is an error, which is
// the cause of the end of ctx.
func (g *Gate) Enter(ctx context.Context) error {
	if err := g.place(ctx); err != nil {
		return err
	}
	for {
		g.mu.Lock()
		left := time.Until(g.shut)
		g.mu.Unlock()
		if left <= 0 {
			return nil
		}
		if err := Sleep(ctx, left); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.free()
			return err
		}
	}
}

// place waits for a place and takes it.
func (g *Gate) place(ctx context.Context) error {
	g.mu.Lock()
	if len(g.waiting) == 0 && g.room() {
		g.take()
		g.mu.Unlock()
		return nil
	}
	g.reached = true
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, turn); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	} else { // it came at the same time
		g.free()
	}
	return context.Cause(ctx)
}

func (g *Gate) room() bool { return g.limit == 0 || g.busy < int(g.limit) }

// free gives back a place, and those that are free now to who waits.
func (g *Gate) free() {
	g.busy--
	for len(g.waiting) > 0 && g.room() {
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
		g.take()
	}
}

func (g *Gate) take() {
	g.busy++
	g.most = max(g.most, g.busy)
}

// Leave gives back the place of a request. It gives the limit, and why it is
// lower than before, or "".
func (g *Gate) Leave(r Reply) (limit int, why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case r.Busy != "":
		why = g.lower(r.Begun, r.Busy)
	case r.Err != nil:
	case r.Kind != "" && g.late(r.Kind, r.Took):
		why = g.lower(r.Begun, "latency")
	default:
		g.raise()
	}
	g.free()
	return int(g.limit), why
}

// Lower is told of what only the body of a reply says: that the server has too
// much to do. The request was begun at some time and has left the gate. It gives
// what Leave does.
func (g *Gate) Lower(begun time.Time, cause string) (limit int, why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	why = g.lower(begun, cause)
	return int(g.limit), why
}

// lower lowers the limit, unless that was done since the request was begun.
func (g *Gate) lower(begun time.Time, cause string) (why string) {
	if !begun.After(g.lowered) {
		return ""
	}
	if g.limit == 0 {
		g.limit = float64(max(g.most, g.earlier))
	}
	before := int(g.limit)
	g.limit = max(1, g.limit*decrease)
	g.lowered, g.successes, g.reached = time.Now(), 0, false
	if int(g.limit) == before {
		return ""
	}
	return cause
}

// raise notes a success. After as many as may wait at the same time, one more
// may, if that would have been of use.
func (g *Gate) raise() {
	if g.successes++; g.successes < max(int(g.limit), g.most) {
		return
	}
	if g.reached && g.limit > 0 {
		g.limit++
	}
	g.successes, g.reached, g.most, g.earlier = 0, false, g.busy, g.most
}

// Close lets no request begin for some time.
func (g *Gate) Close(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(d); until.After(g.shut) {
		g.shut = until
	}
}

// latency is how long requests of a kind wait for the head of their reply, in
// seconds.
type latency struct {
	sum            float64 // of the window so far
	n              int
	mean, variance float64 // of the windows before, weighted
}

// late notes an answer, and says at the end of a window whether it was late.
func (g *Gate) late(kind string, took time.Duration) bool {
	l := g.kinds[kind]
	if l == nil {
		l = &latency{}
		if g.kinds == nil {
			g.kinds = map[string]*latency{}
		}
		g.kinds[kind] = l
	}
	l.sum += took.Seconds()
	if l.n++; l.n < window {
		return false
	}
	now := l.sum / window
	l.sum, l.n = 0, 0
	if l.mean == 0 {
		l.mean = now
		return false
	}
	off := now - l.mean
	late := off > max(deviation*math.Sqrt(l.variance), spread*l.mean)
	l.mean += alpha * off
	l.variance = (1 - alpha) * (l.variance + alpha*off*off)
	return late
}
