package manifest

import (
	"bytes"
	"fmt"
)

// maxDepth is how deep collections may lie inside each other.
const maxDepth = 200

// scanner follows the lines of a document.
type scanner struct {
	text []byte // up to the end of the document
	bol  int    // where the line begins that comes next
	done int    // where the last line with content ends that was read
	at   int    // its first character that is neither blank nor a comment; set by next
	col  int    // the column of that

	depth   int
	version bool   // there is an apiVersion
	kind    bool   // there is a kind
	keeps   bool   // there is a block scalar to whose value blank lines behind it belong
	cuts    []span // in any order; none overlaps another
}

func (s *scanner) fail(at int, format string, args ...any) error {
	line := 1 + bytes.Count(s.text[:at], []byte("\n"))
	return fmt.Errorf("line %d: "+format, append([]any{line}, args...)...)
}

// document reads all of a document, and says whether it is a manifest.
func (s *scanner) document(fields []string) (bool, error) {
	root := node{fields: fields, elements: nil, root: true}
	if p := s.blanks(s.bol); !s.ends(p) && s.text[p] != '{' && s.bol >= 3 && marker(s.text[s.bol-3:]) {
		return false, s.fail(p, "a document that begins behind ---")
	}
	more, err := s.next()
	if !more || err != nil {
		return false, err
	}
	if _, err := s.block(-1, root); err != nil {
		return false, err
	}
	if more, err := s.next(); more || err != nil {
		return false, s.orUnexpected(err)
	}
	if err := s.aliased(); err != nil {
		return false, err
	}
	return s.version && s.kind, nil
}

func (s *scanner) orUnexpected(err error) error {
	if err == nil {
		err = s.fail(s.at, "not understood")
	}
	return err
}

// next goes to the line with the next content. The one before it has been read.
func (s *scanner) next() (bool, error) {
	for s.bol < len(s.text) {
		s.at = s.blanks(s.bol)
		if !s.ends(s.at) {
			s.col = s.at - s.bol
			if bytes.IndexByte(s.text[s.bol:s.at], '\t') >= 0 {
				return false, s.fail(s.at, "a tab before content")
			}
			return true, nil
		}
		s.bol = lineEnd(s.text, s.at)
	}
	return false, nil
}

// blanks is where the blanks end that begin at p.
func (s *scanner) blanks(p int) int {
	for p < len(s.text) && space(s.text[p]) {
		p++
	}
	return p
}

// ends says whether a line has no more content at p, which is behind blanks or
// at its beginning: but a comment.
func (s *scanner) ends(p int) bool { return eol(s.text[p:]) || s.text[p] == '#' }

// indicator says whether c at p is an indicator: a blank or the end of the line
// follows.
func (s *scanner) indicator(p int, c byte) bool {
	return p < len(s.text) && s.text[p] == c && (eol(s.text[p+1:]) || space(s.text[p+1]))
}

// finish leaves a line of which all content up to p was read.
func (s *scanner) finish(p int) error {
	q := s.blanks(p)
	if !eol(s.text[q:]) && (q == p || s.text[q] != '#') {
		return s.fail(p, "not understood: %.20q", s.text[p:])
	}
	s.read(q)
	return nil
}

// read leaves the line of p.
func (s *scanner) read(p int) {
	s.bol = lineEnd(s.text, p)
	s.done = s.bol
}

// deeper counts collections inside each other; the result counts back.
func (s *scanner) deeper(at int) (up func(), err error) {
	if s.depth++; s.depth > maxDepth {
		return nil, s.fail(at, "more than %d collections inside each other", maxDepth)
	}
	return func() { s.depth-- }, nil
}

// isKey notes the keys that make a document a manifest.
func (s *scanner) isKey(n node, key []byte) {
	if n.root {
		s.version = s.version || string(key) == "apiVersion"
		s.kind = s.kind || string(key) == "kind"
	}
}

// aliased is an error if what is left refers to what is cut.
func (s *scanner) aliased() error {
	if !bytes.ContainsRune(s.text, '*') {
		return nil
	}
	for _, c := range s.cuts {
		for p := c.begin; p < c.end; p++ {
			if s.text[p] != '&' {
				continue
			}
			end := p + 1
			for end < c.end && !eol(s.text[end:]) && !bytes.ContainsRune([]byte(" \t,[]{}"), rune(s.text[end])) {
				end++
			}
			if end > p+1 && bytes.Contains(s.text, append([]byte{'*'}, s.text[p+1:end]...)) {
				return s.fail(p, "%s may be referred to from elsewhere", s.text[p:end])
			}
		}
	}
	return nil
}
