package transforms

import (
	"fmt"

	"sluice/internal/raw"
	"sluice/pipeline"
)

// deed is what is done with a field that a document has.
type deed uint8

const (
	keep   deed = iota // it stays as it is
	drop               // it is left out
	fill               // its value becomes the text
	rename             // the last of its names becomes the text
)

// change is what is done with one field.
type change struct {
	deed
	text []byte // JSON
}

// changes is what is done with the fields of documents. What it does not name
// stays what it was, byte for byte.
type changes struct {
	*fields
	each  []change // by number of the field
	only  bool     // fields that are not named are left out
	exact bool     // what lies inside of a field cannot be treated like it
	add   uint64   // fields that are added where they are missing
	pairs bool     // no document may have both fields i and i+half
}

// half is how many pairs of fields one transform deals with.
const half = maxFields / 2

// apply writes a record as it is after the changes.
func (c *changes) apply(rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
	d, err := locate(rec)
	if err != nil {
		return pipeline.Dead, err
	}
	w := rewrite{changes: c, dst: dst, text: rec, missing: c.add}
	return w.document(&d)
}

// rewrite is one record on its way to a block.
type rewrite struct {
	*changes
	dst     *pipeline.Block
	text    []byte
	from    int          // text up to here was written or left out
	depth   int          // of objects and lists
	lists   int          // of lists
	seen    uint64       // fields that are there
	missing uint64       // fields that are to be added
	values  [half][]byte // of pairs: what field i+half is when it is added
	err     error
}

// document writes the record of a document.
func (w *rewrite) document(d *document) (pipeline.Verdict, error) {
	if d.shape != deletion {
		end, _ := w.list(d.at, w.fields)
		w.alone()
		if w.err != nil {
			return pipeline.Dead, w.err
		}
		if err := d.rest(w.text, end); err != nil {
			return pipeline.Dead, err
		}
	}
	w.upTo(len(w.text))
	return pipeline.Keep, nil
}

// list writes the object or list at i, of which f is the tree. It returns where
// that ends, -1 if it is not JSON, and whether something in it is kept.
func (w *rewrite) list(i int, f *fields) (end int, some bool) {
	if w.depth++; w.depth > maxNesting {
		w.fail(errNesting)
		return -1, false
	}
	last, left := i+1, false // where the member before ended, and whether one was left out
	l := raw.At(w.text, i)
	for l.Next() {
		if left && !some {
			w.from = l.Begin
		}
		mark, from := len(w.dst.B()), w.from
		stays := w.member(&l, f)
		if l.End < 0 {
			return -1, false
		}
		if stays {
			some = true
		} else {
			w.dst.Truncate(mark)
			w.from = from
			w.upTo(last)
			w.from, left = l.End, true
		}
		last = l.End
	}
	w.depth--
	if l.Object() && l.Close() >= 0 && f.all&w.missing != 0 {
		w.upTo(last)
		w.put(f, some)
		some = true
	}
	return l.Close(), some
}

// upTo writes what has not been written before i.
func (w *rewrite) upTo(i int) {
	if w.from < i {
		w.dst.Write(w.text[w.from:i])
		w.from = i
	}
}

// member writes what becomes of a member or element, and reports whether it
// stays.
func (w *rewrite) member(l *raw.List, f *fields) (stays bool) {
	if !l.Object() { // each object in a list has the fields for itself
		seen := w.seen
		w.seen = 0
		stays = w.inside(l, f)
		w.alone()
		w.seen = seen
		return stays
	}
	c, deeper := f.find(l.Key)
	switch {
	case c == nil:
		l.Skip()
		return !w.only
	case c.field < 0:
		return w.inside(l, c)
	}
	l.Skip()
	return l.End < 0 || w.field(l, c, deeper)
}

// inside writes a value that may have fields inside.
func (w *rewrite) inside(l *raw.List, f *fields) bool {
	some, wanted := false, f.all&w.missing != 0
	switch c := w.text[l.Value]; {
	case c == '{':
		l.End, some = w.list(l.Value, f)
	case c == '[' && !wanted:
		w.lists++
		l.End, some = w.list(l.Value, f)
		w.lists--
	default:
		l.Skip()
		if wanted {
			w.fail(fmt.Errorf("%s cannot be set: %s is not an object", w.path(f.all&w.missing), f.name))
		}
	}
	return some || !w.only
}

// field writes a field, or leaves it out.
func (w *rewrite) field(l *raw.List, f *fields, deeper bool) (stays bool) {
	w.seen |= 1 << f.field
	if deeper && w.exact {
		w.fail(fmt.Errorf("%s is not one value: the record has %q", w.path(1<<f.field), string(l.Key)))
		return true
	}
	switch c := w.each[f.field]; c.deed {
	case drop:
		if w.pairs && w.lists > 0 {
			w.fail(fmt.Errorf("%s is in a list, and cannot leave it", w.path(1<<f.field)))
		}
		return false
	case fill:
		w.missing &^= 1 << f.field
		w.upTo(l.Value)
		w.dst.Write(c.text)
		w.from = l.End
	case rename:
		w.upTo(l.Begin)
		w.name(l.Key, f.name, c.text)
		w.from = l.Begin + len(l.Key) + 2
	}
	return true
}

// name writes a key whose last name is another. The key may begin with the
// names of objects.
func (w *rewrite) name(key []byte, old string, text []byte) {
	if string(key) == old {
		w.dst.Write(text)
		return
	}
	key, _ = raw.Unescaped(nil, key) // it was found by what it means
	begin := raw.AppendQuoted(nil, key[:len(key)-len(old)])
	w.dst.Write(begin[:len(begin)-1])
	w.dst.Write(text[1:])
}

// put writes the fields of a tree that are missing.
func (w *rewrite) put(f *fields, comma bool) {
	for _, c := range f.inside {
		if c.all&w.missing == 0 {
			continue
		}
		if comma {
			w.dst.Write([]byte{','})
		}
		comma = true
		w.dst.Write(c.quoted)
		w.dst.Write([]byte{':'})
		switch {
		case c.field < 0:
			w.dst.Write([]byte{'{'})
			w.put(c, false)
			w.dst.Write([]byte{'}'})
		case w.pairs:
			w.dst.Write(w.values[c.field-half])
		default:
			w.dst.Write(w.each[c.field].text)
		}
	}
	w.missing &^= f.all
}

// alone fails if both fields of a pair are there.
func (w *rewrite) alone() {
	if both := w.seen & (w.seen >> half); w.pairs && both != 0 {
		w.fail(fmt.Errorf("%s cannot be renamed: there is a %s already", w.path(both), w.path(both<<half)))
	}
}

// fail keeps the first reason why the record cannot be edited.
func (w *rewrite) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
