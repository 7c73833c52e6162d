package search

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"sluice/internal/kind"
	"sluice/internal/raw"
	"sluice/pipeline"
)

// naming says which index a record goes to: prefix, the name that its own index
// has here, suffix.
type naming struct {
	prefix, suffix string
	own            bool // the prefix alone is not the whole name
	rename         map[string]string
}

// ownIndex stands for the index of the record in the option index.
const ownIndex = "{index}"

func (c *Config) naming() naming {
	n := naming{rename: map[string]string{}}
	for _, r := range c.Rename {
		n.rename[r.From] = r.To
	}
	n.prefix, n.suffix, n.own = strings.Cut(cmp.Or(c.Index, ownIndex), ownIndex)
	return n
}

// append appends the name of the index for records of one. It may be the name
// of none.
func (n *naming) append(b, of []byte) []byte {
	b = append(b, n.prefix...)
	if !n.own {
		return b
	}
	if to, ok := n.rename[string(of)]; ok {
		return append(append(b, to...), n.suffix...)
	}
	return append(append(b, of...), n.suffix...)
}

// problems checks what can be known of names before there are records.
func (c *Config) namingProblems() (list []kind.Problem) {
	n := c.naming()
	add := func(option, name string) {
		switch checkName([]byte(name)) {
		case systemIndex:
			list = append(list, kind.Problem{Option: option, Message: fmt.Sprintf("%q begins with a dot: such indices belong to the engine", name)})
		case badIndex:
			list = append(list, kind.Problem{Option: option, Message: fmt.Sprintf("%q is not the name of one index", name)})
		}
	}
	switch {
	case strings.ContainsAny(n.prefix+n.suffix, "{}"):
		return []kind.Problem{{Option: "index", Message: "{index} is all that may stand in braces, and once"}}
	case !n.own:
		add("index", n.prefix)
		if len(n.rename) > 0 {
			list = append(list, kind.Problem{Option: "rename", Message: "index is the same for all records; write {index} in it, which stands for the index of the record"})
		}
		return list
	case n.prefix+n.suffix != "":
		add("index", n.prefix+"x"+n.suffix)
	}
	for _, r := range c.Rename {
		add("rename", n.prefix+r.To+n.suffix)
	}
	if len(n.rename) < len(c.Rename) {
		list = append(list, kind.Problem{Option: "rename", Message: "an index is renamed twice"})
	}
	return list
}

// target finds the index of a record, as it stands there in JSON, and notes that
// it is written to.
func (f *filler) target(value []byte) fault {
	var own []byte
	if f.naming.own {
		if len(value) == 0 {
			return noIndex
		}
		if raw.TextSize(value) < 0 {
			return badIndex
		}
		own = value[1 : len(value)-1]
		if bytes.IndexByte(own, '\\') >= 0 {
			var s string
			if json.Unmarshal(value, &s) != nil {
				return badIndex
			}
			own = []byte(s)
		}
	}
	f.index = f.naming.append(append(f.index[:0], '"'), own)
	name := f.index[1:]
	f.index = append(f.index, '"') // what is the name of an index needs no escapes
	if fault := checkName(name); fault != sound {
		return fault
	}
	if _, ok := f.seen[string(name)]; !ok {
		f.seen[string(name)] = struct{}{}
		f.fresh = append(f.fresh, string(name))
		f.notes = append(f.notes, pipeline.Row{Bucket: bucket, Key: string(name), Value: []byte{1}})
	}
	return sound
}

// where says which indices records are written to.
func (c *Config) where() string {
	text := "records are written to the index that each of them names"
	if n := c.naming(); n.prefix+n.suffix != "" {
		text = "records are written to " + c.Index + ", where {index} is the one that each of them names"
	}
	for i, r := range c.Rename {
		sep := ", but "
		if i > 0 {
			sep = ", "
		}
		text += sep + r.From + " is called " + r.To
	}
	return text
}

// checkName refuses what may stand for several indices, or for one that nobody
// named. The rest of the rules are the engine's.
func checkName(name []byte) fault {
	switch {
	case len(name) == 0:
		return badIndex
	case name[0] == '.':
		return systemIndex
	case bytes.IndexByte([]byte("_-+<"), name[0]) >= 0, bytes.ContainsAny(name, "*?,/\\\"<>| #"), bytes.ContainsFunc(name, func(r rune) bool { return r < ' ' }):
		return badIndex
	}
	return sound
}
