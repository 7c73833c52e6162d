package search

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/internal/pace"
	"sluice/pipeline"
)

// Request is one request to the cluster.
type Request struct {
	Method      string     // "": GET, or POST if there is a body
	Path        string     // begins with a slash; see [Path]
	Query       url.Values // may be nil
	Body        []byte     // not changed, and not kept after the reply is closed
	Zipped      bool       // the body is compressed with gzip
	ContentType string     // "": application/json
	Hits        int        // hits of the page that is asked for: its reply may come compressed; 0: it is no page
}

// Path joins segments, each of them escaped as a query is, so that nothing is
// left that signers and servers escape in different ways.
func Path(segments ...string) string {
	p := ""
	for _, s := range segments {
		p += "/" + strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	}
	return p
}

// method gives what "" stands for.
func (r Request) method() string {
	switch {
	case r.Method != "":
		return r.Method
	case r.Body != nil:
		return http.MethodPost
	}
	return http.MethodGet
}

// Do sends r once, and nothing sends it again: neither this package nor
// net/http resends a POST that may have arrived. Where it certainly has not
// (there is no connection to the node), it goes to another node; where Amazon
// has refused it because its credentials have expired, or were rotated in the
// files that they are in, it is signed anew.
//
// A reply of a status below 300 is returned while its body still streams; the
// caller closes it. Any other is an [*Error]. A body that ends early or stands
// still for a minute fails; see [Retryable].
func (c *Client) Do(ctx context.Context, r Request) (*http.Response, error) {
	renewed := false
	for nodes := len(c.nodes.list); ; {
		resp, err := c.once(ctx, r)
		switch {
		case c.aws != nil && !renewed && c.aws.renewed(err):
			renewed = true
		case nodes > 1 && errors.As(err, new(unsent)) && c.nodes.alive():
			nodes--
		default:
			return resp, err
		}
	}
}

// unsent is an error before which nothing was sent.
type unsent struct{ error }

// Unwrap gives the error itself.
func (u unsent) Unwrap() error { return u.error }

// once is Do at one node: when limits and the gate let it.
func (c *Client) once(ctx context.Context, r Request) (*http.Response, error) {
	if err := c.limits.Request(ctx); err != nil {
		return nil, err
	}
	if err := c.gate.Enter(ctx); err != nil {
		return nil, err
	}
	n, begun, zip := c.nodes.next(), time.Now(), r.Hits > 0 && c.tuner.on()
	rctx, cancel := context.WithCancelCause(ctx)
	w := &watch{ctx: rctx, cancel: cancel, limits: c.limits}
	w.timer = time.AfterFunc(idleTimeout, func() { cancel(errStalled) })
	resp, err := c.head(n, r, w, zip)
	took := time.Since(begun)
	if at := w.written.Load(); at > 0 {
		took = time.Since(time.Unix(0, at))
		if !r.Zipped {
			c.link.left(len(r.Body), time.Duration(at-w.connected.Load()))
		}
	}
	limit, why := c.gate.Leave(pace.Reply{Kind: r.kind(), Begun: begun, Took: took, Busy: overload(err), Err: err})
	fewer(ctx, limit, why)
	if err != nil {
		w.end()
		if e := AsError(err); e != nil && busy(e.Status) {
			c.gate.Close(min(e.RetryAfter, c.retry))
		}
		return nil, fmt.Errorf("%s %s%s: %w", r.method(), n.base, r.Path, err)
	}
	if r.Hits > 0 {
		resp.Body = &page{ReadCloser: resp.Body, tuner: c.tuner, log: pipeline.Logger(ctx), speed: speed{waited: took}, zipped: zip, begun: begun}
	}
	return resp, nil
}

// fewer says how many requests the gate lets wait, and that they are fewer, if so.
func fewer(ctx context.Context, limit int, why string) {
	pipeline.Limited(ctx, "all", limit)
	if why != "" {
		pipeline.Logger(ctx).Debug("fewer requests wait for a reply at the same time", "now", limit, "because", why)
	}
}

