package search

import (
	"context"
	"time"

	"sluice/pipeline"
)

// give sends an item. While it waits, it keeps the context alive.
func (l *lane) give(ctx context.Context, it *pipeline.Item) error {
	defer pipeline.Await(ctx, l.out).End()
	t := l.timer
	t.Reset(l.idle())
	defer t.Stop()
	for {
		select {
		case l.out <- it:
			pipeline.Moved(ctx)
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
			l.keep(ctx)
			t.Reset(l.idle())
		}
	}
}

// idle is how long the context may still go unused: half of the time after
// which the cluster closes it.
func (l *lane) idle() time.Duration {
	return max(0, l.keepAlive/2-time.Since(l.asked))
}

// keep uses the context, if there is one. A scroll cannot be used without losing
// a page. If it fails, the next page says what is wrong.
func (l *lane) keep(ctx context.Context) {
	l.asked = time.Now()
	if l.context.Way == scroll || l.context.Context == "" {
		return
	}
	if _, err := l.ping(ctx, false); err != nil && ctx.Err() == nil {
		pipeline.Logger(ctx).Debug("the point in time was not prolonged", "error", err)
	}
}
