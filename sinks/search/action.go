package search

import "sluice/internal/raw"

// verb is what is done with a document.
type verb uint8

// The verbs.
const (
	toIndex verb = iota
	toCreate
	toUpdate
	toDelete
)

// verbs is what requests call them.
var verbs = [...]string{"index", "create", "update", "delete"}

// verbOf finds the verb of a name.
func verbOf[T string | []byte](name T) (verb, bool) {
	for v, text := range verbs {
		if string(name) == text {
			return verb(v), true
		}
	}
	return 0, false
}

// extras are the keys of an action that are sent on as they are, and what their
// values have to be.
var extras = [...]struct {
	key   string
	valid func(value []byte) bool
}{
	{"pipeline", func(value []byte) bool { return raw.TextSize(value) >= 0 }},
	{"require_alias", func(value []byte) bool { return string(value) == "true" || string(value) == "false" }},
	{"retry_on_conflict", whole},
}

// action reads the first half of a pair.
func (e *envelope) action(v verb, object []byte) fault {
	e.verb, e.pair = v, true
	l := raw.At(object, 0)
	for l.Next() {
		value := l.Take()
		switch string(l.Key) {
		case "_index", "_id", "_routing", "routing", "_version", "version":
			if !e.take(l.Key, value) {
				return badAction
			}
		case "_type", "version_type", "_version_type": // versions are always external_gte
		default:
			if !e.extra(l.Key, value) {
				return badAction
			}
		}
	}
	if l.Close() < 0 {
		return badAction
	}
	return sound
}

// extra keeps a member that is sent on as it is.
func (e *envelope) extra(key, value []byte) bool {
	for i, x := range extras {
		if string(key) == x.key && e.extras[i] == nil && x.valid(value) {
			e.extras[i] = value
			return true
		}
	}
	return false
}

// follow finds the source that follows an action at i. f is what is wrong with
// the action.
func (e *envelope) follow(line []byte, i int, f fault) fault {
	switch {
	case f != sound:
		return f
	case e.verb == toDelete && i == len(line):
		return sound
	case i == len(line):
		return noSource
	case e.verb == toDelete || line[i] != '{':
		return noPair
	}
	end := raw.Skip(line, i)
	if end < 0 || raw.Blanks(line, end) < len(line) {
		return noPair
	}
	e.source = line[i:end]
	return sound
}

// What makes the body of an update of a document, before and behind it.
const (
	docBefore    = `{"doc":`
	docBehind    = `}`
	upsertBehind = `,"doc_as_upsert":true}`
)

// What a record adds to the body besides the values in it, and what its version
// and a doc add.
const (
	actionRoom  = len(`{"create":{"_index":,"_id":,"routing":}}` + "\n\n")
	versionRoom = len(`"version":,"version_type":"external_gte",`)
	docRoom     = len(docBefore + upsertBehind)
)

// room is what a record adds to the body, in bytes, at most.
func (e *envelope) room() int {
	n := actionRoom + len(e.index) + len(e.id) + len(e.routing) + len(e.source)
	if e.version != nil {
		n += versionRoom + len(e.version)
	}
	for i, value := range e.extras {
		if value != nil {
			n += len(`"":,`) + len(extras[i].key) + len(value)
		}
	}
	if e.wrap != "" {
		n += docRoom
	}
	return n
}

// appendAction appends the line that says what to do. What names the document
// comes last.
func (e *envelope) appendAction(b []byte) []byte {
	b = append(append(append(b, `{"`...), verbs[e.verb]...), `":{`...)
	if e.version != nil {
		b = append(append(append(b, `"version":`...), e.version...), `,"version_type":"external_gte",`...)
	}
	for i, value := range e.extras {
		if value != nil {
			b = append(append(append(append(append(b, '"'), extras[i].key...), `":`...), value...), ',')
		}
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

// appendSource appends the line that follows it, if one does.
func (e *envelope) appendSource(b []byte) []byte {
	switch {
	case e.verb == toDelete:
		return b
	case e.wrap != "":
		b = append(append(append(b, docBefore...), e.source...), e.wrap...)
	default:
		b = append(b, e.source...)
	}
	return append(b, '\n')
}
