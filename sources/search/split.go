package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	cluster "sluice/internal/search"
)

// splitBuffer is what is read ahead. All of a hit but its source fits into it.
const splitBuffer = 256 << 10

// splitter cuts a reply into its hits while it arrives. It holds no more than
// its buffer: the source of a hit that does not fit is passed on in parts.
type splitter struct {
	in    io.Reader
	long  longFunc
	buf   []byte
	r, w  int // buf[r:w] was read and not yet given
	hit   hit // the last one given
	given bool
	bytes int64 // of the reply, so far
}

// longFunc takes the next part of the source of a hit whose end has not come;
// raw is its beginning. Both are valid during the call.
type longFunc func(h *hit, raw, part []byte) error

func newSplitter() *splitter { return &splitter{buf: make([]byte, splitBuffer)} }

// reset begins another reply.
func (s *splitter) reset(in io.Reader, long longFunc) {
	s.in, s.long, s.r, s.w, s.given, s.bytes = in, long, 0, 0, false, 0
}

// errCut is a reply that ends in its middle.
var errCut = cluster.Again("cut body", io.ErrUnexpectedEOF)

// errJSON is a reply that cannot be told apart from noise on the line.
func errJSON(what string) error {
	return cluster.Again("malformed reply", errors.New("malformed reply: "+what))
}

// fill reads more behind what is in the buffer, which has room when it is moved
// to its front. Slices of it move.
func (s *splitter) fill() error {
	if s.w == len(s.buf) {
		s.r, s.w = 0, copy(s.buf, s.buf[s.r:s.w])
	}
	if s.w == len(s.buf) {
		return errJSON("too much beside the sources of hits")
	}
	n, err := s.in.Read(s.buf[s.w:])
	s.w += n
	s.bytes += int64(n)
	switch {
	case n > 0:
		return nil
	case err == io.EOF:
		return errCut
	}
	return err
}

// next gives the next hit; it and its bytes are valid until the call after. At
// the end of the reply, which it makes sure of, ok is false.
func (s *splitter) next() (ok bool, err error) {
	c, err := s.token()
	if err == nil && c == ',' && s.given {
		s.r++
		if c, err = s.token(); err == nil && c != '{' {
			err = errJSON("no hit after a comma")
		}
	} else if err == nil && c == ']' {
		s.r++
		return false, s.tail()
	} else if err == nil && (c != '{' || s.given) {
		err = errJSON("no hit in the list of hits")
	}
	if err != nil {
		return false, err
	}
	s.hit = hit{}
	for !s.hit.scan(s.buf[s.r:s.w]) {
		if err := s.more(); err != nil {
			return false, err
		}
	}
	s.r += s.hit.pos
	s.given = true
	return true, nil
}

// raw is the bytes of the last hit.
func (s *splitter) raw() []byte { return s.buf[s.r-s.hit.pos : s.r] }

// more reads on inside a hit. If the buffer is full of it, it passes on a part
// of the source.
func (s *splitter) more() error {
	raw := s.buf[s.r:s.w]
	if len(raw) < len(s.buf) {
		return s.fill()
	}
	if part, ok := s.hit.part(raw); ok {
		if err := s.long(&s.hit, raw, part.of(raw)); err != nil {
			return err
		}
		s.w = s.r + len(s.hit.take(raw, part))
	}
	return s.fill()
}

