package objects

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"unicode/utf8"
)

// errUnusual is XML that the scanner leaves to encoding/xml.
var errUnusual = errors.New("unusual XML")

// scanner gives the tokens of XML as stores write it: elements, text and
// references to characters. What it gives lies in the document where possible.
type scanner struct {
	rest []byte
	open []opened // elements
	end  []byte   // of an element without content, to be given next
	made []byte   // text that does not lie in the document
}

// opened is the name of an element, with its prefix and without.
type opened struct{ name, local []byte }

// next implements tokens. All that can be wrong with the parts that it gives is
// an error; other parts it passes to encoding/xml.
func (s *scanner) next() (tokenKind, []byte, error) {
	if s.end != nil {
		name := s.end
		s.end = nil
		return end, name, nil
	}
	for {
		i := bytes.IndexByte(s.rest, '<')
		switch {
		case i < 0 && len(s.open) == 0 && blank(s.rest):
			return 0, nil, io.EOF
		case i < 0 && len(s.open) == 0:
			return 0, nil, errUnusual
		case i < 0:
			return 0, nil, io.ErrUnexpectedEOF
		case i > 0:
			raw := s.rest[:i]
			s.rest = s.rest[i:]
			if len(s.open) == 0 && !blank(raw) {
				return 0, nil, errUnusual
			}
			if len(s.open) == 0 {
				continue
			}
			data, err := s.characters(raw)
			return text, data, err
		}
		j := bytes.IndexByte(s.rest, '>')
		if j < 0 {
			return 0, nil, io.ErrUnexpectedEOF
		}
		tag := s.rest[1:j]
		if len(tag) == 0 {
			return 0, nil, errUnusual
		}
		s.rest = s.rest[j+1:]
		switch tag[0] {
		case '?':
			if !declared(tag) {
				return 0, nil, errUnusual
			}
			continue
		case '/':
			return s.close(tag[1:])
		}
		return s.begin(tag)
	}
}

// begin opens an element.
func (s *scanner) begin(tag []byte) (tokenKind, []byte, error) {
	name := tag
	if k := nameEnd(tag); k < len(tag) {
		name = tag[:k]
		rest := tag[k:]
		if rest[len(rest)-1] == '/' {
			s.end = local(name)
			rest = rest[:len(rest)-1]
		}
		if !attributes(rest) {
			return 0, nil, errUnusual
		}
	}
	short := local(name)
	if len(name) == 0 || short == nil {
		return 0, nil, errUnusual
	}
	if s.end == nil {
		s.open = append(s.open, opened{name, short})
	}
	return begin, short, nil
}

// close closes an element, which must be the last that was opened.
func (s *scanner) close(name []byte) (tokenKind, []byte, error) {
	n := len(s.open) - 1
	if n < 0 || !bytes.Equal(name, s.open[n].name) {
		return 0, nil, errUnusual // perhaps a blank behind the name; perhaps an error
	}
	short := s.open[n].local
	s.open = s.open[:n]
	return end, short, nil
}

// nameEnd is where a name of letters and digits ends.
func nameEnd(tag []byte) int {
	for i, b := range tag {
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || b == ':' || i > 0 && '0' <= b && b <= '9') {
			return i
		}
	}
	return len(tag)
}

// local is a name without its prefix; nil: it has none, or more than one.
func local(name []byte) []byte {
	i := bytes.IndexByte(name, ':')
	if i < 0 {
		return name
	}
	rest := name[i+1:]
	if i == 0 || len(rest) == 0 || bytes.IndexByte(rest, ':') >= 0 || '0' <= rest[0] && rest[0] <= '9' {
		return nil
	}
	return rest
}

// attributes says whether there are none, or plain ones, whose values we do not
// need.
func attributes(b []byte) bool {
	for {
		trimmed := bytes.TrimLeft(b, " \t\r\n")
		if len(trimmed) == 0 {
			return true
		}
		k := nameEnd(trimmed)
		if len(trimmed) == len(b) || k == 0 || local(trimmed[:k]) == nil {
			return false
		}
		rest := trimmed[k:]
		if len(rest) < 2 || rest[0] != '=' || rest[1] != '"' {
			return false
		}
		q := bytes.IndexByte(rest[2:], '"')
		if q < 0 || !plainText(rest[2:2+q]) {
			return false
		}
		b = rest[q+3:]
	}
}

// plainText says whether text stands for itself and is valid.
func plainText(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' || c == '&' || c == '<' {
			return false
		}
	}
	return true
}

// characters gives what text stands for.
func (s *scanner) characters(raw []byte) ([]byte, error) {
	var seen byte
	for _, c := range raw {
		seen |= kinds[c]
	}
	if seen == 0 {
		return raw, nil
	}
	if seen&forbidden != 0 || bytes.Contains(raw, []byte("]]>")) {
		return nil, errUnusual
	}
	ascii, references := seen&multibyte == 0, seen&reference != 0
	if !ascii && (!utf8.Valid(raw) || bytes.Contains(raw, []byte("\uFFFE")) || bytes.Contains(raw, []byte("\uFFFF"))) {
		return nil, errUnusual
	}
	if !references {
		return raw, nil
	}
	return s.dereference(raw)
}

// Kinds of bytes in text that do not just stand for themselves.
const (
	multibyte = 1 << iota
	reference
	forbidden
	bracket
)

var kinds = func() (t [256]byte) {
	for c := range t {
		switch {
		case c >= utf8.RuneSelf:
			t[c] = multibyte
		case c == '&':
			t[c] = reference
		case c == ']':
			t[c] = bracket
		case c < ' ' && c != '\t' && c != '\n':
			t[c] = forbidden
		}
	}
	return t
}()

// dereference puts characters into the places of references to them.
func (s *scanner) dereference(raw []byte) ([]byte, error) {
	n := len(s.made)
	for {
		i := bytes.IndexByte(raw, '&')
		if i < 0 {
			s.made = append(s.made, raw...)
			return s.made[n:], nil
		}
		j := bytes.IndexByte(raw[i:], ';')
		if j < 0 {
			return nil, errUnusual
		}
		r, ok := named[string(raw[i+1:i+j])]
		if !ok {
			return nil, errUnusual // a number, perhaps
		}
		s.made = append(append(s.made, raw[:i]...), r)
		raw = raw[i+j+1:]
	}
}

// named are the references that stores make, most of them around ETags.
var named = map[string]byte{"quot": '"', "amp": '&', "lt": '<', "gt": '>', "apos": '\'', "#34": '"', "#38": '&', "#39": '\'', "#60": '<', "#62": '>', "#x22": '"', "#xD": '\r', "#xA": '\n', "#x9": '\t'}

func blank(b []byte) bool { return len(bytes.TrimLeft(b, " \t\r\n")) == 0 }

// declared says whether the declaration of a document is a usual one.
func declared(tag []byte) bool {
	switch string(bytes.ToLower(tag)) {
	case `?xml version="1.0" encoding="utf-8"?`, `?xml version="1.0" encoding="utf-8" ?`, `?xml version="1.0"?`, `?xml version="1.0" encoding="utf-8" standalone="yes"?`:
		return true
	}
	return false
}

// decoder gives the tokens of any XML.
type decoder struct{ *xml.Decoder }

// next implements tokens.
func (d *decoder) next() (tokenKind, []byte, error) {
	for {
		t, err := d.Token()
		if err != nil {
			return 0, nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return begin, []byte(t.Name.Local), nil
		case xml.EndElement:
			return end, []byte(t.Name.Local), nil
		case xml.CharData:
			return text, bytes.Clone(t), nil
		}
	}
}
