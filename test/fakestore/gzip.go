package fakestore

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// Gzip is a file of one gzip member that is not kept: it holds a block many
// times. It may be read at several places at once.
type Gzip struct {
	block []byte // compressed, without reference to what is before it
	times int
	end   []byte // of the member
}

// header is that of a gzip member without name and time.
const header = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// NewGzip makes a file that holds a block so many times.
func NewGzip(block []byte, times int) *Gzip {
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, 1)
	if err != nil {
		panic(err) // the level is a constant
	}
	z.Write(block) // into memory: it does not fail
	z.Flush()
	sum := uint32(0)
	for range times {
		sum = crc32.Update(sum, crc32.IEEETable, block)
	}
	end := []byte{3, 0} // an empty last block
	end = binary.LittleEndian.AppendUint32(end, sum)
	return &Gzip{b.Bytes(), times, binary.LittleEndian.AppendUint32(end, uint32(len(block)*times))}
}

// Size is that of the file.
func (g *Gzip) Size() int64 {
	return int64(len(header)) + int64(len(g.block))*int64(g.times) + int64(len(g.end))
}

// From gives the bytes from off on.
func (g *Gzip) From(off int64) io.Reader { return &gzipReader{g, off} }

type gzipReader struct {
	*Gzip
	off int64
}

// Read implements io.Reader.
func (r *gzipReader) Read(p []byte) (int, error) {
	body := r.off - int64(len(header))
	var from []byte
	switch {
	case body < 0:
		from = []byte(header[r.off:])
	case body < int64(len(r.block))*int64(r.times):
		from = r.block[body%int64(len(r.block)):]
	case r.off < r.Size():
		from = r.end[body-int64(len(r.block))*int64(r.times):]
	default:
		return 0, io.EOF
	}
	n := copy(p, from)
	r.off += int64(n)
	return n, nil
}
