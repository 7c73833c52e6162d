package pace_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/pace"
)

func TestWhoStopsWaitingForAPlaceLeavesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 { // two things happen at the same time, in any order
			var g pace.Gate
			why := errors.New("stopped")
			pace.Bound(&g, 1)
			if err := g.Enter(t.Context()); err != nil {
				t.Fatal(err)
			}
			early, stopEarly := context.WithCancelCause(t.Context())
			late, stopLate := context.WithCancelCause(t.Context())
			var all sync.WaitGroup
			for _, ctx := range []context.Context{early, late} {
				all.Go(func() {
					if err := g.Enter(ctx); err == nil {
						g.Leave(pace.Reply{Err: why})
					} else if !errors.Is(err, why) {
						t.Errorf("got %v, want %v or a place", err, why)
					}
				})
				synctest.Wait()
			}
			stopEarly(why)
			synctest.Wait()
			stopLate(why)
			g.Leave(pace.Reply{Err: why})
			all.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := g.Enter(ctx); err != nil {
				t.Fatalf("got %v, want the place to be free", err)
			}
		}
	})
}
