package git

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"sluice/internal/pace"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// stall is the time after which a connection on which no byte moves has failed.
// Hooks of a server may take that long without a word.
const stall = 2 * time.Minute

// Remote knows how to run git and how to be let in at a repository. It is safe
// for concurrent use.
type Remote struct {
	at    address
	name  string // repository and branch, for messages
	ssh   string // command; "": it is not by SSH
	ca    string
	retry time.Duration
	stall time.Duration

	user                    string
	token, password         unit.Secret
	tokenFile, passwordFile string
	app                     *issuer // nil: no App of GitHub

	reached atomic.Bool // it has answered
	mu      sync.Mutex  // guards what follows
	seen    []string    // secrets, and what they look like on their way; the oldest first
}

func (r *Remote) url() string { return r.at.url }

// ask runs a git that speaks to the remote, until it succeeds, cannot succeed, or
// has failed for too long.
func (r *Remote) ask(ctx context.Context, c call) ([]byte, error) {
	var a attempts
	for {
		access, err := r.access(ctx)
		var out []byte
		if err == nil {
			out, err = r.once(ctx, c, access)
		}
		if err == nil {
			r.reached.Store(true)
			return out, nil
		}
		if err := r.again(ctx, &a, err, access); err != nil {
			return nil, fmt.Errorf("%s %s: %w", c.name(), r.name, err)
		}
	}
}

// attempts are those of one request.
type attempts struct {
	n       int       // failures
	first   time.Time // of the failures
	renewed bool      // the credentials were
	pause   backoff.ExponentialBackOff
}

// again waits until it is time to try again after err, and says how that went:
// nil, or the error to return.
func (r *Remote) again(ctx context.Context, a *attempts, err error, with access) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	why, ok := r.cause(ctx, a, err, with)
	if !ok {
		return err
	}
	if a.n++; a.n == 1 {
		a.first = time.Now()
		// the factor makes it full jitter: anything from nothing to twice the interval
		a.pause = backoff.ExponentialBackOff{InitialInterval: 200 * time.Millisecond, RandomizationFactor: 1, Multiplier: 2, MaxInterval: 15 * time.Second}
	}
	pause := a.pause.NextBackOff()
	if spent := time.Since(a.first); spent+pause > r.limit() {
		return fmt.Errorf("%w (failed %d times in %s)", err, a.n, spent.Round(time.Second))
	}
	if a.n == 5 { // seconds have passed: somebody may wonder why nothing moves
		pipeline.Logger(ctx).Warn("the repository cannot be used, trying again", "error", err, "for", r.limit())
	}
	pipeline.Retried(ctx, why)
	return pace.Sleep(ctx, pause)
}

// cause says why a request that failed so may be tried again. Credentials that
// were refused are renewed, once: they may have been rotated.
func (r *Remote) cause(ctx context.Context, a *attempts, err error, with access) (string, bool) {
	if passing, ok := errors.AsType[*passing](err); ok {
		return passing.cause, true
	}
	refused, ok := errors.AsType[*Refused](err)
	if !ok || refused.Kind != Denied || a.renewed {
		return "", false
	}
	a.renewed = true
	return "credentials", r.renew(ctx, with)
}

// limit is the time to try again. A host that has never answered is most likely
// not where we look for it.
func (r *Remote) limit() time.Duration {
	if !r.reached.Load() {
		return min(r.retry, 30*time.Second)
	}
	return r.retry
}
