package pipeline

import (
	"context"
	"sync/atomic"
	"time"
)

// StageStatus is what one stage of a lane does, as its neighbours see it: how
// long it has waited for them, and what it waits for now. The rest of its time
// it works, or waits for a server. Stages with several workers may do all at once.
type StageStatus struct {
	Name      string
	Moved     int64         // grows while the stage gets on
	Open      time.Duration // since it began, or until it returned
	Receiving time.Duration // of that: it waited for input
	Sending   time.Duration // of that: it waited for the next stage to take an item
	Ended     bool          // it has returned
	Waits     Doing         // what it waits for now; "" if it works or has returned
	Since     time.Time     // since when; zero if it does not wait
	Began     time.Time
	Took      Flow  // came in; not of a stage that does not use [Receive]
	Gave      Flow  // went out; not of a stage that does not use [Send]
	Held      int64 // bytes of the blocks that it has made, wherever they are now
}

// Flow is what has passed an edge of a stage. Records and bytes are those that
// were known when it did: of a stream, none are.
type Flow struct{ Items, Records, Bytes int64 }

// Doing is what a stage does.
type Doing string

// What a stage waits for. Of both, it is Sending: what follows holds it up.
const (
	Receiving Doing = "receiving"
	Sending   Doing = "sending"
)

// activity is what one stage of a lane does. Nothing in it takes time but a
// wait, which takes two looks at the clock.
type activity struct {
	name         string
	in, out      any // the channels at its edges; nil: none
	began, ended atomic.Int64
	moved        atomic.Int64
	receives     wait
	sends        wait
	took, gave   flow
	held         atomic.Int64 // bytes of its blocks
}

// flow adds up a [Flow].
type flow struct{ items, records, bytes atomic.Int64 }

func (f *flow) get() Flow { return Flow{f.items.Load(), f.records.Load(), f.bytes.Load()} }

// flowOf is what v adds to a flow when it passes.
func flowOf(v any) Flow {
	it, ok := v.(*Item)
	if !ok || it == nil || it.Body == nil && !it.Delete {
		return Flow{}
	}
	return Flow{1, max(0, it.Records), max(0, it.Size)}
}

// wait is the waits of one edge, in nanoseconds; times are those of Unix.
type wait struct{ since, spent atomic.Int64 }

// Waiting is a wait of a stage that has begun. The zero Waiting is none.
type Waiting struct{ *wait }

// Await says that a stage that does not use [Send] and [Receive] begins to wait
// for its input or output, which is ch. End ends that.
func Await(ctx context.Context, ch any) Waiting { return edge(ctx, ch).await() }

// End ends the wait.
func (w Waiting) End() {
	if w.wait == nil {
		return
	}
	if since := w.since.Swap(0); since != 0 {
		w.spent.Add(time.Now().UnixNano() - since)
	}
}

// Moved says that a stage gets on inside of an item, which may take it long.
func Moved(ctx context.Context) {
	if s, ok := ctx.Value(stageKey{}).(stage); ok && s.activity != nil {
		s.activity.moved.Add(1)
	}
}

// side is one edge of a stage.
type side struct {
	*activity
	*wait
	flow *flow
}

// edge finds the edge that ch is; there is none for a channel inside a stage.
func edge(ctx context.Context, ch any) side {
	s, ok := ctx.Value(stageKey{}).(stage)
	switch {
	case !ok || s.activity == nil:
	case ch == s.activity.in:
		return side{s.activity, &s.activity.receives, &s.activity.took}
	case ch == s.activity.out:
		return side{s.activity, &s.activity.sends, &s.activity.gave}
	}
	return side{}
}

func (s side) await() Waiting {
	if s.wait == nil || !s.since.CompareAndSwap(0, time.Now().UnixNano()) { // another worker waits there already
		return Waiting{}
	}
	return Waiting{s.wait}
}

// flowOf is what v adds to the flow of this edge.
func (s side) flowOf(v any) Flow {
	if s.activity == nil {
		return Flow{}
	}
	return flowOf(v)
}

func (s side) passed(f Flow) {
	if s.activity == nil {
		return
	}
	s.moved.Add(1)
	s.flow.items.Add(f.Items)
	s.flow.records.Add(f.Records)
	s.flow.bytes.Add(f.Bytes)
}

func (w *wait) total(now int64) time.Duration {
	spent := w.spent.Load()
	if since := w.since.Load(); since != 0 {
		spent += max(0, now-since)
	}
	return time.Duration(spent)
}

func (a *activity) status() StageStatus {
	now, ended := time.Now().UnixNano(), a.ended.Load()
	if ended != 0 {
		now = ended
	}
	began := a.began.Load()
	s := StageStatus{
		Name: a.name, Ended: ended != 0, Moved: a.moved.Load(), Began: time.Unix(0, began), Open: time.Duration(now - began),
		Receiving: a.receives.total(now), Sending: a.sends.total(now), Took: a.took.get(), Gave: a.gave.get(), Held: a.held.Load(),
	}
	if since := a.receives.since.Load(); since != 0 && ended == 0 {
		s.Waits, s.Since = Receiving, time.Unix(0, since)
	}
	if since := a.sends.since.Load(); since != 0 && ended == 0 {
		s.Waits, s.Since = Sending, time.Unix(0, since)
	}
	return s
}
