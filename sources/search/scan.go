package search

import "bytes"

// span is a range of bytes of a hit, from its first byte on.
type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }

// hit is where the members of one hit lie, blanks around them left out. It is
// found out by looking at each byte once, however the bytes arrive.
type hit struct {
	index, id, routing, version, seq, source, sort span // a span from 0 to 0: there is none

	pos    int  // what was looked at
	depth  int  // of objects and lists around pos
	quoted bool // pos is inside a string
	key    span // of the member around pos, without quotes
	value  int  // where its value may begin; 0 before the colon
	taken  int  // bytes of the source that are no longer in the buffer
}

// scan looks at b, which begins with the hit, from where it left off, and
// reports whether the hit ends in it; pos is then its length. CR and LF become
// blanks: outside of strings they mean nothing, and inside they are escaped.
func (h *hit) scan(b []byte) bool {
	for i := h.pos; i < len(b); i++ {
		if h.quoted {
			end := quote(b, i)
			if end < 0 {
				h.pos = len(b) - (len(b)-beforeBackslashes(b, i))%2 // not behind half of an escape
				return false
			}
			h.quoted, i = false, end
			if h.depth == 1 && h.value == 0 {
				h.key.to = end
			}
			continue
		}
		switch b[i] {
		case '"':
			h.quoted = true
			if h.depth == 1 && h.value == 0 {
				h.key.from = i + 1
			}
		case '{', '[':
			h.depth++
		case '}', ']':
			if h.depth--; h.depth == 0 {
				h.member(b, i)
				h.pos = i + 1
				return true
			}
		case ':':
			if h.value == 0 { // those of what is inside come after it
				h.value = i + 1
			}
		case ',':
			if h.depth == 1 {
				h.member(b, i)
			}
		case '\n', '\r':
			b[i] = ' '
		}
	}
	h.pos = len(b)
	return false
}

// quote gives the place of the quote that ends the string around b[i:], or -1.
func quote(b []byte, i int) int {
	for from := i; ; {
		n := bytes.IndexByte(b[from:], '"')
		if n < 0 {
			return -1
		}
		end := from + n
		if (end-beforeBackslashes(b[:end], i))%2 == 0 {
			return end
		}
		from = end + 1
	}
}

// beforeBackslashes gives the length of b without backslashes at its end, but
// not less than from.
func beforeBackslashes(b []byte, from int) int {
	n := len(b)
	for n > from && b[n-1] == '\\' {
		n--
	}
	return n
}

// member notes the member that ends before b[end].
func (h *hit) member(b []byte, end int) {
	if h.value == 0 {
		return
	}
	v := trim(b, span{h.value, end})
	if h.taken > 0 && string(h.key.of(b)) == "_source" {
		v = span{h.value, max(h.value, v.to)} // its beginning is inside of the value, where blanks mean something
		for v.to > v.from && blank(b[v.to-1]) {
			v.to--
		}
	}
	h.value = 0
	switch string(h.key.of(b)) {
	case "_index":
		h.index = v
	case "_id":
		h.id = v
	case "_routing":
		h.routing = v
	case "_version":
		h.version = v
	case "_seq_no":
		h.seq = v
	case "_source":
		h.source = v
	case "sort":
		h.sort = v
	}
}

func trim(b []byte, s span) span {
	for s.from < s.to && blank(b[s.from]) {
		s.from++
	}
	for s.to > s.from && blank(b[s.to-1]) {
		s.to--
	}
	return s
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// part gives what was looked at of the source, if the hit is inside of it and
// has shown its _index and _id; blanks at its end may lie behind the source.
func (h *hit) part(b []byte) (s span, ok bool) {
	if h.value == 0 || h.index.to == 0 || h.id.to == 0 || string(h.key.of(b)) != "_source" {
		return s, false
	}
	s = span{h.value, h.pos}
	if t := trim(b, s); !h.quoted {
		s.to = t.to
	}
	if h.taken == 0 {
		s.from = trim(b, s).from
	}
	return s, s.from < s.to
}

// take removes a part from b, and returns what b is from then on.
func (h *hit) take(b []byte, part span) []byte {
	h.taken += part.to - part.from
	h.pos -= part.to - h.value
	return b[:h.value+copy(b[h.value:], b[part.to:])]
}

// size is the length of the record that the hit becomes, without [lane.fields].
func (h *hit) size() int {
	n := len(`{"_index":,"_id":,"_source":}`) + 1 + h.taken
	for _, s := range [...]span{h.index, h.id, h.source} {
		n += s.to - s.from
	}
	if h.routing.to > 0 {
		n += len(`,"_routing":`) + h.routing.to - h.routing.from
	}
	return n
}
