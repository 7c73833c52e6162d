package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/config"
	"sluice/internal/kind"
	"sluice/internal/state"
	"sluice/pipeline"
)

// reading reads for a while what a pipeline would read, through its transforms,
// and throws it away. It works on a state of its own, and a source that loses
// what was delivered is told of nothing that was saved.
type reading struct {
	limit time.Duration

	lanes   []pipeline.Lane // of the plan
	in, out amount          // as the source gave it, and as the sink would get it
	took    time.Duration
	whole   bool // there is no more
	err     error

	stop  context.CancelFunc // of the run, with grace
	mu    sync.Mutex
	began time.Time // when the first stage began
	first time.Time // when the first item came
}

// amount is what has passed.
type amount struct{ items, records, bytes atomic.Int64 }

// most is how much longer than its limit a reading may take to begin and to end.
const most = 15 * time.Second

// try reads a sample of the source of a pipeline, if that is harmless.
func (c *checking) try(ctx context.Context, f *finding) {
	s := f.source()
	switch {
	case c.sample == 0:
		f.why = "it was not asked for"
	case s.failures() > 0:
		f.why = "the source cannot be read"
	case s.Unread != "":
		f.why = s.Unread
	default:
		f.read = &reading{limit: c.sample}
		f.read.err = f.read.run(ctx, f)
	}
}

func (t *reading) run(ctx context.Context, f *finding) (err error) {
	dir, err := os.MkdirTemp("", "sluice-check-")
	if err != nil {
		return fmt.Errorf("temporary state: %w", err)
	}
	defer os.RemoveAll(dir)
	store, err := state.Open(filepath.Join(dir, "check.db"))
	if err != nil {
		return err
	}
	defer store.Close()
	ctx, cancel := context.WithTimeout(ctx, t.limit+most)
	defer cancel()
	t.stop = cancel
	p := f.Fitted.Pipeline(config.Links{Store: store, Log: slog.New(slog.DiscardHandler)})
	if _, loses := f.Config.Source.Options.(kind.Consumer); loses {
		p.Source = silent{p.Source}
	}
	if g, ok := f.source().stage.(interface {
		Forget(context.Context, pipeline.Store) error
	}); ok {
		defer func() { err = errors.Join(err, g.Forget(context.WithoutCancel(ctx), store)) }()
	}
	if p.Sink, p.Grace = (thrower{t}), 2*time.Second; f.Config.DeadLetters != nil {
		p.Dead = ignored{}
	}
	p.Stages = append([]pipeline.Stage{{Name: "sample", Transform: measure{t}}}, p.Stages...)
	result, err := p.Run(ctx)
	status, _ := p.Status()
	for _, l := range status.Lanes {
		t.lanes = append(t.lanes, l.Lane)
	}
	t.end()
	switch {
	case errors.Is(err, errEnough):
		return nil
	case err == nil && !result.Complete && t.in.items.Load() == 0:
		return fmt.Errorf("nothing was read in %v: %w", t.limit+most, context.DeadlineExceeded)
	}
	t.whole = err == nil && result.Complete
	return err
}

// begin notes when the first stage begins and, with an item, when the first one
// comes.
func (t *reading) begin(item bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.began.IsZero() {
		t.began = now
	}
	if item && t.first.IsZero() {
		t.first = now
	}
}

// end notes how long it took: without what it took to begin, if that was not
// nearly all of it.
func (t *reading) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.began.IsZero() {
		return
	}
	t.took = time.Since(t.began)
	if since := time.Since(t.first); !t.first.IsZero() && since > t.limit/4 {
		t.took = since
	}
}

// over says whether the time is over.
func (t *reading) over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.first.IsZero() && time.Since(t.first) >= t.limit
}

// measure is a first stage that counts what the source gives.
type measure struct{ *reading }

// Run implements [pipeline.Transform].
func (m measure) Run(ctx context.Context, in <-chan *pipeline.Item, out chan<- *pipeline.Item) error {
	m.begin(false)
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		m.begin(true)
		m.in.items.Add(1)
		if it.Body != nil && it.Records >= 0 {
			m.in.records.Add(it.Records)
			m.in.bytes.Add(max(0, it.Size))
		} else if it.Body != nil {
			it.Body = counted{it.Body, &m.in.bytes}
		}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
}

// counted is a body whose bytes are counted as they are read.
type counted struct {
	pipeline.Body
	n *atomic.Int64
}

// Open implements [pipeline.Body].
func (c counted) Open(ctx context.Context) (io.ReadCloser, error) {
	r, err := c.Body.Open(ctx)
	if err != nil {
		return nil, err
	}
	return counting{r, c.n}, nil
}

type counting struct {
	io.ReadCloser
	n *atomic.Int64
}

// Read implements [io.Reader].
func (c counting) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// thrower is a sink that throws away what comes until the time is over.
type thrower struct{ *reading }

// Open implements [pipeline.Sink].
func (t thrower) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return t, nil }

// Write implements [pipeline.Writer].
func (t thrower) Write(ctx context.Context, lane pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		if it.Body != nil && !lane.Aside {
			err = t.drain(ctx, it)
		}
		if errors.Is(err, pipeline.ErrGone) {
			err = it.GiveUp(ctx, err)
		}
		if err != nil {
			return err
		}
		if err := it.Done(); err != nil {
			return err
		}
	}
}

// drain reads a body.
func (t thrower) drain(ctx context.Context, it *pipeline.Item) error {
	r, err := it.Body.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		t.out.bytes.Add(int64(n))
		switch {
		case errors.Is(err, io.EOF):
			t.out.records.Add(max(0, it.Records))
			if t.over() {
				t.stop() // what is on its way still comes, so that both ends are of the same
			}
			return nil
		case err != nil:
			return err
		case it.Records < 0 && t.over(): // it may be large
			return errEnough
		}
	}
}

// Finish implements [pipeline.Writer].
func (thrower) Finish(context.Context) error { return nil }

// Close implements [pipeline.Writer].
func (thrower) Close() error { return nil }
