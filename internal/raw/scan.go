// Package raw reads JSON where it lies: it finds members, elements and values
// in a text, and decodes none but those that are asked for.
//
// A text that is JSON is read as what it is. Of one that is not, only the way
// to what was asked for is checked: what is passed over has balanced braces and
// brackets, and strings that end, no more. Nothing here allocates, or keeps a
// slice that it was given.
package raw

import "bytes"

// List is an object or an array that is being read, member by member or
// element by element:
//
//	for l := raw.At(text, i); l.Next(); l.Skip() {
//		… l.Key, text[l.Value:l.End]
//	}
//
// Who has read a value in another way than by Skip sets End.
type List struct {
	Key   []byte // of a member, without quotes, escapes as they stand; nil: an element. Valid as long as the text
	Begin int    // of the member or element
	Value int    // where its value begins
	End   int    // where its value ends

	text  []byte
	begin byte
	some  bool
	close int // where the list ends, -1 if it is broken; 0: it has not ended
}

// At returns the object or array that begins at i.
func At(text []byte, i int) List {
	if i < 0 || i >= len(text) || text[i] != '{' && text[i] != '[' {
		return List{close: -1}
	}
	return List{text: text, begin: text[i], End: i + 1}
}

// Object reports whether it is one.
func (l *List) Object() bool { return l.begin == '{' }

// Next goes to the next member or element. It returns false at the end, and
// where the text is not JSON.
func (l *List) Next() bool {
	if l.close != 0 {
		return false
	}
	l.close = -1 // until it is found to go on
	i := Blanks(l.text, l.End)
	if i >= len(l.text) {
		return false
	}
	if l.text[i] == l.begin+2 { // in ASCII, } is two behind {, and ] behind [
		l.close = i + 1
		return false
	}
	if l.some {
		if l.text[i] != ',' {
			return false
		}
		i = Blanks(l.text, i+1)
	}
	l.Begin, l.Value, l.some = i, i, true
	if l.begin == '{' && !l.key() || l.Value >= len(l.text) {
		return false
	}
	l.close, l.End = 0, -1
	return true
}

// key reads the key of the member that begins at Begin.
func (l *List) key() bool {
	if l.Begin >= len(l.text) || l.text[l.Begin] != '"' {
		return false
	}
	end := skipString(l.text, l.Begin)
	if end < 0 {
		return false
	}
	l.Key = l.text[l.Begin+1 : end-1]
	colon := Blanks(l.text, end)
	if colon >= len(l.text) || l.text[colon] != ':' {
		return false
	}
	l.Value = Blanks(l.text, colon+1)
	return true
}

// Skip reads over the value.
func (l *List) Skip() { l.End = Skip(l.text, l.Value) }

// Take reads over the value and gives it; nil if it does not end.
func (l *List) Take() []byte {
	if l.Skip(); l.End < 0 {
		return nil
	}
	return l.text[l.Value:l.End]
}

// Close returns where the list ends, once Next has returned false; -1 if it is
// not JSON.
func (l *List) Close() int { return l.close }

// Blanks returns where what is no blank begins, from i on; i if that is
// negative, len(text) if there is nothing.
func Blanks(text []byte, i int) int {
	if i < 0 {
		return len(text)
	}
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t') {
		i++
	}
	return i
}

// Skip returns where the value that begins at i ends, or -1.
func Skip(text []byte, i int) int {
	switch text[i] {
	case '"':
		return skipString(text, i)
	case '{', '[':
		return skipList(text, i)
	}
	begin := i
	for i < len(text) && class[text[i]] == 0 && text[i] > ' ' && text[i] != ',' && text[i] != ':' {
		i++
	}
	if i == begin {
		return -1
	}
	return i
}

// class marks the bytes that matter outside strings.
var class = [256]byte{'"': 1, '{': 2, '[': 2, '}': 3, ']': 3}

func skipList(text []byte, i int) int {
	for depth := 0; i < len(text); i++ {
		switch class[text[i]] {
		case 1:
			if i = skipString(text, i) - 1; i < 0 {
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
func skipString(text []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			return -1
		}
		slash := i + n
		for slash > i && text[slash-1] == '\\' {
			slash--
		}
		if i += n; (i-slash)%2 == 0 {
			return i + 1
		}
	}
}
