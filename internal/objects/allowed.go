package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"sluice/internal/check"
	"sluice/internal/unit"
)

// Hurry implements [check.Hurrier].
func (c *Config) Hurry(most time.Duration) { c.Retry = min(c.Retry, unit.Duration(most)) }

// MayRead finds out whether objects may be listed and read, of which a listing
// that succeeded gave these.
func (c *Client) MayRead(ctx context.Context, page []Object, r *check.Report) {
	r.Add("list objects", nil)
	if len(page) == 0 {
		return
	}
	_, err := c.Head(ctx, page[0].Key)
	r.Add("read objects", unsure(ignoring(err, ErrNotFound)))
}

// Denied says whether the store knows who asks and does not allow it: then it is
// worth while to find out what else it does not allow.
func Denied(err error) bool {
	e := new(Error)
	return errors.As(err, &e) && (e.Code == codeDenied || e.Code == codeForbidden)
}

// noUpload is the id of an upload that is not there.
const noUpload = "c2x1aWNlLWNoZWNrLW9mLWFuLXVwbG9hZC10aGF0LWlzLW5vdC10aGVyZQ"

// MayWrite finds out whether objects may be made, looked at and listed, by
// requests that write nothing: they are about an upload that is not there, and a
// key that nobody has.
func (c *Client) MayWrite(ctx context.Context, key string, r *check.Report) {
	_, _, err := c.Page(ctx, key, "", 1)
	r.Add("list objects", unsure(err))
	_, err = c.Head(ctx, key)
	r.Add("look at objects", unsure(ignoring(err, ErrNotFound)))
	_, err = c.Part(ctx, key, noUpload, 1, []byte("x"))
	if err == nil {
		err = fmt.Errorf("put %s: the store took a part of an upload that is not there", c.Name(key))
	}
	r.Add("put objects", unsure(ignoring(err, ErrNoUpload)))
	r.Add("abort uploads", unsure(c.Abort(ctx, key, noUpload)))
}

// unsure marks an error that is not about who asks.
func unsure(err error) error {
	e := new(Error)
	if err == nil || errors.As(err, &e) && (e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized) {
		return err
	}
	return check.Unsure(err)
}
