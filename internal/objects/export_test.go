package objects

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
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

// Scan reads a page by the scanner alone, and Decode by encoding/xml: what it
// says as text. The scanner leaves what is unusual to the other.
func Scan(body []byte) (says string, unusual bool, err error) {
	var p page
	err = p.read(&scanner{rest: body})
	return p.says(), err == errUnusual, err
}

// Decode is Scan by encoding/xml.
func Decode(body []byte) (says string, err error) {
	var p page
	err = p.read(&decoder{xml.NewDecoder(bytes.NewReader(body))})
	return p.says(), err
}

func (p *page) says() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v %q %q %q %q\n", p.truncated, p.encoded, p.token, p.marker, p.version, p.prefixes)
	for _, e := range p.entries {
		fmt.Fprintf(&b, "%q %q %q %q %q %q %v %v\n", e.key, e.modified, e.etag, e.size, e.class, e.version, e.latest, e.deleted)
	}
	return b.String()
}

// ScanObjects reads the objects of a page, one page after the other.
func ScanObjects() func(body []byte, f func(Object)) error {
	var p page
	return func(body []byte, f func(Object)) error {
		if err := p.scan(body); err != nil {
			return err
		}
		for i := range p.entries {
			o, err := p.object(&p.entries[i])
			if err != nil {
				return err
			}
			f(o)
		}
		return nil
	}
}

// SetDial gives the client a transport of its own, which reaches the store in
// another way than by TCP.
func SetDial(c *Client, dial func() (net.Conn, error)) {
	c.http = c.http.Clone()
	c.http.Proxy = nil
	c.http.DialContext = func(context.Context, string, string) (net.Conn, error) {
		made, err := dial()
		if err != nil {
			return nil, err
		}
		return &conn{made, c.stall}, nil
	}
	shared := c.close
	c.close = func() { c.http.CloseIdleConnections(); shared() }
}

// Endpoint is where the requests for a bucket go, and the region and service
// that they are signed for.
func Endpoint(c *Client) string {
	p := c.place
	return p.scheme + "://" + p.host + p.path + " " + p.region + " " + p.service
}

// Payload is the body of a request, and its end.
func Payload(b []byte) (io.Reader, func()) {
	p := &payload{bytes: b, c: new(Client)}
	r, _ := p.reader()
	return r, p.end
}
