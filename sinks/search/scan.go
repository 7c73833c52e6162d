package search

import (
	"bytes"
	"unicode/utf8"
)

// members walks over the members of a JSON object.
type members struct {
	text       []byte
	at         int    // where the next one begins; after the last one where the object ends; -1: it is no object
	more       bool   // there is a next one
	key, value []byte // of the last one, as it stands there, the key without its quotes
}

// membersOf begins with the object that begins at i, behind blanks.
func membersOf(text []byte, i int) members {
	if i = blanks(text, i); i == len(text) || text[i] != '{' {
		return members{at: -1}
	}
	i = blanks(text, i+1)
	if i < len(text) && text[i] == '}' {
		return members{at: i + 1}
	}
	return members{text: text, at: i, more: true}
}

// next goes on to the next member, if there is one.
func (m *members) next() bool {
	if !m.more {
		return false
	}
	key, value := member(m.text, m.at)
	m.at, m.more = -1, false
	if value < 0 {
		return false
	}
	end := skip(m.text, value)
	if end < 0 {
		return false
	}
	i := blanks(m.text, end)
	switch {
	case i == len(m.text):
		return false
	case m.text[i] == ',':
		m.at, m.more = i+1, true
	case m.text[i] == '}':
		m.at = i + 1
	default:
		return false
	}
	m.key, m.value = key, m.text[value:end]
	return true
}

// lookup finds a field of an object by its path: names with dots between them,
// of which some may belong to a name. It is nil if there is none.
func lookup(object []byte, path string) []byte {
	for m := membersOf(object, 0); m.next(); {
		n := len(m.key)
		switch {
		case string(m.key) == path:
			return m.value
		case n == 0 || n >= len(path) || path[n] != '.' || string(m.key) != path[:n]:
			continue
		}
		if v := lookup(m.value, path[n+1:]); v != nil {
			return v
		}
	}
	return nil
}

// member finds the key, without its quotes, and the beginning of the value of
// the member of an object that begins at i; value is -1 if there is none.
func member(b []byte, i int) (key []byte, value int) {
	begin := blanks(b, i)
	if begin == len(b) || b[begin] != '"' {
		return nil, -1
	}
	end := skipString(b, begin)
	if end < 0 {
		return nil, -1
	}
	colon := blanks(b, end)
	if colon == len(b) || b[colon] != ':' {
		return nil, -1
	}
	if value = blanks(b, colon+1); value == len(b) {
		return nil, -1
	}
	return b[begin+1 : end-1], value
}

func blanks(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skip returns where the value that begins at i ends, or -1. Objects and
// arrays are balanced, but not otherwise checked: that is for the engine.
func skip(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	begin := i
	for i < len(b) && class[b[i]] == 0 && b[i] > ' ' && b[i] != ',' {
		i++
	}
	if i == begin {
		return -1
	}
	return i
}

// class marks the bytes that matter outside strings.
var class = [256]byte{'"': 1, '{': 2, '[': 2, '}': 3, ']': 3}

func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		switch class[b[i]] {
		case 1:
			if i = skipString(b, i) - 1; i < 0 {
				return -1
			}
		case 2:
			depth++
		case 3:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// skipString returns where the string that begins at i ends, or -1.
func skipString(b []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		slash := i + n
		for slash > i && b[slash-1] == '\\' {
			slash--
		}
		if i += n; (i-slash)%2 == 0 {
			return i + 1
		}
	}
}

// whole reports whether raw is a whole number that the engines take for a
// version.
func whole(raw []byte) bool {
	const most = "9223372036854775807"
	for _, c := range raw {
		if c < '0' || c > '9' {
			return false
		}
	}
	switch {
	case len(raw) > 1 && raw[0] == '0':
		return false
	case len(raw) == len(most):
		return string(raw) <= most
	}
	return 0 < len(raw) && len(raw) < len(most)
}

// decodedLen returns the length in bytes of what a JSON string means, or -1 if
// raw is not a string that every parser takes.
func decodedLen(raw []byte) (n int) {
	if len(raw) < 2 || raw[0] != '"' || !utf8.Valid(raw) {
		return -1
	}
	for b := raw[1 : len(raw)-1]; len(b) > 0; {
		size, means := 1, 1
		switch {
		case b[0] < ' ':
			return -1
		case b[0] == '\\':
			size, means = escape(b)
		}
		if size == 0 {
			return -1
		}
		b, n = b[size:], n+means
	}
	return n
}

// escape returns the length of the escape that b begins with, and of the UTF-8
// that it means; size is 0 if it means nothing, as half a surrogate pair.
func escape(b []byte) (size, means int) {
	if len(b) > 1 && bytes.IndexByte([]byte(`"\/bfnrt`), b[1]) >= 0 {
		return 2, 1
	}
	r, ok := hex4(b)
	switch {
	case !ok || 0xDC00 <= r && r < 0xE000:
		return 0, 0
	case 0xD800 <= r && r < 0xDC00:
		if low, ok := hex4(b[6:]); ok && 0xDC00 <= low && low < 0xE000 {
			return 12, 4
		}
		return 0, 0
	}
	return 6, utf8.RuneLen(r)
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
