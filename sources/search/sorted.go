package search

import (
	"bytes"
	"io"
	"slices"
)

// Metadata is not decoded: it is put in order as the cluster has written it.
// Numbers, strings and keys keep their bytes, and memory is a few times that of
// the reply. All of this is for valid JSON alone.

// member is a member of an object, or an element of an array, which has no key.
// Both are slices of the JSON they were found in.
type member struct{ key, value []byte }

// children lists what is in an object or array; nothing of another value. Line
// ends between values become blanks, in place.
func children(b []byte) (list []member) {
	if !container(b) {
		return nil
	}
	for i := next(b, 1); b[i] != '}' && b[i] != ']'; i = next(b, i) {
		var m member
		if b[0] == '{' {
			m.key = b[i:text(b, i)]
			i = next(b, i+len(m.key))
		}
		m.value = b[i:skip(b, i)]
		i += len(m.value)
		list = append(list, m)
	}
	return list
}

func container(b []byte) bool { return len(b) > 0 && (b[0] == '{' || b[0] == '[') }

// next is where the value or the end after i is.
func next(b []byte, i int) int {
	for blank(b[i]) || b[i] == ',' || b[i] == ':' {
		i++
	}
	return i
}

// writeSorted writes a value whose objects have their keys in order, two blanks
// for each level. w does not fail.
func writeSorted(w io.Writer, b []byte, depth int) {
	if !container(b) {
		w.Write(b)
		return
	}
	writeMembers(w, b[:1], children(b), depth)
}

// writeMembers writes an object, or an array if open is [.
func writeMembers(w io.Writer, open []byte, list []member, depth int) {
	w.Write(open)
	if open[0] == '{' {
		slices.SortStableFunc(list, func(a, b member) int { return bytes.Compare(inside(a.key), inside(b.key)) })
	}
	for i, m := range list {
		if i > 0 {
			io.WriteString(w, ",")
		}
		newline(w, depth+1)
		if m.key != nil {
			w.Write(m.key)
			io.WriteString(w, ": ")
		}
		writeSorted(w, m.value, depth+1)
	}
	if len(list) > 0 {
		newline(w, depth)
	}
	w.Write([]byte{open[0] + 2}) // ] and } stand two behind [ and {
}

// inside is a string without its quotes.
func inside(s []byte) []byte { return s[1 : len(s)-1] }

func newline(w io.Writer, depth int) {
	io.WriteString(w, "\n")
	for range depth {
		io.WriteString(w, "  ")
	}
}
