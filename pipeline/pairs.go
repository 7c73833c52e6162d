package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// left is a record that is left out of the blocks.
type left struct {
	why    error // nil: none is
	length int
	record []byte // what there is of it; it is in the block
}

// leave leaves out the record that begins at begin, the last one.
func (s *splitter) leave(b *Block, begin, length int) {
	s.left = left{fmt.Errorf("%w: %d bytes", errTooLong, length), length, nil}
	b.buf = b.buf[:begin]
}

// byteOrderMark is what some programs put before text. It belongs to no record.
var byteOrderMark = []byte("\ufeff")

// errAlone is why the first line of a pair is left out that the item ends with.
var errAlone = errors.New("the line that belongs to this one is missing: the object ends behind it")

// pair makes one record of each line that is the first of two, and the one
// behind it, whatever that is: the newline between them becomes a space. A
// block begins with a record, so which lines are first ones depends on nothing
// before it. err is what reading has come to.
func (s *splitter) pair(ctx context.Context, b *Block, err error) error {
	for at, end := 0, 0; at < len(b.buf); at = end {
		end = at + bytes.IndexByte(b.buf[at:], '\n') + 1
		if !s.Pair(b.buf[at:end]) {
			continue
		}
		if end == len(b.buf) {
			return s.second(ctx, b, at, err)
		}
		join(b.buf[:end])
		end += bytes.IndexByte(b.buf[end:], '\n') + 1
		if length := end - at; s.MaxRecord > 0 && length > s.MaxRecord {
			s.leave(b, at, length)
		}
	}
	return err
}

// second reads the second line of the pair whose first line, at the place at,
// ends the block.
func (s *splitter) second(ctx context.Context, b *Block, at int, err error) error {
	if s.left.why != nil { // that line alone is too long
		s.leave(b, at, len(b.buf)-at+s.left.length)
		return err
	}
	if err == nil {
		_, err = s.in.Peek(1)
	}
	if err == io.EOF {
		s.left = left{why: errAlone, record: b.buf[at:]}
		b.buf = b.buf[:at]
	}
	if err != nil {
		return err
	}
	join(b.buf)
	return s.complete(ctx, b, at, nil)
}

// join makes blanks of the line break that b ends with.
func join(b []byte) {
	end := len(b) - 1
	b[end] = ' '
	if end > 0 && b[end-1] == '\r' {
		b[end-1] = ' '
	}
}
