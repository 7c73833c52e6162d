package daemon

import (
	"context"
	"fmt"
	"time"

	"sluice/internal/ops"
)

// due sets when the next pass begins.
func (w *worker) due(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = at
}

// await waits until a pass is to begin; it is false when ctx ends first.
func (w *worker) await(ctx context.Context) bool {
	for ctx.Err() == nil {
		at, begin := w.turn(time.Now().Round(0))
		if begin {
			return true
		}
		w.watch.Care(func(c *ops.Care) { c.Next = at })
		until(ctx, at, w.wake)
	}
	return false
}

// turn says whether a pass is to begin, and else when; never is zero.
func (w *worker) turn(now time.Time) (at time.Time, begin bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.paused:
		return time.Time{}, false
	case w.now, !w.next.IsZero() && !now.Before(w.next):
		w.now = false
		return now, true
	}
	return w.next, false
}

// halting says how the pass under way is stopped.
func (w *worker) halting(halt context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.halt = halt; halt != nil && w.paused {
		halt()
	}
}

// pause begins or ends a pause.
func (w *worker) pause(on bool) {
	w.mu.Lock()
	w.paused = on
	if on && w.halt != nil {
		w.halt()
	}
	w.mu.Unlock()
	w.watch.Care(func(c *ops.Care) { c.Paused = on })
	w.look()
}

func (w *worker) isPaused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.paused
}

func (w *worker) runNow() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paused {
		return fmt.Errorf("%s: %w", w.job.Name, ops.ErrPaused)
	}
	w.now = true
	w.look()
	return nil
}

// look lets await look again.
func (w *worker) look() {
	select {
	case w.wake <- struct{}{}:
	default: // it has not looked since the last time
	}
}
