package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/pipeline"
)

// idle is how long a body may wait for its reader before its connection is
// closed: stores and load balancers cut those that do not move.
const idle = 30 * time.Second

// Get opens an object from byte off on. It must still be the one that was
// listed as o, and have its size. A body that is cut is read on by range: a
// reader sees all bytes and io.EOF, or an error that names the object. The error
// wraps [pipeline.ErrGone] if these bytes cannot be had any more.
//
// ctx holds until the reader is closed.
func (c *Client) Get(ctx context.Context, o Object, off int64) (*Reader, error) {
	if off < 0 || off > o.Size {
		return nil, fmt.Errorf("get %s: it has no byte %d, only %d", c.Name(o.Key), off, o.Size)
	}
	v := &version{c: c, o: o, id: o.VersionID}
	r := &Reader{
		name: c.Name(o.Key), off: off, size: o.Size, attempts: attempts{c: c},
		open: func(off int64) (io.ReadCloser, error) { return v.open(ctx, off) },
		wait: func(a *attempts, err error) error { return a.again(ctx, err) },
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

// version is the bytes that are read: those of an ETag or, once it is known, of
// a version of the bucket, which stay when the object is replaced.
type version struct {
	c  *Client
	o  Object
	id string
}

// open asks for the bytes from off on.
func (v *version) open(ctx context.Context, off int64) (io.ReadCloser, error) {
	h := http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}
	r := &request{op: "GetObject", key: v.o.Key, header: h}
	switch {
	case v.id != "":
		r.query = query("versionId", v.id)
	case v.o.ETag != "":
		h.Set("If-Match", `"`+v.o.ETag+`"`)
	}
	if off > 0 {
		h.Set("Range", fmt.Sprintf("bytes=%d-", off))
	}
	resp, err := v.c.open(ctx, r)
	if err == nil {
		if err = v.check(resp, off); err != nil {
			resp.Body.Close()
		}
	}
	if err != nil {
		return nil, v.explain(err)
	}
	return resp.Body, nil
}

// check compares a reply with what was asked for: there are stores that ignore
// If-Match, or Range.
func (v *version) check(resp *http.Response, off int64) error {
	etag := unquote(resp.Header.Get("ETag"))
	if v.o.ETag == "" {
		v.o.ETag = etag
	}
	if etag != v.o.ETag {
		return errReplaced
	}
	if resp.ContentLength >= 0 && resp.ContentLength != v.o.Size-off {
		return fmt.Errorf("%d bytes from byte %d on, listed with %d: %w", resp.ContentLength, off, v.o.Size, io.ErrUnexpectedEOF)
	}
	got := resp.Header.Get("Content-Range")
	if from := fmt.Sprintf("bytes %d-", off); off > 0 && !strings.HasPrefix(got, from) {
		return fmt.Errorf("asked for what begins at byte %d, got %q", off, got)
	}
	v.id = versionID(resp.Header.Get(versionHeader))
	return nil
}

var (
	errReplaced = fmt.Errorf("replaced since it was listed: %w", pipeline.ErrGone)
	errVanished = fmt.Errorf("vanished since it was listed: %w", pipeline.ErrGone)
)

// explain says what an error means for the bytes.
func (v *version) explain(err error) error {
	var answer *Error
	switch {
	case errors.Is(err, ErrPrecondition):
		return errReplaced
	case errors.Is(err, ErrNotFound):
		return errVanished
	case errors.As(err, &answer) && answer.Code == "InvalidObjectState":
		return fmt.Errorf("%w: storage class %q: %w", err, v.o.Class, pipeline.ErrGone)
	}
	return err
}

// Reader reads the bytes of one object. It is for one goroutine.
type Reader struct {
	name string
	open func(off int64) (io.ReadCloser, error)
	wait func(a *attempts, err error) error

	mu       sync.Mutex
	off      int64 // of the next byte
	size     int64
	body     io.ReadCloser // nil: to be opened at off
	attempts attempts      // without progress
	err      error         // sticky
	timer    *time.Timer
	last     time.Time // when Read returned
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	n, err := r.read(p)
	if err != nil {
		r.err = err
		r.drop()
	}
	r.last = time.Now()
	r.timer.Reset(idle)
	return n, err
}

// read reads until there are bytes, the object has ended, or no bytes can be had.
func (r *Reader) read(p []byte) (int, error) {
	for r.off < r.size {
		if r.body == nil {
			if err := r.enter(); err != nil {
				return 0, err
			}
		}
		n, err := r.body.Read(p)
		r.off += int64(n)
		switch {
		case r.off > r.size:
			return 0, fmt.Errorf("get %s: it has more than %d bytes", r.name, r.size)
		case n > 0: // an error that came with it comes again, if it matters
			r.attempts = attempts{c: r.attempts.c}
			return n, nil
		case err != nil:
			r.drop()
			if err := r.wait(&r.attempts, &cutError{err}); err != nil {
				return 0, fmt.Errorf("get %s: at byte %d of %d: %w", r.name, r.off, r.size, err)
			}
		}
	}
	return 0, io.EOF
}

// enter opens the body where it is to be read on.
func (r *Reader) enter() (err error) {
	if r.off == r.size && r.size > 0 {
		return nil
	}
	if r.body, err = r.open(r.off); err != nil {
		return fmt.Errorf("get %s: %w", r.name, err)
	}
	return nil
}

// drop closes the connection.
func (r *Reader) drop() {
	if r.body != nil {
		r.body.Close()
		r.body = nil
	}
}

// rest closes the connection of a body that nobody reads. It is opened again
// when somebody does.
func (r *Reader) rest() {
	if !r.mu.TryLock() {
		return // it is being read
	}
	defer r.mu.Unlock()
	if time.Since(r.last) >= idle {
		r.drop()
	}
}

// Mark implements [pipeline.Marker]: every byte can be entered.
func (r *Reader) Mark() (string, int64) { return strconv.FormatInt(r.off, 10), r.off }

// Close implements io.Closer.
func (r *Reader) Close() error {
	r.timer.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop()
	r.err = io.ErrClosedPipe
	return nil
}

// cutError is why a body ended before all of its bytes had come.
type cutError struct{ err error }

func (e *cutError) Error() string {
	if e.err == io.EOF {
		return io.ErrUnexpectedEOF.Error()
	}
	return e.err.Error()
}

func (e *cutError) Unwrap() error {
	if e.err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return e.err
}
