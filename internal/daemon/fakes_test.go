package daemon_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/internal/daemon"
	"sluice/internal/ops"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a pipeline of one lane of one record, unless its functions say
// otherwise, whose state outlives the process.
type fake struct {
	name  string
	text  string // that the job depends on; "": its name
	size  int64
	every time.Duration
	cron  daemon.Schedule
	skip  bool
	empty bool // it has no lanes
	stall time.Duration
	hooks []daemon.Hook

	plan   func(ctx context.Context) error
	read   func(ctx context.Context, out chan<- *pipeline.Item) error
	write  func(ctx context.Context, it *pipeline.Item) error
	finish func(ctx context.Context) error
	serve  func(ctx context.Context) error
	opens  func() error // each time the job is opened
	heals  func() error // Recover

	store pipelinetest.Store

	mu     sync.Mutex
	began  []time.Time // its passes, also those that go on
	opened int
	closed int
}

func newFake(name string) *fake {
	return &fake{name: name, store: pipelinetest.Store{World: &pipelinetest.World{}}}
}

func (f *fake) job() daemon.Job {
	j := daemon.Job{Name: f.name, Text: f.name + f.text, Size: f.size, Schedule: f.cron, Skip: f.skip, Stall: f.stall, Hooks: f.hooks, Open: f.open}
	if f.every > 0 {
		j.Schedule = daemon.Every(f.every)
	}
	return j
}

func (f *fake) open(context.Context) (*daemon.Opened, error) {
	if f.opens != nil {
		if err := f.opens(); err != nil {
			return nil, err
		}
	}
	f.count(&f.opened)
	p := &pipeline.Pipeline{Name: f.name, Source: f, Sink: fakeSink{f}, Store: &f.store, Lanes: 1, Grace: time.Second, Log: slog.New(slog.DiscardHandler)}
	return &daemon.Opened{
		Pipeline: p, Recover: f.recover, Serve: f.serve,
		Close: func() error { f.count(&f.closed); return nil },
	}, nil
}

func (f *fake) recover() error {
	if f.heals == nil {
		return nil
	}
	return f.heals()
}

func (f *fake) count(n *int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*n++
}

// passes is when its passes have begun, since some time.
func (f *fake) passes(since time.Time) (all []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range f.began {
		all = append(all, at.Sub(since))
	}
	return all
}

func (f *fake) openings() (opened, closed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened, f.closed
}

func (f *fake) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.began = append(f.began, time.Now())
	return f, nil
}

func (f *fake) Plan(ctx context.Context) ([]pipeline.Lane, error) {
	if f.plan != nil {
		if err := f.plan(ctx); err != nil {
			return nil, err
		}
	}
	if f.empty {
		return nil, nil
	}
	return []pipeline.Lane{{Name: "a", ID: "a"}}, nil
}

func (f *fake) Read(ctx context.Context, _ pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	if f.read != nil {
		return f.read(ctx, out)
	}
	if from.Token != "" {
		return nil
	}
	return send(ctx, out, "1")
}

// send sends an item of one record.
func send(ctx context.Context, out chan<- *pipeline.Item, token string) error {
	b, err := pipeline.NewQuota(1).Block(ctx)
	if err != nil {
		return err
	}
	b.Write([]byte("{}\n"))
	return pipeline.Send(ctx, out, b.Item("k", pipeline.Position{Token: token}, 1))
}

func (f *fake) Close() error { return nil }

type fakeSink struct{ *fake }

func (s fakeSink) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return s, nil }

func (s fakeSink) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		if s.write != nil {
			if err := s.write(ctx, it); err != nil {
				return err
			}
		}
		if err := it.Done(); err != nil {
			return err
		}
	}
}

func (s fakeSink) Finish(ctx context.Context) error {
	if s.finish == nil {
		return nil
	}
	return s.finish(ctx)
}

// running is a daemon that runs.
type running struct {
	*daemon.Daemon
	log  *safe
	stop func() error // ends it, and waits
}

// safe is a log that several goroutines write.
type safe struct {
	mu sync.Mutex
	bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.String()
}

// start runs fakes until the test ends, or stop is called.
func start(t *testing.T, c *daemon.Configuration, fakes ...*fake) running {
	t.Helper()
	log := &safe{}
	d := &daemon.Daemon{Log: logger(log), Board: new(ops.Board)}
	var jobs []daemon.Job
	for _, f := range fakes {
		jobs = append(jobs, f.job())
	}
	if err := d.Open(t.Context(), jobs); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx, c) }()
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { stop() })
	return running{d, log, stop}
}

// snapshot is what is seen of a pipeline.
func (r running) snapshot(t *testing.T, name string) ops.Snapshot {
	t.Helper()
	for _, w := range r.Board.Watches() {
		if w.Name() == name {
			return w.Snapshot()
		}
	}
	t.Fatalf("%s is not on the board", name)
	return ops.Snapshot{}
}

func logger(out io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(out, nil)) }

var discard = slog.New(slog.DiscardHandler)
