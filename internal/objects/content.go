package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"sluice/pipeline"
)

// Get opens an object from byte off on. It must still be the one that was
// listed as o, and have its size. A body that is cut is read on by range, as long
// as that brings it forward: a reader sees all bytes and io.EOF, or an error that
// names the object. The error wraps [pipeline.ErrGone] if these bytes cannot be
// had any more.
//
// ctx holds until the reader is closed.
func (c *Client) Get(ctx context.Context, o Object, off int64) (*Reader, error) {
	return c.Content(o).Open(ctx, off, o.Size)
}

// Content is the bytes of an object as it was listed. In a bucket that keeps
// versions they stay when the object is replaced. Its methods may be called
// from several goroutines.
type Content struct {
	c *Client

	search sync.Mutex // held while the version is looked for
	mu     sync.Mutex
	o      Object // with what replies have said that the listing did not
	info   Info   // of a reply; its Checksum only of a whole one
	whole  bool   // the store ignores Range
}

// Content gives the bytes of an object. It asks for nothing.
func (c *Client) Content(o Object) *Content { return &Content{c: c, o: o} }

// Open opens the bytes from off on, up to end.
func (v *Content) Open(ctx context.Context, off, end int64) (*Reader, error) {
	o := v.object()
	name := v.c.Name(o.Key)
	if off < 0 || off > end || end > o.Size {
		return nil, fmt.Errorf("get %s: it has no bytes from %d to %d, only %d", name, off, end, o.Size)
	}
	began := time.Now()
	r := &Reader{
		name: name, off: off, size: end, attempts: attempts{c: v.c},
		open: func(off int64) (io.ReadCloser, error) { return v.open(ctx, off, end) },
		wait: func(a *attempts, err error) error {
			if err = a.again(ctx, err); err != nil {
				err = v.c.hopeless(ctx, err, began)
			}
			return err
		},
	}
	r.timer = time.AfterFunc(idle, r.rest)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		r.timer.Stop()
		return nil, err
	}
	return r, nil
}

// Fill reads the bytes from off on until p is full.
func (v *Content) Fill(ctx context.Context, p []byte, off int64) error {
	r, err := v.Open(ctx, off, off+int64(len(p)))
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.ReadFull(r, p)
	return err
}

// Info is what replies have said of the object so far. It has a Checksum once
// a reply of the whole object has given one.
func (v *Content) Info() Info {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.info
}

// Ranges says whether the store has never ignored a range: it need not give all
// bytes to give some.
func (v *Content) Ranges() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return !v.whole
}

// Object is the object as it is known by now: with its ETag and, in a bucket
// that keeps versions, its version once there was a reply.
func (v *Content) Object() Object { return v.object() }

func (v *Content) object() Object {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.o
}

// open asks for the bytes from off to end. If the object was replaced, the
// version that was listed is looked for.
func (v *Content) open(ctx context.Context, off, end int64) (io.ReadCloser, error) {
	began := time.Now()
	body, err := v.ask(ctx, off, end)
	if errors.Is(err, ErrReplaced) && v.find(ctx) {
		body, err = v.ask(ctx, off, end)
	}
	if err != nil {
		return nil, v.c.hopeless(ctx, err, began)
	}
	v.c.read.Store(time.Now().UnixNano())
	return body, nil
}

func (v *Content) ask(ctx context.Context, off, end int64) (io.ReadCloser, error) {
	o := v.object()
	h := http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}
	r := &request{op: "GetObject", key: o.Key, header: h}
	switch {
	case o.VersionID != "":
		r.query = query("versionId", o.VersionID)
	case o.ETag != "":
		h.Set("If-Match", `"`+o.ETag+`"`)
	}
	if off > 0 || end < o.Size {
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", off, end-1))
	}
	resp, err := v.c.open(ctx, r)
	if err != nil {
		return nil, explain(err, o)
	}
	body, err := v.accept(resp, off, end)
	if err != nil {
		resp.Body.Close()
	}
	return body, err
}

