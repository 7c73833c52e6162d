package ops

import (
	"context"
	"time"
)

// longestWait is the longest that failures alone put off the next pass.
const longestWait = 10 * time.Minute

// Repeat calls pass at once, and again every so often after it last began,
// until ctx ends. From the second failure in a row on it waits twice as long
// each time, up to 10 minutes or every, whichever is longer.
func Repeat(ctx context.Context, every time.Duration, pass func(context.Context) error) {
	wait := every
	for failures := 0; ctx.Err() == nil; {
		began := time.Now()
		if err := pass(ctx); err == nil {
			failures, wait = 0, every
		} else if failures++; failures > 1 {
			wait = min(2*wait, max(every, longestWait))
		}
		next := time.NewTimer(time.Until(began.Add(wait)))
		select {
		case <-next.C:
		case <-ctx.Done():
		}
		next.Stop()
	}
}
