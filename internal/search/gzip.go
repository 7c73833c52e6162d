package search

import (
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

var errClosed = errors.New("the body is closed")
