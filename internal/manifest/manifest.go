// Package manifest cuts fields out of the text of Kubernetes manifests: YAML or
// JSON, one document or several, single objects or lists. What is left is byte
// for byte as it was: comments, order, quotes, indentation.
//
// Nothing is decoded. A scanner follows the lines of a text as far as YAML
// needs it to know where each value ends, and the lines of a value are cut.
// What it does not know for sure (complex keys, anchors on keys, other line
// breaks than LF and CRLF) is an error; then nothing is cut.
package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrNone is the error for a text without manifests.
var ErrNone = errors.New("no manifest: it has no apiVersion and kind")

// Cut leaves out fields of the manifests in a text, which it writes over, and
// returns what is left. A field is a path whose names are parted by dots; a name
// may have dots itself. Below lists it is a field of each element, and each
// element of the items of a manifest is one, too. A mapping that would be left
// empty is cut with its key. Documents that are no manifests stay as they are.
//
// If there is an error, the text is unchanged.
func Cut(text []byte, fields []string) ([]byte, error) {
	if err := plausible(text); err != nil {
		return text, err
	}
	var cuts []span
	some := false
	for d := range documents(text) {
		s := &scanner{text: text[:d.end], bol: d.begin}
		is, err := s.document(fields)
		if err != nil {
			return text, err
		}
		if is {
			some = true
			cuts = append(cuts, s.cuts...)
		}
	}
	if !some {
		return text, ErrNone
	}
	return without(text, cuts), nil
}

// plausible says why a text cannot be YAML whose lines end in LF.
func plausible(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("no UTF-8")
	}
	for i, r := range string(text) {
		switch {
		case r == '\r' && i+1 < len(text) && text[i+1] == '\n', r == '\t', r == '\n':
		case r < ' ', r == 0x7f, r == 0x85, r == 0x2028, r == 0x2029:
			return fmt.Errorf("byte %d: the character %U", i+1, r)
		}
	}
	return nil
}

// span is bytes from begin up to end.
type span struct{ begin, end int }

// documents are the documents of a stream: what lies between lines that begin
// with --- or ..., and what follows that on such a line.
func documents(text []byte) func(yield func(span) bool) {
	return func(yield func(span) bool) {
		d := span{begin: len(text) - len(bytes.TrimPrefix(text, []byte("\ufeff")))}
		for at := d.begin; at < len(text); at = lineEnd(text, at) {
			if !marker(text[at:]) {
				continue
			}
			if d.end = at; !yield(d) {
				return
			}
			d.begin = at + len("---")
		}
		d.end = len(text)
		yield(d)
	}
}

// marker says whether a line begins or ends a document.
func marker(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("---")) && !bytes.HasPrefix(line, []byte("...")) {
		return false
	}
	return len(line) == 3 || space(line[3]) || eol(line[3:])
}

// lineEnd is where the line after that of at begins.
func lineEnd(text []byte, at int) int {
	if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
		return at + n + 1
	}
	return len(text)
}

func space(c byte) bool { return c == ' ' || c == '\t' }

// eol says whether a line ends here.
func eol(rest []byte) bool {
	return len(rest) == 0 || rest[0] == '\n' || rest[0] == '\r'
}

// without cuts spans out of a text, in place.
func without(text []byte, cuts []span) []byte {
	slices.SortFunc(cuts, func(a, b span) int { return a.begin - b.begin })
	out, at := text[:0], 0
	for _, c := range cuts {
		out = append(out, text[at:c.begin]...)
		at = c.end
	}
	return append(out, text[at:]...)
}

// node is what is to be cut inside of a value.
type node struct {
	fields   []string // if it is a mapping
	elements []string // of each element, if it is a list
	root     bool     // it is a document
}

// in says what is to be cut inside of the value of a key, or whether it is to be
// cut itself.
func (n node) in(key []byte) (value node, cut bool) {
	for _, f := range n.fields {
		switch {
		case f == string(key):
			cut = true
		case len(f) > len(key) && f[len(key)] == '.' && strings.HasPrefix(f, string(key)):
			value.fields = append(value.fields, f[len(key)+1:])
		}
	}
	value.elements = value.fields
	if n.root && string(key) == "items" {
		value.elements = append(slices.Clone(value.fields), n.fields...)
	}
	return value, cut
}

// element is what is to be cut inside of an element of a list.
func (n node) element() node { return node{fields: n.elements, elements: n.elements} }

// watched says whether anything may be cut.
func (n node) watched() bool { return n.root || len(n.fields) > 0 }
