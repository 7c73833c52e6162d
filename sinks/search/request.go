package search

import (
	"bytes"
	"encoding/json"

	"sluice/pipeline"
)

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
	action, source, end uint32 // in body: both lines; empty if there is a fault
	head, tail, stop    uint32 // in rest: what was read before the source, and after
	item, number        int32  // it is record number of items[item], from 0
	fault               fault  // why it cannot be sent
	anonymous           bool   // it has no _id, the engine makes one
	versioned           bool   // the engine keeps what it has if that is newer
	remove              bool   // it deletes a document: there is no source line
}

// recordSize is the size of a record, in bytes.
const recordSize = 36

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

// room is what a record adds to the body, in bytes, at most.
func (e *envelope) room() int {
	n := actionRoom + len(e.index) + len(e.id) + len(e.routing) + len(e.source)
	if e.version != nil {
		n += versionRoom + len(e.version)
	}
	return n
}

// What a record adds to the body besides the values in it, and what its version
// adds.
const (
	actionRoom  = len(`{"create":{"_index":,"_id":,"routing":}}` + "\n\n")
	versionRoom = len(`"version":,"version_type":"external_gte",`)
)

// add copies a record, which cannot be sent if there is a fault.
func (q *request) add(verb string, line []byte, e *envelope, f fault) *record {
	at, end := len(line), len(line)
	r := record{action: uint32(len(q.body)), fault: f, anonymous: e.id == nil, versioned: e.version != nil}
	r.source = r.action
	if f == sound {
		q.body = appendAction(q.body, verb, e)
		r.source = uint32(len(q.body))
	} else {
		q.faults++
	}
	if r.remove = f == sound && e.source == nil; f == sound && !r.remove {
		q.body = append(append(q.body, e.source...), '\n')
		at = cap(line) - cap(e.source) // the source is a slice of the line
		end = at + len(e.source)
	}
	r.end, r.head = uint32(len(q.body)), uint32(len(q.rest))
	q.rest = append(q.rest, line[:at]...)
	r.tail = uint32(len(q.rest))
	q.rest = append(q.rest, line[end:]...)
	r.stop = uint32(len(q.rest))
	q.recs = append(q.recs, r)
	return &q.recs[len(q.recs)-1]
}

// appendAction appends the line that says what to do, with the source after it
// if there is one. What names the document comes last.
func appendAction(b []byte, verb string, e *envelope) []byte {
	b = append(append(append(b, `{"`...), verb...), `":{`...)
	if e.version != nil {
		b = append(append(append(b, `"version":`...), e.version...), `,"version_type":"external_gte",`...)
	}
	b = append(append(b, document...), e.index...)
	if e.id != nil {
		b = append(append(b, `,"_id":`...), e.id...)
	}
	if e.routing != nil {
		b = append(append(b, `,"routing":`...), e.routing...)
	}
	return append(b, "}}\n"...)
}

// document begins what names the document in an action line.
const document = `"_index":`

// names gives what names the document of a record: equal for equal documents.
func (q *request) names(r *record) []byte {
	action := q.body[r.action:r.source]
	action = action[bytes.Index(action, []byte(document)):]
	if bytes.IndexByte(action, '\\') < 0 {
		return action
	}
	var d struct { // its strings may be spelled otherwise elsewhere
		Index   string `json:"_index"`
		ID      string `json:"_id"`
		Routing *string
	}
	if json.Unmarshal(append([]byte{'{'}, action[:len(action)-2]...), &d) != nil {
		return action
	}
	text := document + `"` + d.Index + `","_id":"` + d.ID + `"`
	if d.Routing != nil {
		text += `,"routing":"` + *d.Routing + `"`
	}
	return []byte(text + "}}\n")
}

// appendLine appends the record as it was read.
func (q *request) appendLine(b []byte, r *record) []byte {
	b = append(b, q.rest[r.head:r.tail]...)
	if r.fault == sound {
		b = append(b, q.body[r.source:r.end-1]...) // without the newline that ends it in the body
	}
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
