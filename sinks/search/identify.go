package search

import (
	"crypto/sha256"
	"encoding/base64"

	"sluice/internal/raw"
)

// check takes a line apart, decides what is done with it, and looks for what
// would cost the whole request.
func (f *filler) check(line []byte) fault {
	e := &f.env
	fault := e.scan(line, f.cfg.Format)
	if fault == sound {
		fault = f.decide()
	}
	if fault == sound {
		fault = f.identify()
	}
	if fault != sound {
		return fault
	}
	if e.verb == toDelete {
		e.source = nil
	}
	if !f.versions || e.id == nil || e.verb == toCreate || e.verb == toUpdate {
		e.version = nil // engines order neither what is new, which it is without an _id, nor updates
	}
	if f.cfg.careful {
		if fault := e.caution(); fault != sound {
			return fault
		}
	}
	return f.sound()
}

// decide says what is done with the record.
func (f *filler) decide() fault {
	e := &f.env
	switch {
	case f.auto, e.verb == toUpdate && f.verb == toUpdate: // as the record says; the body of its update is complete
		return sound
	case e.verb >= toUpdate && f.verb != toDelete:
		return otherAction
	}
	if e.verb = f.verb; e.verb == toUpdate {
		e.wrap = f.wrap
	}
	return sound
}

// identify gives the record the _id and the routing that options ask for. A
// delete without a source keeps its own.
func (f *filler) identify() fault {
	e := &f.env
	f.made = f.made[:0]
	if e.pair { // engines take numbers there
		e.id, e.routing = f.text(e.id), f.text(e.routing)
	}
	if e.source != nil {
		switch {
		case f.cfg.IDField != "":
			if e.id = f.field(f.cfg.IDField); e.id == nil {
				return noField
			}
		case f.cfg.ID == hashed:
			e.id = f.hash(e.source)
		case f.cfg.ID == generated:
			e.id = nil
		}
		if f.cfg.RoutingField != "" {
			if e.routing = f.field(f.cfg.RoutingField); e.routing == nil {
				return noField
			}
		}
	}
	if e.id == nil && e.verb >= toUpdate {
		return noID
	}
	return sound
}

// field gives a field of the source as a string; nil if it is none that can be one.
func (f *filler) field(path string) []byte {
	v := f.text(lookup(f.env.source, path))
	if len(v) == 0 || v[0] != '"' {
		return nil
	}
	return v
}

// lookup finds a field of an object by its path: names with dots between them,
// of which some may belong to a name. It is nil if there is none.
func lookup(object []byte, path string) []byte {
	for l := raw.At(object, 0); l.Next(); {
		value, n := l.Take(), len(l.Key)
		switch {
		case string(l.Key) == path:
			return value
		case n == 0 || n >= len(path) || path[n] != '.' || string(l.Key) != path[:n]:
			continue
		}
		if v := lookup(value, path[n+1:]); v != nil {
			return v
		}
	}
	return nil
}

// text gives a number as a string, and anything else as it is.
func (f *filler) text(value []byte) []byte {
	if !raw.IsNumber(value) {
		return value
	}
	n := len(f.made)
	f.made = append(append(append(f.made, '"'), value...), '"')
	return f.made[n:]
}

// hash gives the _id of a record that is named by its bytes: SHA-256, in the
// alphabet of base64 for addresses.
func (f *filler) hash(source []byte) []byte {
	n, sum := len(f.made), sha256.Sum256(source)
	f.made = append(base64.RawURLEncoding.AppendEncode(append(f.made, '"'), sum[:]), '"')
	return f.made[n:]
}

// sound looks for what is wrong with the parts of a record, and puts the index
// that it goes to in the place of its own.
func (f *filler) sound() fault {
	e := &f.env
	if f.index == nil || string(f.of) != string(e.index) {
		f.of = append(f.of[:0], e.index...)
		f.fault = f.target(f.of)
	}
	e.index = f.index
	switch {
	case f.fault != sound:
		return f.fault
	case e.id != nil && !within(e.id, maxID):
		return badID
	case e.routing != nil && raw.TextSize(e.routing) < 0:
		return badRouting
	case e.version != nil && !whole(e.version):
		return badVersion
	}
	return sound
}

// within reports whether value is a string of at most so many bytes.
func within(value []byte, most int) bool {
	n := raw.TextSize(value)
	return 0 <= n && n <= most
}

// whole reports whether value is a whole number that the engines take for a
// version.
func whole(value []byte) bool {
	const most = "9223372036854775807"
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
	}
	switch {
	case len(value) > 1 && value[0] == '0':
		return false
	case len(value) == len(most):
		return string(value) <= most
	}
	return 0 < len(value) && len(value) < len(most)
}
