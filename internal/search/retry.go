package search

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cenkalti/backoff/v5"

	"sluice/internal/pace"
	"sluice/pipeline"
)

// Retrier bounds how long one thing is tried again: by time, with full jitter.
// It is for one goroutine.
type Retrier struct {
	limit   time.Duration
	every   time.Duration // that it says so
	backoff backoff.ExponentialBackOff
	since   time.Time // of the first failure in a row, or of the last progress
	said    time.Time
}

// Retrier returns one that is bounded by the option retry.
func (c *Client) Retrier() *Retrier {
	r := &Retrier{limit: c.retry, backoff: backoff.ExponentialBackOff{
		InitialInterval:     100 * time.Millisecond,
		MaxInterval:         15 * time.Second,
		Multiplier:          2,
		RandomizationFactor: 1, // full jitter: from nothing to twice the interval
	}}
	r.Reset()
	return r
}

// Patient returns one that is bounded by another time, for what somebody has to
// put right: it says once a minute that it waits.
func (c *Client) Patient(limit time.Duration) *Retrier {
	r := c.Retrier()
	r.limit, r.every = limit, time.Minute
	return r
}

// Over says that what was waited for has come, if it was waited for.
func (r *Retrier) Over(ctx context.Context) {
	if r.since.IsZero() {
		return
	}
	pipeline.Logger(ctx).Info("it goes on", "after", time.Since(r.since).Round(time.Millisecond))
	r.Reset()
	r.said = time.Time{}
}

// Progress says that some of what is tried succeeded: the time begins anew, the
// waits go on as long as they are.
func (r *Retrier) Progress() { r.since = time.Time{} }

// Reset says that there was progress: what fails next fails for the first time.
func (r *Retrier) Reset() {
	r.since = time.Time{}
	r.backoff.Reset()
}

// Wait returns nil when it is time to try again what failed with err. Else it
// returns err, because trying again is no use or has taken too long, or the
// cause of the end of ctx.
func (r *Retrier) Wait(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	cause, ok := Retryable(err)
	if !ok {
		return err
	}
	if r.since.IsZero() {
		r.since = time.Now()
	}
	left := r.limit - time.Since(r.since)
	if left <= 0 {
		return fmt.Errorf("%w (tried again for %s)", err, r.limit)
	}
	wait := r.backoff.NextBackOff()
	if e := AsError(err); e != nil {
		wait = max(wait, e.RetryAfter)
	}
	wait = min(wait, left)
	pipeline.Retried(ctx, cause)
	if time.Since(r.said) >= r.every {
		r.said = time.Now()
		pipeline.Logger(ctx).Warn("trying again", "cause", cause, "wait", wait.Round(time.Millisecond), "error", err)
	}
	return pace.Sleep(ctx, wait)
}

// Retry calls try until it succeeds, as [Retrier] says.
func (c *Client) Retry(ctx context.Context, try func() error) error {
	r := c.Retrier()
	for {
		err := try()
		if err == nil {
			return nil
		}
		if err = r.Wait(ctx, err); err != nil {
			return err
		}
	}
}

// Call sends r, again if need be, and reads the JSON of the reply into what
// into points to, unless that is nil. It is for small replies, and for requests
// that may arrive twice.
func (c *Client) Call(ctx context.Context, r Request, into any) error {
	return c.Retry(ctx, func() error { return c.CallOnce(ctx, r, into) })
}

// CallOnce is Call without trying again.
func (c *Client) CallOnce(ctx context.Context, r Request, into any) error {
	resp, err := c.Do(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && into != nil {
		if err = json.Unmarshal(body, into); err != nil { // a page of some proxy
			err = Again("malformed reply", err)
		}
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.method(), r.Path, err)
	}
	return nil
}

// Reply sends r, again if need be, and returns the reply, which must not be
// longer than limit bytes.
func (c *Client) Reply(ctx context.Context, r Request, limit int64) (body []byte, err error) {
	err = c.Retry(ctx, func() error {
		resp, err := c.Do(ctx, r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		b := bytes.NewBuffer(make([]byte, 0, min(limit, max(resp.ContentLength, 0))+bytes.MinRead))
		n, err := b.ReadFrom(io.LimitReader(resp.Body, limit+1))
		if err == nil && n > limit {
			err = fmt.Errorf("the reply is longer than %d bytes: raise max_record", limit)
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", r.method(), r.Path, err)
		}
		body = b.Bytes()
		return nil
	})
	return body, err
}

// NotFound says whether err is the answer that what was asked for is not there.
func NotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == 404
}
