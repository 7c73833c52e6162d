package search

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"sluice/internal/crash"
	"sluice/internal/search"
	"sluice/pipeline"
)

// Finish implements pipeline.Writer. What was written to gets its settings back
// and is shown: it is refreshed, green if that is wanted, and then has the alias.
func (w *writer) Finish(ctx context.Context) error {
	var names []string
	var done []pipeline.Row
	err := w.store.Range(bucket, "", func(index string, _ []byte) error {
		names, done = append(names, index), append(done, pipeline.Row{Bucket: bucket, Key: index})
		return nil
	})
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := w.around.restore(ctx); err != nil {
		return err
	}
	if names, err = w.refresh(ctx, names); err != nil {
		return err
	}
	if err := w.around.green(ctx, names); err != nil {
		return err
	}
	if err := w.around.point(ctx, names); err != nil {
		return err
	}
	return w.store.Put(done...)
}

// refresh makes searches and counts see what was written; without the permission
// they see it a little later. It returns the indices that are there: those are not
// of which no record was accepted.
func (w *writer) refresh(ctx context.Context, names []string) (there []string, err error) {
	for _, index := range names {
		err := w.client.Call(ctx, search.Request{Method: http.MethodPost, Path: search.Path(index, "_refresh")}, nil)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("refresh: %w", context.Cause(ctx))
		}
		if search.NotFound(err) {
			continue
		}
		if err != nil {
			pipeline.Logger(ctx).Warn("not refreshed: counts agree a little later", "index", index, "error", err)
		}
		there = append(there, index)
	}
	return there, nil
}

// askHealth is how often it is asked whether an index is green.
const askHealth = time.Second

// green waits until all copies of indices are there.
func (a *around) green(ctx context.Context, names []string) error {
	limit := time.Duration(a.cfg.WaitForGreen)
	if limit == 0 {
		return nil
	}
	over := time.After(limit)
	for _, index := range names {
		for {
			h, err := a.client.Health(ctx, index)
			if err != nil {
				return fmt.Errorf("wait for green: index %s: %w", index, err)
			}
			if h.Status == "green" {
				break
			}
			select {
			case <-time.After(askHealth):
			case <-over:
				return fmt.Errorf("index %s is %s after %s, with %d copies of shards that no node has and %d on their way: add nodes, lower its number_of_replicas or raise wait_for_green",
					index, h.Status, a.cfg.WaitForGreen, h.Unassigned, h.Initializing)
			case <-pipeline.Stopping(ctx):
				return pipeline.ErrStopped
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// point switches the alias to the indices that were written to.
func (a *around) point(ctx context.Context, names []string) error {
	if a.cfg.Alias == "" || len(names) == 0 || !a.once {
		return nil
	}
	before, err := a.client.Point(ctx, a.cfg.Alias, names)
	if err != nil {
		return fmt.Errorf("alias %s: %w", a.cfg.Alias, err)
	}
	crash.Point(crash.AfterAlias)
	pipeline.Logger(ctx).Info("alias switched", "alias", a.cfg.Alias, "to", names, "from", before)
	return nil
}
