package objects

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"sluice/internal/pace"
	"sluice/pipeline"
)

// Classes of operations, which stores count and refuse apart from each other.
const (
	listing = iota
	reading
	writing
	classes
)

// classNames are what metrics call them.
var classNames = [classes]string{"listing", "reading", "writing"}

// class is that of a request.
func (r *request) class() int {
	switch {
	case strings.HasPrefix(r.op, "List"):
		return listing
	case r.method == "" || r.method == http.MethodGet || r.method == http.MethodHead:
		return reading
	}
	return writing
}

// send sends a request once, when limits and the gate of its class let it. The
// error is one of this package, of credentials, or the cause of the end of ctx;
// without one, the status says success, and the body is to be closed.
func (c *Client) send(ctx context.Context, r *request) (*http.Response, error) {
	if err := c.limits.Request(ctx); err != nil {
		return nil, err
	}
	gate := &c.gates[r.class()]
	if err := gate.Enter(ctx); err != nil {
		return nil, err
	}
	begun := time.Now()
	resp, err := c.roundTrip(ctx, r)
	limit, why := gate.Leave(pace.Reply{Begun: begun, Busy: overload(ctx, err), Err: err})
	pipeline.Limited(ctx, classNames[r.class()], limit)
	if why != "" {
		pipeline.Logger(ctx).Debug("fewer requests at the same time", "operation", r.op, "now", limit, "because", why)
	}
	if e := new(Error); errors.As(err, &e) && e.After > 0 {
		gate.Close(min(e.After, c.retry))
	}
	return resp, err
}

// overload says why an error means that the store has too much to do; "": it
// does not.
func overload(ctx context.Context, err error) string {
	if err == nil || ctx.Err() != nil {
		return ""
	}
	switch why := cause(err, true); why {
	case causeThrottled, causeTimeout, "429", "503", "504":
		return why
	}
	return ""
}
