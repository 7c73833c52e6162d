package transforms

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"sync"

	"sluice/pipeline"
)

// sourceSize is the buffer through which compressed bytes are read.
const sourceSize = 64 << 10

var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, sourceSize) }}

// source is compressed bytes. It gives io.EOF only at the end of its body, and
// if the length of that is right.
type source struct {
	*bufio.Reader
	body io.ReadCloser
	at   int64 // number of the byte behind the buffer
	size int64 // of the body, or -1
	err  error // why the body gives no more, if that is not its end
}

// newSource reads a body that begins at byte at of one of size bytes, or -1.
func newSource(body io.ReadCloser, at, size int64) *source {
	if b, ok := body.(interface{ Size() int64 }); ok && size >= 0 { // an object that was replaced has another
		size = b.Size()
	}
	s := &source{Reader: buffers.Get().(*bufio.Reader), body: body, at: at, size: size}
	s.Reset(filling{s})
	return s
}

// offset is the number of the byte that comes next.
func (s *source) offset() int64 { return s.at - int64(s.Buffered()) }

// skip reads and forgets n bytes.
func (s *source) skip(ctx context.Context, n int64) error {
	for n > 0 {
		select {
		case <-pipeline.Stopping(ctx):
			return pipeline.ErrStopped
		case <-ctx.Done():
			return context.Cause(ctx)
		default:
		}
		m, err := s.Discard(int(min(n, 1<<20)))
		if err != nil {
			return noEOF(err)
		}
		n -= int64(m)
	}
	return nil
}

// free gives back the buffer of a source that is not read any more.
func (s *source) free() {
	s.Reset(nil)
	buffers.Put(s.Reader)
}

// filling reads the body into the buffer.
type filling struct{ *source }

// Read implements io.Reader.
func (s filling) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	s.at += int64(n)
	if err == io.EOF && s.size >= 0 && s.at != s.size {
		err = fmt.Errorf("body ended at byte %d of %d: %w", s.at, s.size, io.ErrUnexpectedEOF)
	}
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// noEOF is for an end of the source where there must not be one.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
