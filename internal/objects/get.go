package objects

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
)

// idle is how long a body may wait for its reader before its connection is
// closed: stores and load balancers cut those that do not move.
const idle = 30 * time.Second

// enough is how many bytes a body that is cut again and again has to give in the
// time for which a request is tried again: one that gave a few between any two
// cuts would be read for ever.
const enough = 1 << 20

// Reader reads bytes of one object. It is for one goroutine.
type Reader struct {
	name string
	open func(off int64) (io.ReadCloser, error)
	wait func(a *attempts, err error) error

	mu       sync.Mutex
	off      int64         // of the next byte
	size     int64         // where they end
	body     io.ReadCloser // nil: to be opened at off
	attempts attempts      // without progress
	little   little        // progress since
	from     int64         // this byte
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
	began := time.Now()
	n, err := r.read(p)
	if r.little.lost += time.Since(began); r.little.cuts == 0 || r.off-r.from >= enough {
		r.little, r.from = little{}, r.off
	}
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
			r.attempts = attempts{c: r.attempts.c, before: r.little}
			return n, nil
		case err != nil:
			r.drop()
			r.little.cuts++
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
