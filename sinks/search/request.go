package search

import (
	"bytes"
	"encoding/json"

	"sluice/pipeline"
)

// createSize is the memory for knowing a document that a request creates.
const createSize = 24

// perRecord is the least that a record is counted as: it bounds how many a
// request holds, and so the memory for saying where they lie.
const perRecord = 256

// request is the records of one bulk request.
type request struct {
	body   []byte // what is sent: of each record the action line and the source line
	rest   []byte // what was read besides the source, so that a dead letter has the very bytes
	recs   []record
	faults int              // of recs: those that cannot be sent
	items  []*pipeline.Item // that the records are of
	ended  int              // of items: those whose last record is in this request
	notes  []pipeline.Row   // for the save that passes it
	small  func()           // gives back the right to be larger than the limit; nil: it has none
}

// record is where a record lies, and where it comes from.
type record struct {
	action, source, end uint32 // in body: the action line, the source, both lines; empty if there is a fault
	head, tail, stop    uint32 // in rest: what was read before the source, and after
	item, number        int32  // it is record number of items[item], from 0
	fault               fault  // why it cannot be sent
	verb                verb   // what is done
	behind              uint8  // bytes of the body between the source and the end
	anonymous           bool   // it has no _id, the engine makes one
	versioned           bool   // the engine keeps what it has if that is newer
	careful             bool   // it is created, and what is there already is not taken for its own
}

// recordSize is the size of a record, in bytes.
const recordSize = 40

// restShare is the part of a limit that there is room for besides the sources.
const restShare = 8

// newRequest makes a request. Its memory grows only for one record that is
// larger than the limit, which takes the right to be large (see [pipeline.Large]).
func newRequest(limit int) *request {
	return &request{body: make([]byte, 0, limit), rest: make([]byte, 0, limit/restShare), recs: make([]record, 0, limit/perRecord+1)}
}

// requestSize is the memory of a request that is not large, in bytes.
func requestSize(limit int64) int64 {
	return limit + limit/restShare + (limit/perRecord+1)*recordSize
}

// fits reports whether a record may be added. The first always may.
func (q *request) fits(line []byte, e *envelope, limit int) bool {
	return len(q.recs) == 0 || len(q.recs) < cap(q.recs) &&
		len(q.body)+e.room() <= limit &&
		len(q.rest)+len(line)-len(e.source) <= limit/restShare
}

// room reports whether a record that fits can be added without more memory.
func (q *request) room(line []byte, e *envelope) bool {
	return len(q.body)+e.room() <= cap(q.body) && len(q.rest)+len(line)-len(e.source) <= cap(q.rest)
}

// add copies a record, which cannot be sent if there is a fault.
func (q *request) add(line []byte, e *envelope, f fault) *record {
	at, end := len(line), len(line)
	r := record{action: uint32(len(q.body)), fault: f, verb: e.verb, anonymous: e.id == nil, versioned: e.version != nil, careful: e.careful}
	r.source = r.action
	if f == sound {
		q.body = e.appendAction(q.body)
		r.source = uint32(len(q.body))
		q.body = e.appendSource(q.body)
	} else {
		q.faults++
	}
	if f == sound && e.source != nil {
		at = cap(line) - cap(e.source) // the source is a slice of the line
		end = at + len(e.source)
		r.behind = uint8(len("\n") + len(e.wrap))
		if e.wrap != "" {
			r.source += uint32(len(docBefore))
		}
	}
	r.end, r.head = uint32(len(q.body)), uint32(len(q.rest))
	q.rest = append(q.rest, line[:at]...)
	r.tail = uint32(len(q.rest))
	q.rest = append(q.rest, line[end:]...)
	r.stop = uint32(len(q.rest))
	q.recs = append(q.recs, r)
	return &q.recs[len(q.recs)-1]
}

// action gives the action line of a record, without the newline.
func (q *request) action(r *record) []byte {
	b := q.body[r.action:r.end]
	return b[:bytes.IndexByte(b, '\n')]
}

// names gives what names the document in an action line: equal for equal
// documents.
func names(action []byte) []byte {
	action = action[bytes.Index(action, []byte(document)):]
	if bytes.IndexByte(action, '\\') < 0 {
		return action
	}
	var d struct { // its strings may be spelled otherwise elsewhere
		Index   string `json:"_index"`
		ID      string `json:"_id"`
		Routing *string
	}
	if json.Unmarshal(append([]byte{'{'}, bytes.TrimSuffix(action, []byte("}"))...), &d) != nil {
		return action
	}
	text := document + `"` + d.Index + `","_id":"` + d.ID + `"`
	if d.Routing != nil {
		text += `,"routing":"` + *d.Routing + `"`
	}
	return []byte(text + "}}")
}

// appendLine appends the record as it was read.
func (q *request) appendLine(b []byte, r *record) []byte {
	b = append(b, q.rest[r.head:r.tail]...)
	b = append(b, q.body[r.source:r.end-uint32(r.behind)]...)
	return append(b, q.rest[r.tail:r.stop]...)
}

// bytes gives the body of some records that lie side by side.
func (q *request) bytes(recs []record) []byte {
	return q.body[recs[0].action:recs[len(recs)-1].end]
}

// keep moves the records that want is true of to the front of recs, bodies
// included, and returns them.
func (q *request) keep(recs []record, want func(i int) bool) []record {
	kept, at := recs[:0], recs[0].action
	for i, r := range recs {
		if !want(i) {
			continue
		}
		n := uint32(copy(q.body[at:], q.body[r.action:r.end]))
		r.action, r.source, r.end = at, at+r.source-r.action, at+n
		kept, at = append(kept, r), at+n
	}
	return kept
}

// of returns the number, among the items of the request, of the one that the
// records which are added next belong to.
func (q *request) of(it *pipeline.Item) int32 {
	if n := len(q.items); n == 0 || q.items[n-1] != it {
		q.items = append(q.items, it)
	}
	return int32(len(q.items) - 1)
}

// reset empties the request, and gives back what one huge record made it grow.
func (q *request) reset(limit int) {
	if q.small != nil {
		fresh := newRequest(limit)
		q.body, q.rest = fresh.body, fresh.rest
		q.small()
	}
	clear(q.items)
	*q = request{body: q.body[:0], rest: q.rest[:0], recs: q.recs[:0], items: q.items[:0]}
}
