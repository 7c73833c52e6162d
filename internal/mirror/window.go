package mirror

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"
)

// Entry is a key and what stands beside it.
type Entry[T any] struct {
	Key   string
	Value T
}

// Window finds keys in something sorted that is read a page at a time. As long
// as they are asked for about in their order, each page is read once.
type Window[T any] struct {
	// Page reads entries after a key, in order; last says that there are no
	// more behind them.
	Page func(ctx context.Context, after string) (page []Entry[T], last bool, err error)

	page []Entry[T]
	lo   string // the page has all after it
	hi   string // up to this one
	read bool
	last bool
}

// Find gives the value of a key.
func (w *Window[T]) Find(ctx context.Context, key string) (v T, ok bool, err error) {
	if w.read && key > w.hi && !w.last {
		err = w.turn(ctx, w.hi)
	}
	if err == nil && !w.covers(key) {
		err = w.turn(ctx, below(key))
	}
	for err == nil && !w.covers(key) {
		err = w.turn(ctx, w.hi)
	}
	if err != nil {
		return v, false, err
	}
	i, ok := slices.BinarySearchFunc(w.page, key, func(e Entry[T], key string) int { return strings.Compare(e.Key, key) })
	if !ok {
		return v, false, nil
	}
	return w.page[i].Value, true, nil
}

// covers says whether the page tells all there is to know of a key.
func (w *Window[T]) covers(key string) bool {
	return w.read && key > w.lo && (key <= w.hi || w.last)
}

// turn reads the page after a key.
func (w *Window[T]) turn(ctx context.Context, after string) (err error) {
	w.read = false
	if w.page, w.last, err = w.Page(ctx, after); err != nil {
		return err
	}
	w.read, w.lo, w.hi = true, after, after
	if len(w.page) == 0 {
		w.last = true
		return nil
	}
	w.hi = w.page[len(w.page)-1].Key
	return nil
}

// longKey is a length from which on a key is not made longer: stores take keys
// of up to 1,024 bytes.
const longKey = 1000

// below is text that comes shortly before key, so that few keys are between the
// two. It is valid UTF-8 if key is.
func below(key string) string {
	r, n := utf8.DecodeLastRuneInString(key)
	head := key[:len(key)-n]
	if r == utf8.RuneError || r <= ' ' || !utf8.ValidRune(r-1) || len(key) > longKey {
		return head
	}
	return head + string(r-1) + "\uFFFD"
}

// Cursor goes through something sorted from its beginning, a page at a time.
type Cursor[T any] struct {
	// Page is that of a [Window].
	Page func(ctx context.Context, after string) (page []Entry[T], last bool, err error)

	page []Entry[T]
	at   int
	last bool // there are no more pages
	read string
}

// Peek gives the entry that is next; nil at the end.
func (c *Cursor[T]) Peek(ctx context.Context) (_ *Entry[T], err error) {
	for c.at == len(c.page) {
		if c.last {
			return nil, nil
		}
		if c.page, c.last, err = c.Page(ctx, c.read); err != nil {
			return nil, err
		}
		if c.at = 0; len(c.page) > 0 {
			c.read = c.page[len(c.page)-1].Key
		}
	}
	return &c.page[c.at], nil
}

// Pass goes to the entry after the one that is next.
func (c *Cursor[T]) Pass() { c.at++ }
