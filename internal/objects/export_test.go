package objects

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// Stall sets after how long a connection without a byte has failed.
func Stall(c *Config, d time.Duration) { c.stall = d }

// Do is a request that f makes, tried again for retry; the store has answered
// before if reached says so.
func Do(ctx context.Context, retry time.Duration, reached bool, f func() error) error {
	c := &Client{retry: retry}
	c.reached.Store(reached)
	return c.try(ctx, f)
}

// Answer is the error in a reply.
func Answer(resp *http.Response) error {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return unreadable(resp, err)
	}
	if resp.StatusCode < 300 {
		return errorIn(resp, body)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return new(Client).refused(&request{}, &place{}, resp)
}

// Lost is a request without an answer.
func Lost(err error) error { return &sendError{err} }

// Read reads size bytes of what open gives, tried again for retry.
func Read(ctx context.Context, retry time.Duration, size int64, open func(off int64) (io.ReadCloser, error)) *Reader {
	c := &Client{retry: retry}
	c.reached.Store(true)
	r := &Reader{name: "bucket/key", size: size, attempts: attempts{c: c}, open: open,
		wait: func(a *attempts, err error) error { return a.again(ctx, err) }}
	r.timer = time.AfterFunc(idle, r.rest)
	return r
}
