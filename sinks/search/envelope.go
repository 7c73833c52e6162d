package search

import (
	"bytes"
	"unicode/utf8"

	"sluice/pipeline"
)

// maxID is the longest _id, in decoded bytes, that the engines take. A longer
// one, and a line that is not an action, cost the whole request: they are
// found before it is sent.
const maxID = 512

// fault is why a record cannot be put into a request.
type fault uint8

// The faults.
const (
	sound fault = iota
	noEnvelope
	noIndex
	badIndex
	systemIndex
	badID
	badRouting
	badVersion
)

// refusals say what a fault means, as the reason of a dead letter.
var refusals = [...]pipeline.Refusal{
	noEnvelope:  {Status: 400, Type: "not_an_envelope", Reason: `the line is not {"_index":…,"_id":…,"_source":{…}}`},
	noIndex:     {Status: 400, Type: "index_missing", Reason: "the record has no _index, and the option index is not set"},
	badIndex:    {Status: 400, Type: "invalid_index", Reason: "_index is not the name of one index"},
	systemIndex: {Status: 400, Type: "system_index", Reason: "_index begins with a dot: such indices belong to the engine; set the option index to write elsewhere"},
	badID:       {Status: 400, Type: "invalid_id", Reason: "_id is not a string of at most 512 bytes"},
	badRouting:  {Status: 400, Type: "invalid_routing", Reason: "_routing is not a string"},
	badVersion:  {Status: 400, Type: "invalid_version", Reason: "_version is not a whole number from 0 to 9223372036854775807"},
}

// envelope is where the parts of a record lie in its line: JSON as it stands
// there. What is absent or null is nil. It is valid as long as the line.
type envelope struct {
	index, id, routing []byte // with their quotes
	version            []byte
	source             []byte // an object; nil: the document is to be deleted
}

// scan finds the parts of a line, in any order and with any blanks. What it
// does not know it skips. It reports whether the line is an envelope.
func (e *envelope) scan(line []byte) bool {
	*e = envelope{}
	i := blanks(line, 0)
	if i == len(line) || line[i] != '{' {
		return false
	}
	for {
		key, value := member(line, i+1)
		if value < 0 {
			return false
		}
		end := skip(line, value)
		if end < 0 || !e.take(key, line[value:end]) {
			return false
		}
		if i = blanks(line, end); i == len(line) {
			return false
		}
		if line[i] == '}' {
			return e.source != nil && blanks(line, i+1) == len(line)
		}
		if line[i] != ',' {
			return false
		}
	}
}

// take keeps the value of a key. A key that comes twice is refused, and one
// with escapes, which could hide a part.
func (e *envelope) take(key, value []byte) bool {
	var part *[]byte
	switch string(key) {
	case "_index":
		part = &e.index
	case "_id":
		part = &e.id
	case "_routing":
		part = &e.routing
	case "_version":
		part = &e.version
	case "_source":
		part = &e.source
		if value[0] != '{' {
			return false
		}
	default:
		return bytes.IndexByte(key, '\\') < 0
	}
	if *part != nil {
		return false
	}
	if string(value) != "null" {
		*part = value
	}
	return true
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