// Overloaded says that the reply to a request that was begun at some time said,
// in its body, that the cluster has too much to do: fewer requests are under way
// then, as if its status had said so.
func (c *Client) Overloaded(ctx context.Context, begun time.Time, cause string) {
	limit, why := c.gate.Lower(begun, cause)
	fewer(ctx, limit, why)
}

// kind names requests that take about as long as each other.
func (r Request) kind() string {
	return r.method() + " " + call(r.Path) + " " + strconv.Itoa(bits.Len(uint(r.Hits))) + " " + strconv.Itoa(bits.Len(uint(len(r.Body)>>10)))
}

// head sends the request and waits for the head of its reply.
func (c *Client) head(n *node, r Request, w *watch, zip bool) (*http.Response, error) {
	req, err := c.request(n, r, w)
	if err != nil {
		return nil, err
	}
	if zip {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	resp, err := c.send(req, n, w)
	if err == nil && resp.StatusCode >= 300 {
		return nil, c.refusal(resp, r)
	}
	return resp, err
}

// request makes the request to a node.
func (c *Client) request(n *node, r Request, w *watch) (*http.Request, error) {
	ctx := httptrace.WithClientTrace(w.ctx, &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { w.connected.Store(time.Now().UnixNano()) },
		WroteRequest: func(httptrace.WroteRequestInfo) { w.written.Store(time.Now().UnixNano()) },
	})
	req, err := http.NewRequestWithContext(ctx, r.method(), n.base+r.Path, nil)
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = r.Query.Encode()
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.ContentType != "" {
		req.Header.Set("Content-Type", r.ContentType)
	}
	if r.Zipped {
		req.Header.Set("Content-Encoding", "gzip")
	}
	if c.auth != "" {
		req.Header.Set("Authorization", c.auth)
	}
	if c.aws != nil {
		if err := c.aws.sign(ctx, req, r.Body); err != nil {
			return nil, err
		}
	}
	if r.Body != nil {
		req.Body = &outgoing{r.Body, w}
		req.ContentLength = int64(len(r.Body))
		req.GetBody = func() (io.ReadCloser, error) { return &outgoing{r.Body, w}, nil }
	}
	return req, nil
}

// send sends what request made.
func (c *Client) send(req *http.Request, n *node, w *watch) (*http.Response, error) {
	resp, err := c.http.Do(req)
	w.timer.Stop() // sent: until the reply begins, the transport's own limit holds
	if err == nil {
		c.nodes.answered(n)
		resp.Body = expanded(resp, &incoming{ReadCloser: resp.Body, watch: w})
		return resp, nil
	}
	if cause := context.Cause(w.ctx); cause != nil && cause != errStalled {
		return nil, cause
	}
	n.failed()
	err = c.unreached(err)
	if _, again := Retryable(err); again && w.connected.Load() == 0 {
		err = unsent{err}
	}
	return nil, err
}

// refusal is the error that a reply is.
func (c *Client) refusal(resp *http.Response, r Request) error {
	defer resp.Body.Close()
	e := newError(resp)
	e.Remedy = c.remedy(e, r, resp.Header)
	return e
}

// unreached says why there is no reply, without the address that net/http puts
// before it.
func (c *Client) unreached(err error) error {
	var (
		at  *url.Error
		dns *net.DNSError
		ne  net.Error
	)
	if errors.As(err, &at) {
		err = at.Err
	}
	if told, ok := distrust(err, c.nodes.reached.Load()); ok {
		return told
	}
	switch {
	case refusedByProxy(err):
		return err
	case errors.As(err, &dns) && dns.IsNotFound && !c.nodes.reached.Load():
		return err // a typing error rather than a hiccup
	case errors.Is(err, errStalled), errors.As(err, &ne) && ne.Timeout():
		return Again("timeout", err)
	case errors.Is(err, io.EOF) && !c.nodes.reached.Load():
		err = fmt.Errorf("%w before any answer; is this the port of https?", err)
	}
	return Again("connection", err)
}
