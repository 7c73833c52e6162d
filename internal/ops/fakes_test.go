package ops_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/internal/ops"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is lanes of n items of one record each, an item a second: one lane, or
// those that are named.
type source struct {
	n       int
	lanes   []string
	expect  int64
	lost    int // at this item the position is lost, once
	fail    error
	planErr error
	from    []string // where each Read began
}

func (s *source) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }

func (s *source) Plan(context.Context) ([]pipeline.Lane, error) {
	var lanes []pipeline.Lane
	for _, name := range s.lanes {
		lanes = append(lanes, pipeline.Lane{Name: name, ID: name, Records: s.expect})
	}
	if len(s.lanes) == 0 {
		lanes = []pipeline.Lane{{Name: "a", ID: "a", Records: s.expect}}
	}
	return lanes, s.planErr
}

func (s *source) Read(ctx context.Context, _ pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	if len(s.lanes) == 0 {
		s.from = append(s.from, from.Token)
	}
	begin := 0
	fmt.Sscan(from.Token, &begin)
	quota := pipeline.NewQuota(3)
	for i := begin; i < s.n; i++ {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
		if s.lost > 0 && i == s.lost {
			s.lost = 0
			return pipeline.ErrStartOver
		}
		pipeline.Retried(ctx, "503")
		b, err := quota.Block(ctx)
		if err != nil {
			return err
		}
		b.Write([]byte("{}\n"))
		if err := pipeline.Send(ctx, out, b.Item("k", pipeline.Position{Token: fmt.Sprint(i + 1)}, 1)); err != nil {
			return err
		}
	}
	return s.fail
}

func (s *source) Close() error { return nil }

// sink takes everything, and buries record number dead.
type sink struct {
	finished int64 // deleted by Finish
	dead     int64
	taken    atomic.Int64
}

func (s *sink) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return s, nil }

func (s *sink) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		if s.taken.Add(1) == s.dead {
			if err := it.Bury(ctx, 0, []byte("{}"), fmt.Errorf("refused")); err != nil {
				return err
			}
		}
		if err := it.Done(); err != nil {
			return err
		}
	}
}

func (s *sink) Finish(context.Context) error { return nil }
func (s *sink) Close() error                 { return nil }
func (s *sink) Tally() pipeline.Counts       { return pipeline.Counts{Deleted: s.finished} }

type letters struct{}

func (letters) Write(context.Context, pipeline.Letter) error { return nil }
func (letters) Sync(context.Context) error                   { return nil }

// store is one in memory that fails while err is set.
type store struct {
	pipelinetest.Store
	mu  sync.Mutex
	err error
}

func newStore() *store { return &store{Store: pipelinetest.Store{World: &pipelinetest.World{}}} }

func (s *store) Put(rows ...pipeline.Row) error {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Store.Put(rows...)
}

func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func watch(src *source, snk pipeline.Sink, st pipeline.Store) *ops.Watch {
	w := ops.NewWatch("p")
	w.Use(newPipeline(src, snk, st), nil)
	return w
}

func newPipeline(src *source, snk pipeline.Sink, st pipeline.Store) *pipeline.Pipeline {
	return &pipeline.Pipeline{
		Name: "p", Source: src, Sink: snk, Store: st, Dead: letters{}, Lanes: 1, Grace: time.Second, Log: slog.New(slog.DiscardHandler),
	}
}
