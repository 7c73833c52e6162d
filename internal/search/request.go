package search

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
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

// Path joins segments, each of them escaped.
func Path(segments ...string) string {
	p := ""
	for _, s := range segments {
		p += "/" + url.PathEscape(s)
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
// net/http resends a POST that may have arrived. A reply of a status below 300
// is returned while its body still streams; the caller closes it. Any other is
// an [*Error]. A body that ends early or stands still for a minute fails; see
// [Retryable].
func (c *Client) Do(ctx context.Context, r Request) (*http.Response, error) {
	n := c.nodes.next()
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{cancel: cancel}
	w.timer = time.AfterFunc(idleTimeout, func() { cancel(errStalled) })
	resp, err := c.send(ctx, n, r, w)
	if err != nil {
		w.end()
		return nil, fmt.Errorf("%s %s%s: %w", r.method(), n.base, r.Path, err)
	}
	return resp, nil
}

func (c *Client) send(ctx context.Context, n *node, r Request, w *watch) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method(), n.base+r.Path, nil)
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = r.Query.Encode()
	if r.Body != nil {
		req.Body = &outgoing{r.Body, w}
		req.ContentLength = int64(len(r.Body))
		req.GetBody = func() (io.ReadCloser, error) { return &outgoing{r.Body, w}, nil }
		req.Header.Set("Content-Type", "application/json")
	}
	if r.ContentType != "" {
		req.Header.Set("Content-Type", r.ContentType)
	}
	if c.auth != "" {
		req.Header.Set("Authorization", c.auth)
	}
	resp, err := c.http.Do(req)
	w.timer.Stop() // sent: until the reply begins, the transport's own limit holds
	if err != nil {
		if context.Cause(ctx) != nil && context.Cause(ctx) != errStalled {
			return nil, context.Cause(ctx)
		}
		n.failed()
		return nil, c.unreached(err)
	}
	c.nodes.answered(n)
	resp.Body = &incoming{ReadCloser: resp.Body, ctx: ctx, watch: w}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, newError(resp)
	}
	return resp, nil
}

// unreached says why there is no reply, without the address that net/http puts
// before it.
func (c *Client) unreached(err error) error {
	var (
		at    *url.Error
		dns   *net.DNSError
		cert  *tls.CertificateVerificationError
		alert tls.AlertError
		plain tls.RecordHeaderError
		host  x509.HostnameError
		ne    net.Error
	)
	if errors.As(err, &at) {
		err = at.Err
	}
	switch {
	case errors.As(err, &cert), errors.As(err, &alert), errors.As(err, &plain), errors.As(err, &host), errors.Is(err, http.ErrSchemeMismatch):
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
	timer  *time.Timer
	cancel context.CancelCauseFunc
	mu     sync.Mutex
	over   bool // the caller has its bytes back
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
