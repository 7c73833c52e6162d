package objects

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"sluice/internal/pace"
	"sluice/pipeline"
)

// attempts is one request that is tried until it succeeds, cannot succeed, or
// has failed for too long. The zero value but for c is ready.
type attempts struct {
	c       *Client
	n       int       // failures
	first   time.Time // of the failures
	renewed bool      // clock and credentials were
	pause   backoff.ExponentialBackOff
	before  little
}

// little is attempts that succeeded and brought too little.
type little struct {
	cuts int           // after which it was tried again
	lost time.Duration // with them
}

// try calls f until it succeeds, cannot succeed, or has failed for too long.
func (c *Client) try(ctx context.Context, f func() error) error {
	a := attempts{c: c}
	for {
		err := f()
		if err == nil {
			return nil
		}
		if err := a.again(ctx, err); err != nil {
			return err
		}
	}
}

// again waits until it is time to try again after err, and says how that went:
// nil, or the error to return.
func (a *attempts) again(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	why := cause(err, a.c.reached.Load())
	if why == "" && a.refused(err) {
		why = causeCredentials
	}
	if why == "" || !a.renew(why) {
		return err
	}
	if a.n++; a.n == 1 {
		a.first = time.Now()
		// the factor makes it full jitter: anything from nothing to twice the interval
		a.pause = backoff.ExponentialBackOff{InitialInterval: 100 * time.Millisecond, RandomizationFactor: 1, Multiplier: 2, MaxInterval: 10 * time.Second}
	}
	pause := max(a.pause.NextBackOff(), after(err))
	if spent := a.before.lost + time.Since(a.first); spent+pause > a.limit() {
		return fmt.Errorf("%w (failed %d times in %s)", err, a.before.cuts+a.n, spent.Round(time.Second))
	}
	if a.n == 5 { // seconds have passed: somebody may wonder why nothing moves
		pipeline.Logger(ctx).Warn("the store cannot be used, trying again", "error", err, "for", a.limit())
	}
	pipeline.Retried(ctx, why)
	return pace.Sleep(ctx, pause)
}

// limit is the time to try again. A store that has never answered is most
// likely not where we look for it.
func (a *attempts) limit() time.Duration {
	if !a.c.reached.Load() {
		return min(a.c.retry, 30*time.Second)
	}
	return a.c.retry
}

// renew makes new what a request needs to be accepted, once: the time was taken
// from the reply; credentials that have expired are fetched again.
func (a *attempts) renew(why string) bool {
	if why != causeClock && why != causeCredentials {
		return true
	}
	if a.renewed {
		return false
	}
	a.renewed = true
	if why == causeCredentials && a.c.creds != nil {
		a.c.creds.Invalidate()
	}
	return true
}

// refused reports whether other credentials may help: keys that are mounted may
// have been rotated.
func (a *attempts) refused(err error) bool {
	e, ok := err.(*Error)
	return ok && (e.Status == 400 || e.Status == 401 || e.Status == 403) && !a.renewed && a.c.creds != nil && a.c.creds.Refused(e.Code)
}

// after is how long the store asked us to wait.
func after(err error) time.Duration {
	if e, ok := err.(*Error); ok {
		return e.After
	}
	return 0
}
