package search

import (
	"context"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"sluice/internal/crash"
	"sluice/pipeline"
)

// bucket holds the names of the indices that were written to, until they are
// refreshed.
const bucket = "sink.indices"

// writer writes one pass.
type writer struct {
	*Sink
	around *around
	store  pipeline.Store
	most   atomic.Int64 // bytes of a request: less than the limit after the cluster refused more

	doubt, halved sync.Once // for the warnings about records without _id

	burying sync.Mutex
	line    []byte // of a dead letter
}

// Write implements pipeline.Writer.
func (w *writer) Write(ctx context.Context, lane pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	if lane.Aside {
		return w.around.describe(ctx, in)
	}
	free, full := make(chan *request, 2), make(chan *request)
	for range cap(free) {
		free <- w.requests.Get().(*request)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return newFiller(w, free, full).fill(ctx, in)
	})
	g.Go(func() error {
		s := newSender(w)
		return s.send(ctx, full, free)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	for len(free) > 0 {
		w.requests.Put(<-free)
	}
	return nil
}

// send delivers the requests of a lane, one after the other.
func (s *sender) send(ctx context.Context, full <-chan *request, free chan<- *request) error {
	var unit pipeline.Unit
	for {
		q, ok, err := pipeline.Receive(ctx, full)
		if !ok {
			return err
		}
		if err := s.request(ctx, q); err != nil {
			return err
		}
		crash.Point(crash.AfterBulkReply)
		for _, it := range q.items[:q.ended] {
			unit.Add(it)
			if err := unit.Done("", q.notes...); err != nil {
				return err
			}
			q.notes = nil
		}
		q.reset(s.limit)
		free <- q // there is room for all requests
	}
}

// Close implements pipeline.Writer.
func (w *writer) Close() error {
	defer w.client.Close()
	return w.around.close()
}