// token gives the next byte that is not blank, without taking it.
func (s *splitter) token() (byte, error) {
	for {
		for ; s.r < s.w; s.r++ {
			if c := s.buf[s.r]; !blank(c) {
				return c, nil
			}
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// tail reads what follows the list of hits, to the end of the reply.
func (s *splitter) tail() error {
	rest := hit{depth: 2} // the reply, and hits in it
	for !rest.scan(s.buf[s.r:s.w]) {
		if err := s.fill(); err != nil {
			return err
		}
	}
	s.r += rest.pos
	switch _, err := s.token(); err {
	case nil:
		return errJSON("something follows its end")
	case errCut:
		return nil // where it should end
	default:
		return err
	}
}

// head is what a reply says before its hits.
type head struct {
	PIT             string `json:"pit_id"`
	Scroll          string `json:"_scroll_id"`
	TimedOut        *bool  `json:"timed_out"`
	TerminatedEarly bool   `json:"terminated_early"`
	Shards          *struct {
		Total, Successful, Skipped, Failed int
		Failures                           []struct{ Reason struct{ Type, Reason string } }
	} `json:"_shards"`
	Hits struct {
		Total *struct {
			Value    int64
			Relation string
		}
	} `json:"-"`
}

// errEarly is a reply that lacks hits.
var errEarly = cluster.Again("timed out", errors.New("terminated_early: the reply is not complete"))

// check says whether all shards that were asked, want of them, have given all
// they have.
func (h *head) check(want int) error {
	switch s := h.Shards; {
	case s == nil || h.TimedOut == nil:
		return cluster.Again("reply order", errors.New("unexpected order of the reply: its hits come before timed_out and _shards"))
	case *h.TimedOut:
		return cluster.Again("timed out", errors.New("timed_out: the reply is not complete"))
	case h.TerminatedEarly:
		return errEarly
	case s.Failed > 0:
		why := ""
		if len(s.Failures) > 0 {
			why = ": " + s.Failures[0].Reason.Type + ": " + s.Failures[0].Reason.Reason
		}
		return cluster.Again("shard failed", fmt.Errorf("_shards: %d of %d failed%s", s.Failed, s.Total, why))
	case s.Total != want || s.Successful != want && s.Successful+s.Skipped != want:
		return cluster.Again("shard missing", fmt.Errorf("_shards: %d of %d answered, want %d that were asked", s.Successful+s.Skipped, s.Total, want))
	}
	return nil
}

// head reads on to the first hit.
func (s *splitter) head() (h head, err error) {
	for {
		n, err := h.read(s.buf[s.r:s.w])
		if err != errShort {
			s.r += n
			return h, err
		}
		if err := s.fill(); err != nil {
			return h, err
		}
	}
}

// errShort says that there is more to come.
var errShort = errors.New("short")

// read reads a reply up to and with the bracket that opens its list of hits.
func (h *head) read(b []byte) (n int, err error) {
	key, value, err := members(b, 0)
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(object(b[:key]), h); err != nil {
		return 0, errJSON(err.Error())
	}
	inner, list, err := members(b, value)
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(object(b[value:inner]), &h.Hits); err != nil {
		return 0, errJSON(err.Error())
	}
	if b[list] != '[' {
		return 0, errJSON("hits is no list")
	}
	return list + 1, nil
}

// object makes an object of its first members.
func object(b []byte) []byte {
	s := trim(b, span{0, len(b)})
	if s.to > 0 && b[s.to-1] == ',' {
		s.to--
	}
	return append(append([]byte(nil), s.of(b)...), '}')
}

// members walks over the members of the object at b[i] to the one named hits,
// and tells where its key and its value begin.
func members(b []byte, i int) (key, value int, err error) {
	if i = space(b, i); i == len(b) {
		return 0, 0, errShort
	}
	if b[i] != '{' {
		return 0, 0, errJSON("no object")
	}
	for i++; ; i++ {
		key = space(b, i)
		if i = text(b, key); i < 0 {
			return 0, 0, short(b, key, '"')
		}
		name := b[key+1 : i-1]
		if i = space(b, i); i == len(b) || b[i] != ':' {
			return 0, 0, short(b, i, ':')
		}
		if i = space(b, i+1); i == len(b) {
			return 0, 0, errShort
		}
		if string(name) == "hits" {
			return key, i, nil
		}
		if i = skip(b, i); i < 0 {
			return 0, 0, errShort
		}
		if i = space(b, i); i == len(b) || b[i] != ',' {
			return 0, 0, short(b, i, ',')
		}
	}
}

// short tells a b that ends at i or goes on after it as it should from one
// that does not.
func short(b []byte, i int, want byte) error {
	if i == len(b) || b[i] == want {
		return errShort
	}
	return errJSON(fmt.Sprintf("%q where %q should be", b[i], want))
}

func space(b []byte, i int) int {
	for i < len(b) && blank(b[i]) {
		i++
	}
	return i
}

// text gives the end of the string that begins at b[i], or -1.
func text(b []byte, i int) int {
	if i == len(b) || b[i] != '"' {
		return -1
	}
	if end := quote(b, i+1); end >= 0 {
		return end + 1
	}
	return -1
}

// skip gives the end of the value that begins at b[i], or -1.
func skip(b []byte, i int) int {
	switch b[i] {
	case '"':
		return text(b, i)
	case '{', '[':
		var v hit
		if v.scan(b[i:]) {
			return i + v.pos
		}
		return -1
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == ',' || c == '}' || c == ']' || blank(c) {
			return i
		}
	}
	return -1
}
