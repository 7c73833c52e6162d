package objects

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Object is what a listing says of an object.
type Object struct {
	Key       string
	ETag      string    // without quotes: names the bytes; says nothing else
	VersionID string    // "": not known, or the bucket keeps no versions
	Size      int64     // in bytes
	Modified  time.Time // whole seconds: a reply to HEAD says no more
	Class     string    // of storage; "" is the usual one
}

// The bounds of pages.
const (
	mostKeys   = 1000    // what stores give at most
	goodPage   = 1 << 20 // bytes: after a longer page, the next is asked for with fewer keys
	usualEntry = 300     // bytes of a page for one key
	worstPage  = 8 << 20 // bytes: a thousand of the longest keys, each byte of them encoded, take less
)

// List calls f for the objects whose keys begin with prefix and come after a
// key, in order of keys (bytes), until f fails. It holds one page of at most
// 1,000 objects at a time. A listing that is out of order is an error: who goes
// on after a key would miss what comes late.
func (c *Client) List(ctx context.Context, prefix, after string, f func(Object) error) error {
	return c.ListUntil(ctx, prefix, after, "", f)
}

// ListUntil is [Client.List] of the keys up to the key until, which is among
// them; "" is no end.
func (c *Client) ListUntil(ctx context.Context, prefix, after, until string, f func(Object) error) error {
	l := &lister{c: c, prefix: prefix, after: after, bound: mostKeys}
	for {
		if err := l.load(ctx); err != nil {
			return err
		}
		for i := range l.page.entries {
			o, err := l.object(&l.page.entries[i])
			if err != nil {
				return l.named(err)
			}
			if until != "" && o.Key > until {
				return nil
			}
			if err := f(o); err != nil {
				return err
			}
		}
		if !l.page.truncated {
			return nil
		}
	}
}

// Page gives the objects of one page of at most max keys after a key, and says
// whether there are more.
func (c *Client) Page(ctx context.Context, prefix, after string, max int) (objects []Object, more bool, err error) {
	l := &lister{c: c, prefix: prefix, after: after, bound: min(max, mostKeys)}
	if err := l.load(ctx); err != nil {
		return nil, false, err
	}
	for i := range l.page.entries {
		o, err := l.object(&l.page.entries[i])
		if err != nil {
			return nil, false, l.named(err)
		}
		objects = append(objects, o)
	}
	return objects, l.page.truncated, nil
}

// Prefixes gives what keys begin with up to the next delimiter behind prefix,
// in order, as far as one page of a listing after a key shows it. If there is
// more but no prefix, a thousand keys lie here without the delimiter in them.
func (c *Client) Prefixes(ctx context.Context, prefix, delimiter, after string) (prefixes []string, more bool, err error) {
	l := &lister{c: c, prefix: prefix, after: after, delimiter: delimiter, bound: mostKeys}
	if err := l.load(ctx); err != nil {
		return nil, false, err
	}
	for _, raw := range l.page.prefixes {
		p, err := l.page.key(raw)
		if err != nil {
			return nil, false, l.named(err)
		}
		if p > after { // stores name the one again in which after is
			prefixes = append(prefixes, p)
		}
	}
	return prefixes, l.page.truncated, nil
}

// Count counts the objects on the first page of a listing, and says whether
// there are more.
func (c *Client) Count(ctx context.Context, prefix string) (n int, more bool, err error) {
	l := &lister{c: c, prefix: prefix, bound: mostKeys}
	err = l.load(ctx)
	return len(l.page.entries), l.page.truncated, err
}

// lister goes through the pages of a listing.
type lister struct {
	c                 *Client
	prefix, delimiter string
	after             string // the key that came last
	begun             bool   // it has a page
	bound             int    // keys of any page, at most
	most              int    // keys of the next page
	body              []byte // of the page
	page              page
}

// load asks for the next page.
func (l *lister) load(ctx context.Context) error {
	r := &request{op: "ListObjectsV2", query: l.query()}
	last := l.page.token
	err := l.c.do(ctx, r, l.read)
	if err == nil {
		err = l.goesOn(last)
	}
	l.begun = true
	return l.named(err)
}

