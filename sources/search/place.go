package search

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"sluice/pipeline"
)

// place is a place in a lane: in a context, or among sequence numbers.
type place struct {
	count int64  // records before it; among sequence numbers: that this run has read
	after []byte // in a context: the JSON of the last one's sort values; none in a scroll

	bySeq bool
	seq   int64 // all hits up to this number were given
	next  int64 // a number of which some were given: those that are tied
	tied  ids
}

// numbered is how positions among sequence numbers begin.
const numbered = "seq "

// position makes a position of the place: "120 [4711]" or, among sequence
// numbers, "seq 4711" or `seq 4711 4712 "id"`.
func (p place) position() pipeline.Position {
	var room [96]byte
	b := room[:0]
	if !p.bySeq {
		b = append(strconv.AppendInt(b, p.count, 10), ' ')
		return pipeline.Position{Token: string(append(b, p.after...))}
	}
	b = strconv.AppendInt(append(b, numbered...), p.seq, 10)
	if p.tied.n > 0 {
		b = strconv.AppendInt(append(b, ' '), p.next, 10)
		b = append(append(b, ' '), p.tied.list...)
	}
	return pipeline.Position{Token: string(b)}
}

// parse reads what position wrote.
func parse(pos pipeline.Position) (p place, err error) {
	if pos == (pipeline.Position{}) {
		return p, nil
	}
	token, numbers := strings.CutPrefix(pos.Token, numbered)
	first, rest, _ := strings.Cut(token, " ")
	n, err := strconv.ParseInt(first, 10, 64)
	if err == nil && numbers && rest != "" {
		next, tied, _ := strings.Cut(rest, " ")
		p.next, err = strconv.ParseInt(next, 10, 64)
		p.tied = parseIDs(tied)
	}
	if err != nil {
		return p, fmt.Errorf("position %q: %w", pos.Token, err)
	}
	if p.bySeq = numbers; numbers {
		p.seq = n
		return p, nil
	}
	p.count, p.after = n, []byte(rest)
	return p, nil
}

// number moves to a hit: all of the numbers before its own were given, because
// hits come in the order of their numbers.
func (p *place) number(n int64, id []byte) {
	if p.tied.n > 0 && n > p.next {
		p.pass(p.next)
	}
	p.next = n
	p.tied.add(id)
}

// pass moves to the end of a number.
func (p *place) pass(n int64) {
	p.seq, p.next = n, n
	p.tied.list, p.tied.n = p.tied.list[:0], 0
}

// ids is a list of _ids as they stand in JSON, with commas. After a shrink, a
// number can have as many as there were shards; else it has one.
type ids struct {
	list []byte
	n    int
}

func (s *ids) add(id []byte) {
	if s.n > 0 {
		s.list = append(s.list, ',')
	}
	s.list = append(s.list, id...)
	s.n++
}

func (s *ids) has(id []byte) bool {
	for rest := s.list; len(rest) > 0; {
		end := text(rest, 0)
		if bytes.Equal(rest[:end], id) {
			return true
		}
		rest = bytes.TrimPrefix(rest[end:], []byte(","))
	}
	return false
}

func parseIDs(list string) (s ids) {
	for rest := []byte(list); len(rest) > 0; {
		end := text(rest, 0)
		if end < 0 {
			return s
		}
		s.add(rest[:end])
		rest = bytes.TrimPrefix(rest[end:], []byte(","))
	}
	return s
}
