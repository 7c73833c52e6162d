package search

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"sluice/internal/crash"
	"sluice/internal/search"
	"sluice/pipeline"
)

// bucket holds the names of the indices that were written to, until they are
// refreshed.
const bucket = "sink.indices"

// writer writes one pass.
type writer struct {
	*Sink
	store pipeline.Store
	most  atomic.Int64 // bytes of a request: less than the limit after the cluster refused more

	doubt, halved sync.Once // for the warnings about records without _id

	burying sync.Mutex
	line    []byte // of a dead letter
}

// Write implements pipeline.Writer.
func (w *writer) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
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

// Finish implements pipeline.Writer. It refreshes what was written to, so that
// searches and counts see it; without the permission they see it a little later.
func (w *writer) Finish(ctx context.Context) error {
	var done []pipeline.Row
	err := w.store.Range(bucket, "", func(index string, _ []byte) error {
		err := w.client.Call(ctx, search.Request{Method: http.MethodPost, Path: search.Path(index, "_refresh")}, nil)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			pipeline.Logger(ctx).Warn("not refreshed: counts agree a little later", "index", index, "error", err)
		}
		done = append(done, pipeline.Row{Bucket: bucket, Key: index})
		return nil
	})
	if err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	return w.store.Put(done...)
}

// Close implements pipeline.Writer.
func (w *writer) Close() error {
	w.client.Close()
	return nil
}
