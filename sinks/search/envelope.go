package search

import (
	"bytes"

	"sluice/internal/raw"
	"sluice/pipeline"
)

// maxID is the longest _id, in decoded bytes, that the engines take. A longer
// one, and a line that is not an action, cost the whole request: they are
// found before it is sent.
const maxID = 512

// fault is why a record cannot be put into a request.
type fault uint8

// The faults.
const (
	sound fault = iota
	noRecord
	noEnvelope
	noDocument
	noPair
	noSource
	badAction
	otherAction
	noIndex
	badIndex
	systemIndex
	noID
	badID
	noField
	badRouting
	badVersion
	perhapsOld
)

// refusals say what a fault means, as the reason of a dead letter.
var refusals = [...]pipeline.Refusal{
	noRecord:    {Status: 400, Type: "not_a_record", Reason: `the line is neither {"_index":…,"_id":…,"_source":{…}}, nor a document {…} without _index and _id, nor an action and its source as {"index":{…}} {…}`},
	noEnvelope:  {Status: 400, Type: "not_an_envelope", Reason: `the line is not {"_index":…,"_id":…,"_source":{…}} with each of these keys once`},
	noDocument:  {Status: 400, Type: "not_a_document", Reason: "the line is not a JSON object"},
	noPair:      {Status: 400, Type: "not_an_action", Reason: `the line is not an action and its source, as {"index":{"_index":…,"_id":…}} {…}, or a delete alone, as {"delete":{"_index":…,"_id":…}}`},
	noSource:    {Status: 400, Type: "source_missing", Reason: "no source follows the action"},
	badAction:   {Status: 400, Type: "invalid_action", Reason: "an action may have _index, _id, routing, version, version_type, pipeline, require_alias and retry_on_conflict, each of them once and no other key"},
	otherAction: {Status: 400, Type: "other_action", Reason: "the record is an update or a delete, and the option action says something else"},
	noIndex:     {Status: 400, Type: "index_missing", Reason: "the record has no _index, and the option index names none"},
	badIndex:    {Status: 400, Type: "invalid_index", Reason: "_index is not the name of one index"},
	systemIndex: {Status: 400, Type: "system_index", Reason: "_index begins with a dot: such indices belong to the engine; set the option index or rename to write elsewhere"},
	noID:        {Status: 400, Type: "id_missing", Reason: "the record has no _id, without which nothing can be updated or deleted"},
	badID:       {Status: 400, Type: "invalid_id", Reason: "_id is not a string of at most 512 bytes"},
	noField:     {Status: 400, Type: "field_missing", Reason: "the field that id_field or routing_field names is not there, or is neither a string nor a number"},
	badRouting:  {Status: 400, Type: "invalid_routing", Reason: "_routing is not a string"},
	perhapsOld:  {Status: 409, Type: "perhaps_old", Reason: "an update or a delete without a _version, of a document that may have been written since; --replace sends it all the same"},
	badVersion:  {Status: 400, Type: "invalid_version", Reason: "_version is not a whole number from 0 to 9223372036854775807"},
}

// The formats of records.
const (
	anyFormat  = "auto"
	envelopes  = "envelope"
	documents  = "document"
	bulkFormat = "bulk"
)

// misfit is the fault of a line that is not of a format.
func misfit(format string) fault {
	switch format {
	case envelopes:
		return noEnvelope
	case documents:
		return noDocument
	case bulkFormat:
		return noPair
	}
	return noRecord
}

// envelope is what a line says: where its parts lie in it, as JSON. What is
// absent or null is nil. It is valid as long as the line.
type envelope struct {
	verb               verb
	careful            bool   // it creates a document, and would replace it if no newer one could be there
	pair               bool   // the line is an action with its source, and names the verb
	index, id, routing []byte // with their quotes
	version            []byte
	extras             [len(extras)][]byte
	source             []byte // an object; nil: there is none
	wrap               string // what follows the source as the doc of an update; "": it is none
}

// scan finds the parts of a line, in any order and with any blanks. What an
// envelope has besides is skipped. Its keys tell what a line is, unless format
// says what it has to be.
func (e *envelope) scan(line []byte, format string) fault {
	*e = envelope{}
	begin := raw.Blanks(line, 0)
	top, n, once := raw.At(line, begin), 0, true
	for ; top.Next(); n++ {
		once = e.take(top.Key, top.Take()) && once
	}
	if top.Close() < 0 || !top.Object() {
		return misfit(format)
	}
	end := raw.Blanks(line, top.Close())
	if v, ok := verbOf(top.Key); ok && n == 1 && line[top.Value] == '{' && (format == anyFormat || format == bulkFormat) {
		f := e.action(v, line[top.Value:top.End])
		if f == sound || end < len(line) || format == bulkFormat {
			return e.follow(line, end, f)
		}
		*e = envelope{} // a document with a field of that name
	}
	switch {
	case end < len(line), format == bulkFormat:
		return misfit(format)
	case format == documents, format == anyFormat && e.source == nil && e.index == nil && e.id == nil:
		*e = envelope{source: line[begin:top.Close()]}
	case e.source == nil:
		return misfit(format)
	case !once || e.source[0] != '{':
		return noEnvelope
	}
	return sound
}

// take keeps the value of a key. It reports false for a key that comes twice
// and one with escapes, which could hide a part.
func (e *envelope) take(key, value []byte) bool {
	var part *[]byte
	switch string(key) {
	case "_index":
		part = &e.index
	case "_id":
		part = &e.id
	case "_routing", "routing":
		part = &e.routing
	case "_version", "version":
		part = &e.version
	case "_source":
		part = &e.source
	default:
		return bytes.IndexByte(key, '\\') < 0
	}
	if *part != nil {
		return false
	}
	if string(value) != "null" {
		*part = value
	}
	return true
}
