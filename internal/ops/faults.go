package ops

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	shownFaults = 3 // of a kind, before they are summed up
	mostFaults  = 1000
	summed      = time.Minute
)

// faults knows which warnings and errors came lately.
type faults struct {
	mu    sync.Mutex
	kinds map[string]*fault
}

type fault struct {
	shown int
	held  int64 // since one was last written
	out   slog.Handler
	last  slog.Record
	timer *time.Timer
}

// allow says whether a fault is to be written now.
func (f *faults) allow(kind string, out slog.Handler, r slog.Record) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.kinds[kind]
	if one == nil {
		if len(f.kinds) >= mostFaults {
			return true
		}
		one = &fault{}
		one.timer = time.AfterFunc(summed, func() { f.sum(kind) })
		f.kinds[kind] = one
	}
	if one.shown++; one.shown <= shownFaults {
		return true
	}
	one.held++
	one.out, one.last = out, r.Clone()
	return false
}

// sum writes how often a fault came, and forgets one that came no more.
func (f *faults) sum(kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.kinds[kind]
	if one == nil {
		return
	}
	if !one.write() {
		delete(f.kinds, kind)
		return
	}
	one.timer.Reset(summed)
}

// write writes the last that was held back, with how many there were.
func (one *fault) write() bool {
	if one.held == 0 {
		return false
	}
	one.last.AddAttrs(slog.Int64("repeated", one.held))
	one.out.Handle(context.Background(), one.last)
	one.held = 0
	return true
}

func (f *faults) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.kinds {
		one.timer.Stop()
		one.write()
	}
	clear(f.kinds)
}
