package transforms

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"sluice/internal/kind"
	"sluice/internal/raw"
)

// maxFields is how many fields one transform deals with.
const maxFields = 64

// fields is a tree of fields by their paths, in which dots part the names. As
// for the engines, a path means the same whether a document has objects inside
// each other or dots in its keys, and goes through lists to each object in them.
type fields struct {
	name   string
	quoted []byte // as JSON
	field  int    // number of the field whose path ends here, or -1
	up     *fields
	inside []*fields
	all    uint64 // a bit for each field that ends here or further inside
}

// newFields makes a tree of paths. Field i is that of path i; there is none if
// that is empty.
func newFields(paths ...string) *fields {
	root := &fields{field: -1}
	for i, p := range paths {
		if p == "" {
			continue
		}
		f, bit := root, uint64(1)<<i
		f.all |= bit
		for name := range strings.SplitSeq(p, ".") {
			f = f.child(name)
			f.all |= bit
		}
		f.field = i
	}
	return root
}

func (f *fields) child(name string) *fields {
	for _, c := range f.inside {
		if c.name == name {
			return c
		}
	}
	c := &fields{name: name, quoted: raw.AppendQuoted(nil, []byte(name)), field: -1, up: f}
	f.inside = append(f.inside, c)
	return c
}

// path is that of the first of some fields.
func (f *fields) path(some uint64) string {
	for _, c := range f.inside {
		switch {
		case c.all&some == 0:
		case c.field >= 0:
			return c.name
		default:
			return c.name + "." + c.path(some)
		}
	}
	return ""
}

// find gives what the tree has for a key, nil if nothing; deeper says that the
// key is of something inside a field.
func (f *fields) find(key []byte) (found *fields, deeper bool) {
	if bytes.IndexByte(key, '\\') >= 0 {
		var buf [64]byte
		text, ok := raw.Unescaped(buf[:0], key)
		if !ok {
			return nil, false // no path can be that
		}
		key = text
	}
	for {
		if c := f.named(key); c != nil {
			return c, false
		}
		dot := bytes.IndexByte(key, '.')
		if dot < 0 {
			return nil, false
		}
		if f = f.named(key[:dot]); f == nil || len(f.inside) == 0 {
			return f, true
		}
		key = key[dot+1:]
	}
}

func (f *fields) named(key []byte) *fields {
	for _, c := range f.inside {
		if c.name == string(key) {
			return c
		}
	}
	return nil
}

// maxNesting is how deep lists may lie inside each other on the way to a field.
const maxNesting = 1000

// visit calls found for each value of a field in the object or list at i, null
// among them. It returns where that ends, -1 if it is not JSON.
func (f *fields) visit(text []byte, i, depth int, found func(field int, value []byte)) int {
	if depth > maxNesting {
		return -1
	}
	l := raw.At(text, i)
	for l.Next() {
		c, deeper := f, false
		if l.Object() {
			c, deeper = f.find(l.Key)
		}
		if c != nil && len(c.inside) > 0 && !deeper && isList(text[l.Value]) {
			l.End = c.visit(text, l.Value, depth+1, found)
		} else {
			l.Skip()
		}
		if l.End < 0 || c == nil || !l.Object() {
			continue
		}
		value := text[l.Value:l.End]
		if deeper {
			value = something
		}
		for ; c != f; c = c.up { // more than one if the key has dots
			if c.field >= 0 {
				found(c.field, value)
			}
			value = something
		}
	}
	return l.Close()
}

// something is the value of a field that a document has in parts: a.b of a.
var something = []byte("{}")

func isList(c byte) bool { return c == '{' || c == '[' }

// badPaths says which paths cannot be those of the fields that one transform
// changes.
func badPaths(option string, paths []string) (all []kind.Problem) {
	add := func(format string, args ...any) {
		all = append(all, kind.Problem{Option: option, Message: fmt.Sprintf(format, args...)})
	}
	if len(paths) == 0 {
		add("it must not be empty")
	}
	if len(paths) > maxFields {
		add("there are %d fields; one transform takes %d, the rest goes into a second one", len(paths), maxFields)
	}
	for i, p := range paths {
		switch {
		case slices.Contains(strings.Split(p, "."), ""):
			add("%q is no path of a field, such as user.name", p)
		case strings.Contains(p, "*"):
			add("%q: there are no wildcards here; name each field", p)
		case p == "_source" || strings.HasPrefix(p, "_source."):
			add("%q: paths begin inside of _source; leave it out", p)
		case slices.Contains(paths[:i], p):
			add("%q stands here twice", p)
		}
		for _, other := range paths {
			if strings.HasPrefix(p, other+".") {
				add("%q lies inside of %q", p, other)
			}
		}
	}
	return all
}
