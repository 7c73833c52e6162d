package search

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// decoderMemory is what a decoder holds, in bytes: its window, its tables and
// a buffer.
const decoderMemory = 48 << 10

var decoders = sync.Pool{New: func() any { return new(gzip.Reader) }}

// expanded makes the body of a reply that is compressed one that is not.
func expanded(resp *http.Response, wire *incoming) io.ReadCloser {
	if resp.Header.Get("Content-Encoding") != "gzip" {
		return wire
	}
	resp.Header.Del("Content-Encoding")
	resp.ContentLength = -1
	return &gunzip{wire: wire}
}

// gunzip is a compressed body in clear.
type gunzip struct {
	wire *incoming
	in   *gzip.Reader // nil: not begun, or closed
	err  error        // of the last Read
}

// Read implements io.Reader. A stream that ends before its checksum, or does
// not fit it, is a cut body.
func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.err != nil {
		return 0, g.err
	}
	if g.in == nil {
		g.in = decoders.Get().(*gzip.Reader)
		if err = g.in.Reset(g.wire); err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
	}
	if err == nil {
		n, err = g.in.Read(p)
	}
	if err != nil && err != io.EOF {
		if wire := g.wire.err; wire != nil && wire != io.EOF {
			err = wire
		} else {
			err = Again("cut body", fmt.Errorf("gzip: %w", err))
		}
	}
	g.err = err
	return n, err
}

// Close implements io.Closer.
func (g *gunzip) Close() error {
	if g.in != nil {
		decoders.Put(g.in)
		g.in = nil
	}
	g.err = errClosed
	return g.wire.Close()
}

const (
	// leastZipped is the least that is worth compressing, in bytes.
	leastZipped = 16 << 10

	// EncoderMemory is what the encoder of a body that goes compressed holds, in
	// bytes.
	EncoderMemory = 320 << 10
)

var encoders = sync.Pool{New: func() any {
	z := &zipping{clear: make([]byte, 32<<10)}
	z.in, _ = gzip.NewWriterLevel(&z.out, gzip.BestSpeed) // the level is one that there is
	return z
}}

// zipping is what compresses a body while it is sent, so that no second one is
// in memory.
type zipping struct {
	in    *gzip.Writer
	out   bytes.Buffer
	clear []byte
}

// gzipped is a request body in clear, as it goes over the wire.
type gzipped struct {
	mu  sync.Mutex
	src *outgoing
	z   *zipping // nil: closed
	err error    // of src
}

func zipped(src *outgoing) *gzipped {
	z := encoders.Get().(*zipping)
	z.out.Reset()
	z.in.Reset(&z.out)
	return &gzipped{src: src, z: z}
}

// Read implements io.Reader.
func (g *gzipped) Read(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.z == nil {
		return 0, errClosed
	}
	for g.z.out.Len() == 0 {
		if g.err != nil {
			return 0, g.err
		}
		var n int
		n, g.err = g.src.Read(g.z.clear)
		g.z.in.Write(g.z.clear[:n]) // to memory: it never fails
		if g.err == io.EOF {
			g.z.in.Close()
		}
	}
	return g.z.out.Read(p)
}

// Close implements io.Closer. net/http may call it while it reads.
func (g *gzipped) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.z != nil {
		encoders.Put(g.z)
		g.z = nil
	}
	return nil
}

var errClosed = errors.New("the body is closed")
