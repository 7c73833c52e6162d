package transforms

import "io"

// frame gives the bytes of one frame of zstd, and then io.EOF. It goes by the
// headers of the frame's blocks (RFC 8878, section 3.1.1.2) and looks at
// nothing else.
type frame struct {
	src  *source
	left int  // bytes up to the next block header, or to the end
	last bool // there is none
	sum  bool // a checksum follows the last block
}

// ended says whether all of the frame has been given.
func (f *frame) ended() bool { return f.left == 0 && f.last && !f.sum }

// Read implements io.Reader.
func (f *frame) Read(p []byte) (int, error) {
	if f.ended() {
		return 0, io.EOF
	}
	if f.left == 0 {
		if err := f.block(); err != nil {
			return 0, noEOF(err)
		}
	}
	n, err := f.src.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, noEOF(err)
}

// block looks at what comes next: a block, or the checksum.
func (f *frame) block() error {
	if f.last {
		f.left, f.sum = 4, false
		return nil
	}
	const size, rle = 3, 1
	b, err := f.src.Peek(size)
	if err != nil {
		return err
	}
	header := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	f.last = header&1 != 0
	f.left = size + header>>3
	if header>>1&3 == rle {
		f.left = size + 1
	}
	return nil
}
