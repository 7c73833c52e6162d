package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"
)

// Pipeline is a source, transforms and a sink. Its fields do not change while
// it runs.
type Pipeline struct {
	Name   string
	Log    *slog.Logger // nil: slog.Default
	Source Source
	Stages []Stage
	Sink   Sink
	Store  Store
	Dead   DeadLetters   // nil: a dead letter is an error
	GiveUp bool          // what cannot be had is a dead letter, not an error
	New    bool          // passes take what is new since the last complete one
	Lanes  int           // at the same time; at least one
	Depth  int           // items that may wait between two stages
	Grace  time.Duration // for what is in the chains when the run stops

	running atomic.Pointer[run] // the last run, for Status
}

// Result is what a run did to its pass.
type Result struct {
	Pass     int64
	Complete bool   // false without an error: stopped
	Counts   Counts // of the whole pass, up to the saved positions, earlier runs included

	Retries map[string]int64 // of this run, by cause; also if it had no plan yet
}

// run is a Pipeline in motion: one pass, or what is left of it.
type run struct {
	*Pipeline
	pass    *Pass
	began   time.Time // the pass
	planned time.Time // the run has its plan
	covered time.Time // when the last complete pass before it began
	whole   bool
	reader  Reader
	writer  Writer
	saver   saver
	meter   *meter
	larges  map[string]*large // of each stage, by name

	base context.Context // never ends: for saves
	hard context.Context // ends when the run fails or its grace is over
	soft context.Context // ends when the run stops: nothing more is read
	kill context.CancelCauseFunc
	stop context.CancelCauseFunc
}

// errGrace is why hard ends when a stop took too long. It is no failure.
var errGrace = errors.New("grace is over")

// Run moves one pass: the interrupted one, from where it was saved, or a new
// one. When ctx ends it stops: lanes read no more, what was read is delivered
// within Grace, the state is saved. The pass is complete if every lane has
// ended, the counts agree and Finish has returned; if it is neither complete
// nor was stopped, there is an error, which joins those of all lanes.
func (p *Pipeline) Run(ctx context.Context) (res Result, err error) {
	r := &run{Pipeline: p, base: context.WithoutCancel(ctx), meter: newMeter()}
	r.hard, r.kill = context.WithCancelCause(r.base)
	r.soft, r.stop = context.WithCancelCause(r.hard)
	defer r.kill(nil)
	defer context.AfterFunc(ctx, func() { r.stop(ErrStopped) })()
	grace := time.AfterFunc(math.MaxInt64, func() { r.kill(errGrace) })
	defer grace.Stop()
	defer context.AfterFunc(r.soft, func() { grace.Reset(p.Grace) })()

	_, r.whole = p.Sink.(WholePass)
	if r.whole && p.New {
		return res, errors.New("a sink that acts on absence needs passes that take everything")
	}
	defer func() {
		err = errors.Join(err, r.close())
		res.Retries = r.meter.tried()
	}()
	if err := r.rights(); err != nil {
		return res, err
	}
	if err := r.open(); err != nil {
		return res, r.unlessStopped(err)
	}
	err = r.lanes()
	res.Pass = r.pass.Number
	ended := true
	for _, l := range r.saver.ledgers {
		st := l.get()
		res.Counts.Add(st.Counts)
		ended = ended && st.Ended
	}
	if err != nil || !ended {
		return res, err
	}
	err = r.finish()
	if t, ok := r.writer.(Tallier); ok {
		res.Counts.Add(t.Tally())
	}
	if err != nil {
		return res, r.unlessStopped(err)
	}
	res.Complete = true
	return res, nil
}

// unlessStopped is nil if err is but the consequence of a stop.
func (r *run) unlessStopped(err error) error {
	if r.soft.Err() != nil && (errors.Is(err, ErrStopped) || errors.Is(err, errGrace) || errors.Is(err, context.Canceled)) {
		return nil
	}
	return err
}

// rights makes the right of each stage to be large.
func (r *run) rights() error {
	r.larges = map[string]*large{"source": newLarge(), "sink": newLarge()}
	for _, s := range r.Stages {
		if r.larges[s.Name] != nil {
			return fmt.Errorf("two stages are called %q", s.Name)
		}
		r.larges[s.Name] = newLarge()
	}
	return nil
}
