package search

import (
	"bufio"
	"io"
)

// readerSize is the buffer of a jsonReader, in bytes.
const readerSize = 32 << 10

// maxDepth bounds how deep what is skipped may be nested.
const maxDepth = 1000

// jsonReader reads a JSON text as a stream, and keeps nothing of it. It takes
// some texts that are not JSON; none is taken for another.
type jsonReader struct {
	in    *bufio.Reader
	depth int
	key   [32]byte
}

func newJSONReader() *jsonReader { return &jsonReader{in: bufio.NewReaderSize(nil, readerSize)} }

func (r *jsonReader) reset(src io.Reader) {
	r.in.Reset(src)
	r.depth = 0
}

// end reads what follows the text: nothing but blanks.
func (r *jsonReader) end() error {
	if _, err := r.next(); err == io.ErrUnexpectedEOF {
		return nil
	} else if err != nil {
		return err
	}
	return errReply
}

// next takes the next byte that is not blank.
func (r *jsonReader) next() (byte, error) {
	for {
		c, err := r.byte()
		if err != nil || c > ' ' {
			return c, err
		}
	}
}

// byte takes a byte. There is one: the text has not ended.
func (r *jsonReader) byte() (byte, error) {
	c, err := r.in.ReadByte()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return c, err
}

// literally takes text if that is what comes next.
func (r *jsonReader) literally(text string) bool {
	b, _ := r.in.Peek(len(text))
	if string(b) != text {
		return false
	}
	r.in.Discard(len(text))
	return true
}

func (r *jsonReader) expect(want byte) error {
	c, err := r.next()
	if err == nil && c != want {
		err = errReply
	}
	return err
}

// object reads an object and calls f for each key, which is valid during the
// call. f reads the value.
func (r *jsonReader) object(f func(key []byte) error) error {
	return r.nested('{', '}', func() error {
		key, err := r.appendString(r.key[:0], len(r.key))
		if err == nil {
			err = r.expect(':')
		}
		if err != nil {
			return err
		}
		return f(key)
	})
}

// array reads an array. f reads each value.
func (r *jsonReader) array(f func() error) error { return r.nested('[', ']', f) }

func (r *jsonReader) nested(begin, end byte, f func() error) error {
	if err := r.expect(begin); err != nil {
		return err
	}
	if r.depth++; r.depth > maxDepth {
		return errReply
	}
	defer func() { r.depth-- }()
	c, err := r.next()
	if err != nil || c == end {
		return err
	}
	r.in.UnreadByte()
	for {
		if err := f(); err != nil {
			return err
		}
		switch c, err := r.next(); {
		case err != nil || c == end:
			return err
		case c != ',':
			return errReply
		}
	}
}

// appendString reads a string or null and appends at most its first bytes to
// b, with escapes as they stand there.
func (r *jsonReader) appendString(b []byte, most int) ([]byte, error) {
	c, err := r.next()
	if err == nil && c == 'n' {
		r.in.UnreadByte()
		return b, r.skip()
	}
	if err == nil && c != '"' {
		err = errReply
	}
	for escaped := false; err == nil; most-- {
		if c, err = r.byte(); err == nil && c == '"' && !escaped {
			return b, nil
		}
		if most > 0 && err == nil {
			b = append(b, c)
		}
		escaped = c == '\\' && !escaped
	}
	return b, err
}

// number reads an integer.
func (r *jsonReader) number() (n int32, err error) {
	c, err := r.next()
	for ; err == nil && '0' <= c && c <= '9' && n < 1e8; c, err = r.byte() {
		n = n*10 + int32(c-'0')
	}
	if err == nil {
		err = r.in.UnreadByte()
	}
	return n, err
}

// skip reads a value.
func (r *jsonReader) skip() error {
	c, err := r.next()
	if err != nil {
		return err
	}
	r.in.UnreadByte()
	switch c {
	case '{':
		return r.object(func([]byte) error { return r.skip() })
	case '[':
		return r.array(r.skip)
	case '"':
		_, err := r.appendString(nil, 0)
		return err
	}
	return r.literal()
}

// literal reads what is neither nested nor a string.
func (r *jsonReader) literal() error {
	for n := 0; ; n++ {
		c, err := r.byte()
		if err != nil {
			return err
		}
		if c == ',' || c == '}' || c == ']' || c <= ' ' {
			if n == 0 {
				return errReply
			}
			return r.in.UnreadByte()
		}
	}
}
