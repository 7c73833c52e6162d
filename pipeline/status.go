package pipeline

import (
	"maps"
	"sync"
	"time"
)

// meter counts what happens in a run while it happens.
type meter struct {
	mu      sync.Mutex
	retries map[string]int64 // by cause
	limits  map[Limit]int
	open    map[string]bool        // lanes whose chains run
	failed  map[string]error       // lanes whose chains failed
	counted map[string]Flow        // what lanes hold: items and bytes
	stages  map[string][]*activity // of the last chain of each lane, in order
}

func newMeter() *meter {
	return &meter{retries: map[string]int64{}, limits: map[Limit]int{}, open: map[string]bool{}, failed: map[string]error{}, counted: map[string]Flow{}, stages: map[string][]*activity{}}
}

func (m *meter) retried(cause string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retries[cause]++
}

// tried is what was tried again so far.
func (m *meter) tried() map[string]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.retries)
}

func (m *meter) limited(l Limit, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limits[l] = n
}

func (m *meter) count(lane string, objects, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counted[lane] = Flow{Items: objects, Bytes: bytes}
}

func (m *meter) opened(lane string, open bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open[lane] = open
	if open {
		m.stages[lane] = nil
	}
	if err != nil {
		m.failed[lane] = err
	}
}

// stage makes what a stage of the chain of a lane does, from now on.
func (m *meter) stage(lane, name string, in <-chan *Item, out chan<- *Item) *activity {
	if name == "source" && in != nil {
		name = "place" // stands behind the source, and speaks for it
	}
	a := &activity{name: name, in: in, out: out}
	a.began.Store(time.Now().UnixNano())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stages[lane] = append(m.stages[lane], a)
	return a
}

// Status is a picture of a run, taken while it moves.
type Status struct {
	Pass    int64
	Planned time.Time        // when the run had its plan
	Lanes   []LaneStatus     // in the order of the plan
	Began   time.Time        // when the pass did
	Retries map[string]int64 // in this process, by cause
	Limits  map[Limit]int    // how many requests may be under way at the same time; 0: any number
}

// Limit is one that a stage finds for a class of requests: while a server has
// too much to do, it is lower.
type Limit struct{ Stage, Requests string }

// LaneStatus is how far one lane is.
type LaneStatus struct {
	Lane              // as planned: with the records and bytes expected
	Objects int64     // likewise
	Counted bool      // a [Counter] has told of Bytes and Objects: 0 is none
	State   LaneState // done at the sink; saved within a second
	Open    bool      // its chain runs
	Err     error     // why its chain ended, if it failed

	Stages []StageStatus // of its last chain, in order; none before it has begun
	Held   int           // items that the sink has and that are not done
}

// Status returns the picture of the run under way, or of the last one; ok is
// false before the first pass has its plan. It may be called at any time.
func (p *Pipeline) Status() (s Status, ok bool) {
	r := p.running.Load()
	if r == nil {
		return s, false
	}
	r.meter.mu.Lock()
	defer r.meter.mu.Unlock()
	s = Status{Pass: r.pass.Number, Began: r.began, Planned: r.planned, Retries: maps.Clone(r.meter.retries), Limits: maps.Clone(r.meter.limits)}
	for _, lane := range r.pass.Lanes {
		l := LaneStatus{Lane: lane, Open: r.meter.open[lane.Name], Err: r.meter.failed[lane.Name]}
		if all, ok := r.meter.counted[lane.Name]; ok {
			l.Objects, l.Bytes, l.Counted = all.Items, all.Bytes, true
		}
		l.State, l.Held = r.saver.ledgers[lane.Name].status()
		for _, a := range r.meter.stages[lane.Name] {
			l.Stages = append(l.Stages, a.status())
		}
		s.Lanes = append(s.Lanes, l)
	}
	return s, true
}
