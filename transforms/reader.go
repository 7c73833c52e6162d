package transforms

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"sluice/pipeline"
)

// reader decompresses the members of a source one after the other. Close may
// be called while Read runs.
type reader struct {
	mu       sync.Mutex // held by Read, and by Close once the body is closed
	src      *source
	format   format
	codec    codec // nil: closed
	at       place // the beginning of the member that is read
	out      int64 // bytes given, and before the place that was entered
	maxRatio int64
	err      error // of every further Read
}

// place is where a member begins: bytes of the compressed body before it, and
// what they are decompressed.
type place struct{ in, out int64 }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n == 0 && r.err == nil && len(p) > 0 {
		n, err = r.codec.Read(p)
		r.out += int64(n)
		if err == io.EOF {
			err = r.next()
		}
		if err == nil {
			err = r.bomb()
		}
		r.err = r.explain(err)
	}
	if n > 0 && r.err != nil && r.err != io.EOF {
		return n, nil // the error comes with the next Read
	}
	return n, r.err
}

// next begins the next member. If there is none, that is io.EOF.
func (r *reader) next() error {
	at := place{r.src.offset(), r.out}
	err := r.codec.next()
	if err == nil {
		r.at = at
	}
	return err
}

// ratioFrom is how much a body may expand to before its ratio is looked at.
const ratioFrom = 1 << 20

// bomb is an error if the body has expanded to more than may be.
func (r *reader) bomb() error {
	if r.out <= ratioFrom || r.out/r.maxRatio <= r.src.offset() {
		return nil
	}
	return fmt.Errorf("%d bytes expand to more than max_ratio (%d) times as many; if they are meant to, raise max_ratio", r.src.offset(), r.maxRatio)
}

// explain says where an error is, and whether it will be there the next time:
// not if the source has failed, or may have been cut on its way.
func (r *reader) explain(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case r.src.err != nil:
		return r.src.err
	case r.src.size < 0 && errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("member at byte %d: %w", r.at.in, err)
	}
	return fmt.Errorf("member at byte %d: %w: %w", r.at.in, err, pipeline.ErrGone)
}

// Mark implements [pipeline.Marker].
func (r *reader) Mark() (string, int64) {
	if r.at.in == 0 {
		return "", 0 // the beginning needs none
	}
	var room [64]byte
	b := append(append(room[:0], r.format.name...), ':')
	b = append(strconv.AppendInt(b, r.at.in, 10), ':')
	return string(strconv.AppendInt(b, r.at.out, 10)), r.at.out
}

// parseMark reads what Mark gave.
func parseMark(mark string) (name string, at place, err error) {
	name, rest, _ := strings.Cut(mark, ":")
	in, out, _ := strings.Cut(rest, ":")
	at.in, err = strconv.ParseInt(in, 10, 64)
	if err == nil {
		at.out, err = strconv.ParseInt(out, 10, 64)
	}
	if err != nil || at.in < 0 || at.out < 0 {
		return "", place{}, fmt.Errorf("%q is not a mark", mark)
	}
	return name, at, nil
}

// Close closes the body, and frees what the reader holds.
func (r *reader) Close() error {
	err := r.src.body.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(r.err, os.ErrClosed) {
		return err
	}
	r.err = os.ErrClosed
	if r.codec != nil {
		r.codec.free()
	}
	r.src.free()
	return err
}
