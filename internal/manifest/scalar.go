package manifest

import "bytes"

// key looks for a key at p, and gives it without quotes, and what is behind its
// colon.
func (s *scanner) key(p int) (key []byte, after int, ok bool, err error) {
	switch c := s.text[p]; {
	case s.indicator(p, '?'):
		return nil, 0, false, s.fail(p, "a complex key")
	case s.indicator(p, '-'):
		return nil, 0, false, s.fail(p, "a key is expected")
	case c == '"' || c == '\'':
		return s.quotedKey(p)
	case bytes.IndexByte([]byte("{}[],&*!|>%@`"), c) >= 0:
		return nil, 0, false, nil // a value, if anything
	}
	for q := p; q < len(s.text) && !eol(s.text[q:]); q++ {
		switch {
		case s.indicator(q, ':'):
			key = bytes.TrimRight(s.text[p:q], " \t")
			if len(key) == 0 {
				return nil, 0, false, s.fail(p, "a key that is empty")
			}
			return key, q + 1, true, nil
		case s.text[q] == '#' && q > p && space(s.text[q-1]):
			return nil, 0, false, nil
		}
	}
	return nil, 0, false, nil
}

func (s *scanner) quotedKey(p int) (key []byte, after int, ok bool, err error) {
	end := s.quoted(p)
	if end < 0 || bytes.IndexByte(s.text[p:end], '\n') >= 0 {
		return nil, 0, false, nil
	}
	q := s.blanks(end)
	if !s.indicator(q, ':') {
		return nil, 0, false, nil
	}
	return s.text[p+1 : end-1], q + 1, true, nil
}

// quoted is where the quoted scalar at p ends, -1 if it does not.
func (s *scanner) quoted(p int) int {
	quote := s.text[p]
	for p++; p < len(s.text); p++ {
		switch c := s.text[p]; {
		case c == '\\' && quote == '"':
			p++
		case c != quote:
		case quote == '\'' && p+1 < len(s.text) && s.text[p+1] == '\'':
			p++
		default:
			return p + 1
		}
	}
	return -1
}

// properties is what comes behind the anchor and the tag at p, if there are any.
func (s *scanner) properties(p int) int {
	for {
		q := s.blanks(p)
		if q >= len(s.text) || s.text[q] != '&' && s.text[q] != '!' {
			return p
		}
		p = s.word(q)
	}
}

// word is where the word at p ends.
func (s *scanner) word(p int) int {
	for p < len(s.text) && !eol(s.text[p:]) && !space(s.text[p]) {
		p++
	}
	return p
}

// value reads a value that begins at p in this line and is no block collection;
// parent is the column of the collection that it is in.
func (s *scanner) value(p, parent int, n node) (emptied bool, err error) {
	p = s.blanks(s.properties(p))
	if s.ends(p) {
		return s.below(p, parent, false, n)
	}
	end := -1
	switch c := s.text[p]; c {
	case '{', '[':
		end, emptied, err = s.flow(p, n)
	case '"', '\'':
		if end = s.quoted(p); end < 0 {
			err = s.fail(p, "a quote without an end")
		}
	case '*':
		end = s.word(p)
	case '|', '>':
		return false, s.literal(p, parent)
	default:
		return false, s.plain(p, parent)
	}
	if err != nil {
		return false, err
	}
	return emptied, s.finish(end)
}

// literal reads the block scalar at p: all lines that are further to the right
// than the collection that it is in.
func (s *scanner) literal(p, parent int) error {
	end := s.word(p)
	head := s.text[p+1 : end]
	if len(head) > 2 || len(bytes.Trim(head, "+-123456789")) > 0 {
		return s.fail(p, "not understood: %.20q", s.text[p:end])
	}
	s.keeps = s.keeps || bytes.IndexByte(head, '+') >= 0
	if err := s.finish(end); err != nil {
		return err
	}
	for at := s.bol; at < len(s.text); {
		p, next := s.indent(at), lineEnd(s.text, at)
		switch {
		case eol(s.text[p:]):
		case p-at <= parent:
			return nil
		default:
			s.read(p)
		}
		at = next
	}
	return nil
}

// indent is where the spaces at the beginning of a line end.
func (s *scanner) indent(at int) int {
	for at < len(s.text) && s.text[at] == ' ' {
		at++
	}
	return at
}

// plain reads the plain scalar at p, with the lines it goes on in: those further
// to the right than the collection that it is in, up to a comment.
func (s *scanner) plain(p, parent int) error {
	if s.indicator(p, '-') || s.indicator(p, '?') || s.indicator(p, ':') || bytes.IndexByte([]byte("]},%@`"), s.text[p]) >= 0 {
		return s.fail(p, "not understood: %.20q", s.text[p:])
	}
	for {
		end, comment, err := s.plainLine(p)
		if err != nil {
			return err
		}
		s.read(end)
		if comment {
			return nil
		}
		at := s.bol
		for at < len(s.text) && eol(s.text[s.blanks(at):]) {
			at = lineEnd(s.text, at)
		}
		p = s.blanks(at)
		if at >= len(s.text) || s.indent(at)-at <= parent || s.text[p] == '#' {
			return nil
		}
	}
}

// plainLine reads a line of a plain scalar, and says whether a comment ends it.
func (s *scanner) plainLine(p int) (end int, comment bool, err error) {
	for q := p; ; q++ {
		switch {
		case eol(s.text[q:]):
			return q, false, nil
		case s.indicator(q, ':'):
			return 0, false, s.fail(q, "a key inside of a value")
		case s.text[q] == '#' && space(s.text[q-1]):
			return q, true, nil
		}
	}
}
