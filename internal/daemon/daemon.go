package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/ops"
	"sluice/pipeline"
)

// Job is a pipeline that is to run.
type Job struct {
	Name     string
	Text     string        // all that it depends on: one with the same text need not begin anew
	Size     int64         // memory that it takes at most, in bytes
	Schedule Schedule      // of its passes; nil: it makes one
	Skip     bool          // passes that were due while none could begin are left out; else one is made for all of them
	Stall    time.Duration // how long a pass may get nowhere before that is said; 0: it is not
	Hooks    []Hook

	// Open makes it ready to run. It is called again when what it gave was closed.
	Open func(ctx context.Context) (*Opened, error)
}

// Opened is a job that is ready to run.
type Opened struct {
	Pipeline *pipeline.Pipeline
	Notes    []string                        // for its reports
	About    ops.About                       // for those who look at it
	Recover  func() error                    // before each pass: sees to it that the state can be used
	Serve    func(ctx context.Context) error // what is done also between passes, until ctx ends; nil: nothing
	Close    func() error
}

// Daemon runs jobs. Its fields do not change from Open on.
type Daemon struct {
	Log   *slog.Logger
	Board *ops.Board // on which its pipelines are

	// Once says that each job makes one pass, that one which fails is not tried
	// again, and that Run returns when all have ended.
	Once bool

	// Ended is called after each pass, and after each error that keeps one from
	// beginning, from several goroutines; nil: nothing is.
	Ended func(j Job, r ops.Report)

	mu      sync.Mutex
	workers []*worker // in the order of the jobs
}

// Open opens jobs, before Run. If one cannot be, none stays open.
func (d *Daemon) Open(ctx context.Context, jobs []Job) error {
	for _, j := range jobs {
		w := d.hire(j, nil)
		if err := w.open(ctx); err != nil {
			err = fmt.Errorf("pipeline %s: %w", j.Name, err)
			for _, w := range slices.Backward(d.workers) {
				err = errors.Join(err, w.close())
			}
			return err
		}
	}
	return nil
}

// Run runs the jobs that were opened until ctx ends, and others when the
// configuration changes, if there is one. It returns when all that runs has
// stopped and is closed.
func (d *Daemon) Run(ctx context.Context, c *Configuration) error {
	var g errgroup.Group
	for _, w := range d.all() {
		d.start(ctx, &g, w)
	}
	if c != nil {
		g.Go(func() error { d.follow(ctx, &g, c); return nil })
	}
	return g.Wait()
}

// hire makes a worker for a job, in the place of another, which has ended, if
// there is one.
func (d *Daemon) hire(j Job, old *worker) *worker {
	w := &worker{Daemon: d, job: j, log: d.Log.With("pipeline", j.Name), wake: make(chan struct{}, 1), done: make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	if old != nil {
		w.watch, w.paused = old.watch, old.isPaused()
		w.complete = old.complete && old.job.Text == j.Text
		d.workers[slices.Index(d.workers, old)] = w
		return w
	}
	w.watch = ops.NewWatch(j.Name)
	d.workers = append(d.workers, w)
	d.Board.Add(w.watch)
	return w
}

// start lets a worker work until ctx ends or it is stopped.
func (d *Daemon) start(ctx context.Context, g *errgroup.Group, w *worker) {
	ctx, w.stop = context.WithCancel(ctx)
	w.watch.Care(func(c *ops.Care) { c.Interval = longest(w.job.Schedule, time.Now()) })
	g.Go(func() error {
		defer close(w.done)
		defer w.stop()
		return w.run(ctx)
	})
}

// dismiss forgets a worker that has ended.
func (d *Daemon) dismiss(w *worker) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.workers = slices.DeleteFunc(d.workers, func(other *worker) bool { return other == w })
	d.Board.Remove(w.watch)
}

func (d *Daemon) all() []*worker {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.workers)
}

func (d *Daemon) worker(name string) (*worker, error) {
	for _, w := range d.all() {
		if w.job.Name == name {
			return w, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, ops.ErrUnknown)
}

// Pause stops the pass of a pipeline, which drains, and lets none begin until
// Resume. A process that begins anew knows nothing of it.
func (d *Daemon) Pause(name string) error {
	w, err := d.worker(name)
	if err == nil {
		w.pause(true)
	}
	return err
}

// Resume ends a pause: the pass that was stopped goes on.
func (d *Daemon) Resume(name string) error {
	w, err := d.worker(name)
	if err == nil {
		w.pause(false)
	}
	return err
}

// RunNow begins the next pass of a pipeline at once. While one is under way, it
// begins after that.
func (d *Daemon) RunNow(name string) error {
	w, err := d.worker(name)
	if err != nil {
		return err
	}
	return w.runNow()
}
