package raw

import (
	"bytes"
	"unicode/utf8"
)

// Unquoted is what a string in JSON means. If it has escapes, that is appended
// to buf, else it is a part of value. ok is false if value is no string that
// every parser reads alike: one with half a surrogate pair is none.
func Unquoted(buf, value []byte) (text []byte, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	return Unescaped(buf, value[1:len(value)-1])
}

// Unescaped is Unquoted of a string without its quotes, such as a key.
func Unescaped(buf, inner []byte) (text []byte, ok bool) {
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	for len(inner) > 0 {
		n := bytes.IndexByte(inner, '\\')
		if n < 0 {
			n = len(inner)
		}
		buf, inner = append(buf, inner[:n]...), inner[n:]
		if len(inner) == 0 {
			break
		}
		r, size := escape(inner)
		if size == 0 {
			return nil, false
		}
		buf, inner = utf8.AppendRune(buf, r), inner[size:]
	}
	return buf, true
}

// Escapes reports whether every escape in the strings of a text means
// something: half a surrogate pair does not.
func Escapes(text []byte) bool {
	for {
		n := bytes.IndexByte(text, '\\')
		if n < 0 {
			return true
		}
		_, size := escape(text[n:])
		if size == 0 {
			return false
		}
		text = text[n+size:]
	}
}

// TextSize returns how many bytes of UTF-8 a string in JSON means, or -1 if value
// is no string that every parser takes.
func TextSize(value []byte) (n int) {
	if len(value) < 2 || value[0] != '"' || !utf8.Valid(value) {
		return -1
	}
	for b := value[1 : len(value)-1]; len(b) > 0; {
		size, means := 1, 1
		switch {
		case b[0] < ' ':
			return -1
		case b[0] == '\\':
			var r rune
			if r, size = escape(b); size == 0 {
				return -1
			}
			means = utf8.RuneLen(r)
		}
		b, n = b[size:], n+means
	}
	return n
}

// escape reads the escape that b begins with; size is 0 if it means nothing.
func escape(b []byte) (r rune, size int) {
	if len(b) < 2 {
		return 0, 0
	}
	if n := bytes.IndexByte([]byte(`"\/bfnrt`), b[1]); n >= 0 {
		return rune("\"\\/\b\f\n\r\t"[n]), 2
	}
	r, ok := hex4(b)
	switch {
	case !ok || 0xDC00 <= r && r < 0xE000:
		return 0, 0
	case 0xD800 <= r && r < 0xDC00:
		low, ok := hex4(b[6:])
		if !ok || low < 0xDC00 || low >= 0xE000 {
			return 0, 0
		}
		return (r-0xD800)<<10 + low - 0xDC00 + 0x10000, 12
	}
	return r, 6
}

// hex4 reads \uXXXX.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// AppendQuoted appends text as a string in JSON. What is not UTF-8 becomes
// U+FFFD.
func AppendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', '0'+byte(r>>4), "0123456789abcdef"[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
		text = text[size:]
	}
	return append(dst, '"')
}
