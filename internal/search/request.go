package search

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Request is one request to the cluster.
type Request struct {
	Method      string     // "": GET, or POST if there is a body
	Path        string     // begins with a slash; see [Path]
	Query       url.Values // may be nil
	Body        []byte     // not changed, and not kept after the reply is closed
	ContentType string     // "": application/json
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
// has refused it because its credentials have expired, it is signed anew.
//
// A reply of a status below 300 is returned while its body still streams; the
// caller closes it. Any other is an [*Error]. A body that ends early or stands
// still for a minute fails; see [Retryable].
func (c *Client) Do(ctx context.Context, r Request) (*http.Response, error) {
	renewed := false
	for nodes := len(c.nodes.list); ; {
		resp, err := c.once(ctx, r)
		switch {
		case c.aws != nil && !renewed && expired(err):
			renewed = true
			c.aws.renew()
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

// once is Do at one node.
func (c *Client) once(ctx context.Context, r Request) (*http.Response, error) {
	n := c.nodes.next()
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{cancel: cancel}
	w.timer = time.AfterFunc(idleTimeout, func() { cancel(errStalled) })
	req, err := c.request(ctx, n, r, w)
	if err == nil {
		var resp *http.Response
		if resp, err = c.send(req, n, w); err == nil {
			if resp.StatusCode < 300 {
				return resp, nil
			}
			err = c.refusal(resp, r)
		}
	}
	w.end()
	return nil, fmt.Errorf("%s %s%s: %w", r.method(), n.base, r.Path, err)
}

// request makes the request to a node.
func (c *Client) request(ctx context.Context, n *node, r Request, w *watch) (*http.Request, error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { w.connected.Store(true) }})
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

// send sends the request and waits for the head of its reply.
func (c *Client) send(req *http.Request, n *node, w *watch) (*http.Response, error) {
	resp, err := c.http.Do(req)
	w.timer.Stop() // sent: until the reply begins, the transport's own limit holds
	if err == nil {
		c.nodes.answered(n)
		resp.Body = &incoming{ReadCloser: resp.Body, ctx: req.Context(), watch: w}
		return resp, nil
	}
	if cause := context.Cause(req.Context()); cause != nil && cause != errStalled {
		return nil, cause
	}
	n.failed()
	err = c.unreached(err)
	if _, again := Retryable(err); again && !w.connected.Load() {
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

// errStalled is why a request ended whose body stood still.
var errStalled = errors.New("no byte for " + idleTimeout.String())

// watch ends a request whose body stands still.
type watch struct {
	timer     *time.Timer
	cancel    context.CancelCauseFunc
	connected atomic.Bool // there was a connection, so something may have been sent
	mu        sync.Mutex
	over      bool // the caller has its bytes back
}

// end ends the request. No byte of its body is read from then on, though after
// an early reply net/http may still be at it.
func (w *watch) end() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	w.timer.Stop()
	w.cancel(nil)
}

// outgoing is a request body that tells the watch when it moves.
type outgoing struct {
	rest  []byte
	watch *watch
}

// Read implements io.Reader.
func (o *outgoing) Read(p []byte) (int, error) {
	o.watch.mu.Lock()
	defer o.watch.mu.Unlock()
	if o.watch.over {
		return 0, net.ErrClosed
	}
	n := copy(p, o.rest)
	o.rest = o.rest[n:]
	if len(o.rest) == 0 {
		o.watch.timer.Stop()
		return n, io.EOF
	}
	o.watch.timer.Reset(idleTimeout)
	return n, nil
}

// Close implements io.Closer.
func (o *outgoing) Close() error { return nil }

// incoming is a reply's body. Time counts only while somebody reads it.
type incoming struct {
	io.ReadCloser
	ctx   context.Context // of this request; it ends with the body
	watch *watch
}

// Read implements io.Reader.
func (b *incoming) Read(p []byte) (int, error) {
	b.watch.timer.Reset(idleTimeout)
	n, err := b.ReadCloser.Read(p)
	b.watch.timer.Stop()
	if err == nil || err == io.EOF {
		return n, err
	}
	switch cause := context.Cause(b.ctx); {
	case cause == errStalled:
		return n, Again("timeout", errStalled)
	case cause != nil:
		return n, cause
	case err == io.ErrUnexpectedEOF:
		return n, Again("cut body", err)
	}
	return n, Again("cut body", fmt.Errorf("reply: %w", err))
}

// Close implements io.Closer.
func (b *incoming) Close() error {
	b.watch.end()
	return b.ReadCloser.Close()
}
