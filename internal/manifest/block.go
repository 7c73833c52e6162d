package manifest

import "bytes"

// block reads the block node at s.at; parent is the column of the collection
// that it is in. It says whether nothing would be left of it.
func (s *scanner) block(parent int, n node) (emptied bool, err error) {
	if s.indicator(s.at, '-') {
		return false, s.sequence(n)
	}
	_, _, ok, err := s.key(s.at)
	if err != nil {
		return false, err
	}
	if ok {
		return s.mapping(n, false)
	}
	return s.value(s.at, parent, n)
}

// mapping reads the block mapping whose first key is at s.at. If it is compact,
// that stands behind the dash of a list.
func (s *scanner) mapping(n node, compact bool) (emptied bool, err error) {
	up, err := s.deeper(s.at)
	if err != nil {
		return false, err
	}
	defer up()
	col, mark, lead := s.col, len(s.cuts), -1
	for emptied = true; ; {
		at, bol := s.at, s.bol
		gone, err := s.entry(n)
		switch {
		case err != nil:
			return false, err
		case gone && compact && emptied: // the first that stays moves to the dash
			if lead < 0 {
				lead = at
			}
		case gone:
			s.cuts = append(s.cuts, span{bol, s.trail(col)})
		case lead >= 0:
			s.cuts = append(s.cuts, span{lead, at})
			lead = -1
		}
		emptied = emptied && gone
		more, err := s.next()
		if err != nil {
			return false, err
		}
		if !more || s.col < col {
			break
		}
		if s.col > col {
			return false, s.fail(s.at, "not understood")
		}
	}
	if emptied {
		s.cuts = s.cuts[:mark]
	}
	return emptied, nil
}

// entry reads the key at s.at and its value, and says whether they go.
func (s *scanner) entry(n node) (gone bool, err error) {
	mark, col := len(s.cuts), s.col
	key, p, ok, err := s.key(s.at)
	switch {
	case err != nil:
		return false, err
	case !ok:
		return false, s.fail(s.at, "a key is expected")
	case n.watched() && bytes.ContainsAny(key, `\'`):
		return false, s.fail(s.at, "a key with escapes")
	}
	s.isKey(n, key)
	value, cut := n.in(key)
	p = s.properties(p)
	var emptied bool
	if s.ends(s.blanks(p)) {
		emptied, err = s.below(p, col, true, value)
	} else {
		emptied, err = s.value(p, col, value)
	}
	if gone = cut || emptied; gone {
		s.cuts = s.cuts[:mark]
	}
	return gone, err
}

// below reads the value of a key or a dash whose line has no more content than
// what is before p, if there is a value. A list may begin in the column of its key.
func (s *scanner) below(p, col int, key bool, n node) (emptied bool, err error) {
	if err := s.finish(p); err != nil {
		return false, err
	}
	more, err := s.next()
	if err != nil || !more {
		return false, err
	}
	if s.col > col || key && s.col == col && s.indicator(s.at, '-') {
		return s.block(col, n)
	}
	return false, nil
}

// sequence reads the block list whose first dash is at s.at.
func (s *scanner) sequence(n node) error {
	up, err := s.deeper(s.at)
	if err != nil {
		return err
	}
	defer up()
	for col := s.col; ; {
		at := s.at
		emptied, err := s.element(n.element())
		if err != nil {
			return err
		}
		if emptied {
			return s.fail(at, "nothing would be left of an element")
		}
		more, err := s.next()
		if err != nil {
			return err
		}
		if !more || s.col < col || s.col == col && !s.indicator(s.at, '-') {
			return nil
		}
		if s.col > col {
			return s.fail(s.at, "not understood")
		}
	}
}

// element reads what is behind the dash at s.at.
func (s *scanner) element(n node) (emptied bool, err error) {
	col, dash := s.col, s.at
	p := s.blanks(dash + 1)
	if s.ends(p) {
		return s.below(dash+1, col, false, n)
	}
	list, mapping := s.indicator(p, '-'), false
	if !list {
		if _, _, mapping, err = s.key(p); err != nil {
			return false, err
		}
	}
	if !list && !mapping {
		if p = s.properties(p); s.ends(s.blanks(p)) {
			return s.below(p, col, false, n)
		}
		return s.value(p, col, n)
	}
	if bytes.IndexByte(s.text[dash:p], '\t') >= 0 {
		return false, s.fail(p, "a tab before content")
	}
	s.at, s.col = p, p-s.bol
	if list {
		return false, s.sequence(n)
	}
	return s.mapping(n, true)
}

// trail is where a cut ends behind the lines that were read last, which were in
// the mapping at a column: what the value of a scalar before the cut
// could take for its own goes with them, that is comments and blanks further to
// the right. Empty lines stay where they mean nothing.
func (s *scanner) trail(col int) int {
	end := s.done
	for at := end; at < len(s.text); {
		p := s.blanks(at)
		next := lineEnd(s.text, p)
		switch {
		case eol(s.text[p:]):
			if p > at || s.keeps {
				end = next
			}
		case s.text[p] == '#' && p-at > col:
			end = next
		default:
			return end
		}
		at = next
	}
	return end
}
