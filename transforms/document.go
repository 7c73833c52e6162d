package transforms

import (
	"errors"

	"sluice/internal/raw"
)

// shape is how a record holds its document.
type shape uint8

const (
	bare     shape = iota // it is the document
	envelope              // in _source
	pair                  // behind an action of a _bulk file
	deletion              // it has none: the action is delete
)

// document is where the document of a record lies.
type document struct {
	shape
	at   int      // of its {
	meta int      // of the { of the members beside it, as _index; -1: there are none
	list raw.List // the envelope, which has been read up to the document
}

// Why a record cannot be edited.
var (
	errNoObject  = errors.New("the record is not a JSON object")
	errNoSource  = errors.New("the _source of the record is not an object")
	errTwoSource = errors.New("the record has more than one _source")
	errUpdate    = errors.New("the record is an update of a _bulk file, of which it is not known what becomes of its document")
	errNesting   = errors.New("the lists of the record are nested too deep")
)

// locate finds the document of a record.
func locate(rec []byte) (document, error) {
	begin := raw.Blanks(rec, 0)
	l := raw.At(rec, begin)
	first := l
	for n := 0; l.Next(); l.Skip() {
		if isSource(l.Key) {
			if rec[l.Value] != '{' {
				return document{}, errNoSource
			}
			return document{envelope, l.Value, begin, l}, nil
		}
		if n++; n == 1 {
			first = l
		}
	}
	end := l.Close()
	if !l.Object() || end < 0 {
		return document{}, errNoObject
	}
	next := raw.Blanks(rec, end)
	if action := actionOf(rec, first, end); action != "" {
		switch {
		case next == len(rec) && action != "delete": // a document with such a field
		case next == len(rec):
			return document{shape: deletion, meta: first.Value}, nil
		case action == "update":
			return document{}, errUpdate
		default:
			return document{shape: pair, at: next, meta: first.Value}, nil
		}
	}
	if next < len(rec) {
		return document{}, errNoObject
	}
	return document{shape: bare, at: begin, meta: -1}, nil
}

func isSource(key []byte) bool {
	if len(key) < len("_source") { // none with escapes is shorter
		return false
	}
	var buf [64]byte
	text, ok := raw.Unescaped(buf[:0], key)
	return ok && string(text) == "_source"
}

// actionOf is the action of a _bulk file that an object is, from its first
// member: the object has no other, and that is an object; one that deletes has
// an _id.
func actionOf(rec []byte, first raw.List, end int) string {
	action := ""
	switch string(first.Key) {
	case "index", "create", "update", "delete":
		action = string(first.Key)
	}
	if action == "" || rec[first.Value] != '{' {
		return ""
	}
	if first.Skip(); first.Next() || first.Close() != end {
		return ""
	}
	if action == "delete" {
		id := false
		for l := raw.At(rec, first.Value); l.Next(); l.Skip() {
			id = id || string(l.Key) == "_id"
		}
		if !id {
			return ""
		}
	}
	return action
}

// rest reads what follows the document, which ends at end.
func (d *document) rest(rec []byte, end int) error {
	if end >= 0 && d.shape == envelope {
		l := d.list
		for l.End = end; l.Next(); l.Skip() {
			if isSource(l.Key) {
				return errTwoSource
			}
		}
		end = l.Close()
	}
	if end < 0 || raw.Blanks(rec, end) < len(rec) {
		return errNoObject
	}
	return nil
}