// goesOn checks that a page after which there is more says how to get it.
func (l *lister) goesOn(last string) error {
	switch {
	case !l.page.truncated || l.c.profile.listVersion == 1 && len(l.page.entries) > 0:
	case l.page.token == "" && l.page.marker == "":
		return fmt.Errorf("the store says that there is more after %q, but not how to ask for it", l.after)
	case l.begun && l.page.token == last && len(l.page.entries) == 0:
		return fmt.Errorf("the store says again and again that there is more after %q, and gives nothing", l.after)
	}
	return nil
}

func (l *lister) query() string {
	encoding, keys := "", ""
	if l.c.profile.encodeKeys { // else a control byte in one key makes the page unreadable
		encoding = "url"
	}
	if l.most == 0 {
		l.most = l.bound
	}
	if l.most < mostKeys {
		keys = strconv.Itoa(l.most)
	}
	start, token := l.after, ""
	if l.c.profile.listVersion == 1 {
		if marker, err := l.page.key([]byte(l.page.marker)); err == nil { // which is given where the last key is not
			start = max(start, marker)
		}
		return query("prefix", l.prefix, "delimiter", l.delimiter, "encoding-type", encoding, "marker", start, "max-keys", keys)
	}
	if l.begun {
		start, token = "", l.page.token
	}
	return query("list-type", "2", "continuation-token", token, "delimiter", l.delimiter, "encoding-type", encoding,
		"max-keys", keys, "prefix", l.prefix, "start-after", start)
}

// read reads a page. One that does not end is asked for again.
func (l *lister) read(resp *http.Response) (err error) {
	if l.body == nil {
		l.body = make([]byte, 0, l.bound*usualEntry+bytes.MinRead)
		l.page.entries = make([]entry, 0, l.bound)
	}
	if l.body, err = readInto(l.body, resp.Body, worstPage); err != nil {
		return unreadable(resp, err)
	}
	if err := l.page.scan(l.body); err != nil {
		return cmp.Or(errorIn(resp, l.body), unreadable(resp, err))
	}
	if n := len(l.page.entries) + len(l.page.prefixes); n > 0 { // as many as would make a good page of such keys
		l.most = max(1, min(l.bound, n*goodPage/len(l.body)))
	}
	return nil
}

// readInto reads all of r into a buffer, which it makes larger if need be.
func readInto(buf []byte, r io.Reader, most int) ([]byte, error) {
	b := bytes.NewBuffer(buf[:0])
	n, err := b.ReadFrom(io.LimitReader(r, int64(most)+1))
	if err == nil && n > int64(most) {
		err = fmt.Errorf("more than %d bytes", most)
	}
	return b.Bytes(), err
}

// object reads an entry of the page, which must come after the last one.
func (l *lister) object(e *entry) (Object, error) {
	o, err := l.page.object(e)
	if err != nil {
		return o, err
	}
	if !strings.HasPrefix(o.Key, l.prefix) {
		return o, fmt.Errorf("the store lists %q, which was not asked for", o.Key)
	}
	if o.Key <= l.after {
		return o, fmt.Errorf("the store lists %q after %q: its keys are not in order", o.Key, l.after)
	}
	l.after = o.Key
	return o, nil
}

func (l *lister) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("list %s: %w", l.c.Name(l.prefix), err)
}

// Reach asks the bucket for a sign of life, and says what is wrong if there is
// none.
func (c *Client) Reach(ctx context.Context) error {
	err := c.do(ctx, &request{op: "HeadBucket", method: http.MethodHead}, nil)
	var answer *Error
	if errors.As(err, &answer) { // a reply to HEAD has no reason in it: ask for one
		l := &lister{c: c, bound: 1}
		err = c.do(ctx, &request{op: "ListObjectsV2", query: l.query()}, l.read)
	}
	if err != nil {
		return fmt.Errorf("bucket %s: %w", c.bucket, err)
	}
	return nil
}
