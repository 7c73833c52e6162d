package search

import (
	"errors"

	"github.com/klauspost/compress/gzip"
)

// encoderSize is the memory of an encoder, in bytes.
const encoderSize = 1200 << 10

// zipped is the size up to which a compressed body of a limit is of use.
func zipped(limit int) int { return limit * 3 / 4 }

// zipper compresses bodies.
type zipper struct {
	out []byte
	in  *gzip.Writer
}

func newZipper(limit int) *zipper {
	in, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // a level that there is
	return &zipper{out: make([]byte, 0, zipped(limit)), in: in}
}

var errLarge = errors.New("it does not become much smaller")

// zip gives a body compressed, valid until the next one; false if it does not
// become much smaller.
func (z *zipper) zip(body []byte) ([]byte, bool) {
	z.out = z.out[:0]
	z.in.Reset(z)
	_, err := z.in.Write(body)
	if err == nil {
		err = z.in.Close()
	}
	return z.out, err == nil && len(z.out) < zipped(len(body))
}

// Write implements io.Writer.
func (z *zipper) Write(p []byte) (int, error) {
	if len(z.out)+len(p) > cap(z.out) {
		return 0, errLarge
	}
	z.out = append(z.out, p...)
	return len(p), nil
}
