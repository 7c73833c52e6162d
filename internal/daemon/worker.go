package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/ops"
	"sluice/pipeline"
)

// worker supervises one job.
type worker struct {
	*Daemon
	job   Job
	log   *slog.Logger
	watch *ops.Watch
	wake  chan struct{} // something is to be looked at
	stop  context.CancelFunc
	done  chan struct{} // closed when it has ended

	opened   *Opened
	last     time.Time // when the last pass began, or, before the first, since when passes are due
	begun    bool      // it is not complete
	failures int       // in a row
	complete bool      // a pass was complete, which is all that there is to do without a schedule

	mu     sync.Mutex
	next   time.Time          // when a pass is due; zero: none is to come
	now    bool               // one is asked for
	paused bool               // none may begin
	halt   context.CancelFunc // stops the pass under way; nil: there is none
}

// run works until ctx ends.
func (w *worker) run(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		if err := w.open(ctx); err != nil {
			more = w.kept(ctx, err)
			continue
		}
		more = w.live(ctx)
	}
	return w.close()
}

// open opens the job, if it is not open.
func (w *worker) open(ctx context.Context) error {
	if w.opened != nil {
		return nil
	}
	o, err := w.job.Open(ctx)
	if err != nil {
		return err
	}
	w.opened = o
	w.watch.Use(o.Pipeline, o.Notes)
	w.watch.Describe(o.About)
	return nil
}

func (w *worker) close() error {
	if w.opened == nil {
		return nil
	}
	err := w.opened.Close()
	w.opened = nil
	if err != nil {
		return fmt.Errorf("pipeline %s: close: %w", w.job.Name, err)
	}
	return nil
}

// live makes the passes of what is open. more says that it has to be opened
// again.
func (w *worker) live(ctx context.Context) (more bool) {
	for err := w.recall(); err != nil; err = w.recall() {
		if !w.kept(ctx, err) {
			return false
		}
	}
	if w.opened.Serve == nil {
		w.passes(ctx)
		return false
	}
	inner, end := context.WithCancel(ctx)
	defer end()
	var g errgroup.Group
	g.Go(func() error {
		defer end()
		return w.opened.Serve(inner)
	})
	w.passes(inner)
	end()
	err := g.Wait()
	if ctx.Err() != nil || w.Once {
		return false
	}
	if err == nil {
		err = errors.New("the source listens no more")
	}
	if err := w.close(); err != nil {
		w.log.Warn("not closed", "error", err)
	}
	return w.kept(ctx, err)
}

// kept tells of what keeps passes from beginning, and waits for the next try; it
// is false when ctx ends first.
func (w *worker) kept(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false // that is why
	}
	w.conclude(ctx, w.watch.Fail(err))
	return w.await(ctx)
}

// passes makes passes when they are due.
func (w *worker) passes(ctx context.Context) {
	for w.await(ctx) {
		w.conclude(ctx, w.pass(ctx))
		if w.Once {
			return
		}
	}
}

// conclude does what is to be done after a pass, or in its place.
func (w *worker) conclude(ctx context.Context, r ops.Report) {
	if w.Ended != nil {
		w.Ended(w.job, r)
	}
	w.settle(r)
	w.hooks(ctx, r)
}

// pass makes one pass.
func (w *worker) pass(ctx context.Context) ops.Report {
	ctx, halt := context.WithCancel(ctx)
	defer halt()
	w.halting(halt)
	defer w.halting(nil)
	if !w.begun {
		w.last, w.begun = time.Now(), true
	}
	w.watch.Care(func(c *ops.Care) { c.Next = time.Time{} })
	if err := w.opened.Recover(); err != nil {
		return w.watch.Fail(fmt.Errorf("state: %w", err))
	}
	if w.job.Stall == 0 {
		return w.watch.Pass(ctx)
	}
	var g errgroup.Group
	watched, over := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error { w.lookForStall(watched); return nil })
	r := w.watch.Pass(ctx)
	over()
	g.Wait()
	return r
}

// settle says when the next pass is due.
func (w *worker) settle(r ops.Report) {
	switch r.Outcome {
	case ops.Failed:
		w.failed(r)
	case ops.Stopped:
		w.due(time.Now()) // when a pause ends
	default:
		w.begun, w.complete, w.failures = false, true, 0
		w.watch.Care(func(c *ops.Care) { c.Failures, c.Failing, c.Error = 0, time.Time{}, "" })
		w.due(w.scheduled(time.Now()))
	}
}

// failed puts off the next try.
func (w *worker) failed(r ops.Report) {
	if w.Once {
		return
	}
	w.failures++
	wait := backOff(w.failures)
	w.due(time.Now().Add(wait))
	w.watch.Care(func(c *ops.Care) {
		if c.Failures == 0 {
			c.Failing = time.Now()
		}
		c.Failures, c.Error = w.failures, r.Error
	})
	w.log.Warn("failing; tried again from its state", "failures", w.failures, "wait", wait.Round(time.Millisecond).String(), "error", r.Error)
}

// bucket and since are where the time is kept from which on passes are due
// that none has followed yet.
const (
	bucket = "daemon"
	since  = "since"
)

// recall finds in the state what the last process did, and sets when the next
// pass is due.
func (w *worker) recall() error {
	if w.Once {
		w.due(time.Now())
		return nil
	}
	if err := w.opened.Recover(); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	saved, err := pipeline.Load(w.opened.Pipeline.Store)
	if err != nil {
		return err
	}
	w.begun, w.last = saved.Pass > 0 && !saved.Complete, saved.Began
	if _, every := w.job.Schedule.(Every); w.last.IsZero() && w.job.Schedule != nil && !every {
		if w.last, err = w.from(); err != nil {
			return err
		}
	}
	if now := time.Now(); w.last.After(now) {
		w.last = now // the clock has been set back since
	}
	switch {
	case w.begun, w.last.IsZero(), w.job.Schedule == nil && !w.complete:
		w.due(time.Now())
	default:
		w.due(w.scheduled(time.Now()))
	}
	return nil
}

// from is since when passes are due: since the state was first seen.
func (w *worker) from() (time.Time, error) {
	store := w.opened.Pipeline.Store
	text, err := store.Get(bucket, since)
	if err != nil || text != nil {
		n, perr := strconv.ParseInt(string(text), 10, 64)
		if err == nil && perr != nil {
			err = fmt.Errorf("state: %s: %w", since, perr)
		}
		return time.Unix(n, 0), err
	}
	now := time.Now()
	return now, store.Put(pipeline.Row{Bucket: bucket, Key: since, Value: strconv.AppendInt(nil, now.Unix(), 10)})
}

// scheduled is when the pass after the last one is due.
func (w *worker) scheduled(now time.Time) time.Time {
	if w.job.Schedule == nil {
		return time.Time{}
	}
	if w.job.Skip {
		return w.job.Schedule.Next(w.last, now)
	}
	return w.job.Schedule.Next(w.last, w.last)
}