// accept compares a reply with what was asked for: there are stores that ignore
// If-Match, or Range.
func (v *Content) accept(resp *http.Response, off, end int64) (io.ReadCloser, error) {
	info := infoOf(v.o.Key, resp)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.o.ETag != "" && info.ETag != v.o.ETag {
		return nil, ErrReplaced
	}
	part := off > 0 || end < v.o.Size
	from, got := fmt.Sprintf("bytes %d-%d/", off, end-1), resp.Header.Get("Content-Range")
	all := !part || resp.StatusCode == http.StatusOK
	length := end - off
	if all {
		length = v.o.Size
	}
	switch {
	case !all && !strings.HasPrefix(got, from):
		return nil, fmt.Errorf("asked for %s, got %q", from, got)
	case resp.ContentLength >= 0 && resp.ContentLength != length:
		return nil, fmt.Errorf("%d bytes from byte %d on, listed with %d: %w: %w", resp.ContentLength, off, v.o.Size, io.ErrUnexpectedEOF, pipeline.ErrGone)
	}
	if v.o.ETag == "" {
		v.o.ETag = info.ETag
	}
	if v.o.VersionID == "" {
		v.o.VersionID = info.VersionID
	}
	if !all {
		info.Checksum = v.info.Checksum // if there is one here, it may be of the part
	}
	info.Object = v.o
	v.info = info
	if part && all {
		v.whole = true
		return &within{ReadCloser: resp.Body, skip: off, left: end - off}, nil
	}
	return resp.Body, nil
}

// within is a part of a body that a store gave as a whole.
type within struct {
	io.ReadCloser
	skip, left int64
}

// Read implements io.Reader.
func (w *within) Read(p []byte) (int, error) {
	for w.skip > 0 {
		n, err := io.CopyN(io.Discard, w.ReadCloser, w.skip)
		w.skip -= n
		if err != nil {
			return 0, err
		}
	}
	if w.left == 0 {
		return 0, io.EOF
	}
	n, err := w.ReadCloser.Read(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	return n, err
}

// find looks for the version that was listed, in a bucket that keeps versions.
func (v *Content) find(ctx context.Context) bool {
	v.search.Lock()
	defer v.search.Unlock()
	o := v.object()
	if o.VersionID != "" || o.ETag == "" {
		return o.VersionID != ""
	}
	if kept, err := v.c.Versioned(ctx); err != nil || !kept {
		return false
	}
	err := v.c.Versions(ctx, o.Key, "", func(old Version) error {
		switch {
		case old.Key != o.Key:
			return io.EOF
		case old.Deleted || old.ETag != o.ETag || old.Size != o.Size:
			return nil
		}
		o.VersionID = old.VersionID
		return io.EOF
	})
	if err != nil && err != io.EOF || o.VersionID == "" {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.o.VersionID = o.VersionID
	return true
}

// Why the bytes of an object cannot be had; they wrap [pipeline.ErrGone].
var (
	ErrReplaced = fmt.Errorf("replaced since it was listed: %w", pipeline.ErrGone)
	ErrVanished = fmt.Errorf("vanished since it was listed: %w", pipeline.ErrGone)
	ErrArchived = fmt.Errorf("archived: %w", pipeline.ErrGone)
)

// explain says what an error means for the bytes of an object.
func explain(err error, o Object) error {
	var answer *Error
	switch {
	case errors.Is(err, ErrPrecondition):
		return ErrReplaced
	case errors.Is(err, ErrNotFound):
		return ErrVanished
	case errors.As(err, &answer) && answer.Code == "InvalidObjectState":
		return fmt.Errorf("%w: storage class %q: %w", err, o.Class, ErrArchived)
	}
	return err
}

// hopeless makes an error of a store that does other things, only not this for
// one object, one that wraps ErrGone: another object was read since it was tried
// first, or the bucket answers. An error that may be that of the whole store, or
// of our rights to all of it, is none of an object.
func (c *Client) hopeless(ctx context.Context, err error, since time.Time) error {
	var (
		answer *Error
		cut    *cutError
	)
	read := c.read.Load()
	elsewhere := read > since.UnixNano()
	gone := false
	switch {
	case ctx.Err() != nil || errors.Is(err, pipeline.ErrGone):
	case errors.As(err, &answer) && answer.Status == http.StatusForbidden:
		gone = read > 0 && answer.Code == "AccessDenied"
	case errors.As(err, &answer) && answer.Status == http.StatusInternalServerError, errors.As(err, &cut):
		gone = elsewhere || c.Reach(ctx) == nil
	case errors.As(err, &answer) && answer.Status > 500:
		gone = elsewhere
	}
	if gone {
		return fmt.Errorf("%w: %w", err, pipeline.ErrGone)
	}
	return err
}
