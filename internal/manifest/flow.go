package manifest

import "bytes"

// flow reads the flow collection at p, which JSON is, too. It returns where it
// ends, and whether nothing would be left of it.
func (s *scanner) flow(p int, n node) (end int, emptied bool, err error) {
	up, err := s.deeper(p)
	if err != nil {
		return 0, false, err
	}
	defer up()
	if s.text[p] == '{' {
		return s.flowMapping(p+1, n)
	}
	end, err = s.flowList(p+1, n.element())
	return end, false, err
}

// gap is where the blanks, line breaks and comments end that begin at p.
func (s *scanner) gap(p int) int {
	for p < len(s.text) {
		switch c := s.text[p]; {
		case space(c), c == '\n', c == '\r':
			p++
		case c == '#' && (space(s.text[p-1]) || s.text[p-1] == '\n'):
			p = lineEnd(s.text, p)
		default:
			return p
		}
	}
	return p
}

// separated is where the next member or element begins, behind the comma after
// the one that ended at p; last: there is none, and the collection ends there.
func (s *scanner) separated(p int, close byte) (next int, last bool, err error) {
	p = s.gap(p)
	if p < len(s.text) && s.text[p] == ',' {
		p = s.gap(p + 1)
		return p, p < len(s.text) && s.text[p] == close, nil
	}
	if p < len(s.text) && s.text[p] == close {
		return p, true, nil
	}
	return 0, false, s.fail(min(p, len(s.text)), "a flow collection without an end")
}

// flowMapping reads what is behind {.
func (s *scanner) flowMapping(p int, n node) (end int, emptied bool, err error) {
	if p = s.gap(p); p < len(s.text) && s.text[p] == '}' {
		return p + 1, false, nil
	}
	mark, kept, gone := len(s.cuts), -1, -1 // where the last member ends that stays; where those begin that go
	for last := false; ; {
		begin := p
		end, out, err := s.member(p, n)
		if err == nil {
			p, last, err = s.separated(end, '}')
		}
		switch {
		case err != nil:
			return 0, false, err
		case out && gone < 0:
			gone = begin
		case !out && gone >= 0:
			s.cuts = append(s.cuts, span{gone, begin})
			gone = -1
		}
		if !out {
			kept = end
		}
		if !last {
			continue
		}
		switch {
		case kept < 0:
			s.cuts = s.cuts[:mark]
		case gone >= 0:
			s.cuts = append(s.cuts, span{kept, end})
		}
		return p + 1, kept < 0, nil
	}
}

// member reads a key and its value, and says whether they go.
func (s *scanner) member(p int, n node) (end int, gone bool, err error) {
	mark := len(s.cuts)
	end, key, err := s.token(p)
	if err != nil {
		return 0, false, err
	}
	if n.watched() && (key == nil || bytes.ContainsAny(key, `\'`)) {
		return 0, false, s.fail(p, "a key with escapes, or none")
	}
	s.isKey(n, key)
	value, cut := n.in(key)
	q := s.gap(end)
	if q >= len(s.text) || s.text[q] != ':' {
		return end, cut, nil
	}
	q = s.gap(q + 1)
	var emptied bool
	if q < len(s.text) && (s.text[q] == ',' || s.text[q] == '}') {
		end = q
	} else {
		end, emptied, err = s.flowNode(q, value)
	}
	if gone = cut || emptied; gone {
		s.cuts = s.cuts[:mark]
	}
	return end, gone, err
}

// flowList reads what is behind [.
func (s *scanner) flowList(p int, n node) (end int, err error) {
	if p = s.gap(p); p < len(s.text) && s.text[p] == ']' {
		return p + 1, nil
	}
	for last := false; !last; {
		end, emptied, err := s.flowNode(p, n)
		if err == nil && emptied {
			err = s.fail(p, "nothing would be left of an element")
		}
		if q := s.gap(end); err == nil && q < len(s.text) && s.text[q] == ':' { // a mapping of one member
			err = s.fail(q, "a key without a mapping")
		}
		if err == nil {
			p, last, err = s.separated(end, ']')
		}
		if err != nil {
			return 0, err
		}
	}
	return p + 1, nil
}

// flowNode reads a value inside of a flow collection.
func (s *scanner) flowNode(p int, n node) (end int, emptied bool, err error) {
	for p < len(s.text) && (s.text[p] == '&' || s.text[p] == '!') {
		for p < len(s.text) && !space(s.text[p]) && bytes.IndexByte([]byte("\r\n,[]{}"), s.text[p]) < 0 {
			p++
		}
		p = s.gap(p)
	}
	if p < len(s.text) && (s.text[p] == '{' || s.text[p] == '[') {
		return s.flow(p, n)
	}
	end, _, err = s.token(p)
	return end, false, err
}

// token reads a scalar inside of a flow collection. Its text is nil if it is
// not on one line.
func (s *scanner) token(p int) (end int, text []byte, err error) {
	switch {
	case p >= len(s.text):
		return 0, nil, s.fail(len(s.text), "a flow collection without an end")
	case s.text[p] == '"', s.text[p] == '\'':
		if end = s.quoted(p); end < 0 {
			return 0, nil, s.fail(p, "a quote without an end")
		}
		text = s.text[p+1 : end-1]
	case s.indicator(p, '-'), s.indicator(p, '?'), bytes.IndexByte([]byte("{}[],:&!|>%@`#"), s.text[p]) >= 0:
		return 0, nil, s.fail(p, "not understood: %.20q", s.text[p:])
	default:
		if end = s.flowPlain(p); end < 0 {
			return 0, nil, s.fail(p, "not understood: %.20q", s.text[p:])
		}
		text = s.text[p:end]
	}
	if bytes.IndexByte(text, '\n') >= 0 {
		text = nil
	}
	return end, text, nil
}

// flowPlain is where the plain scalar at p ends, -1 if parsers disagree.
func (s *scanner) flowPlain(p int) int {
	end := p
	for ; p < len(s.text); p++ {
		c := s.text[p]
		switch {
		case c == ':' && p+1 < len(s.text) && bytes.IndexByte([]byte(",[]{}?"), s.text[p+1]) >= 0:
			return -1
		case bytes.IndexByte([]byte(",[]{}"), c) >= 0, s.indicator(p, ':'), c == '#' && (space(s.text[p-1]) || s.text[p-1] == '\n'):
			return end
		case !space(c) && c != '\n' && c != '\r':
			end = p + 1
		}
	}
	return end
}
