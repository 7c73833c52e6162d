package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Setting is one option of a command, as --bucket=archive.
type Setting struct {
	Path  string // source.s3.bucket, transforms.0.gzip.level, lanes, memory; given again it makes a list
	Value string // taken as it is, ${NAME} included; "" for a stage with its defaults (transforms.1.lines)
	Flag  string // what errors call it, such as --bucket; "": Path
}

// New makes a configuration of one pipeline from the options of a command,
// with the same checks and defaults. The error is an [Errors] without lines.
func New(pipeline string, settings []Setting, opts Options) (*File, error) {
	root, inner := &branch{}, &branch{}
	root.child("pipelines").children = map[string]*branch{pipeline: inner}
	for _, s := range settings {
		to := inner
		first, _, _ := strings.Cut(s.Path, ".")
		if o, _ := find(optionsOf(fileType), first); o != nil {
			to = root
		}
		to.add(s)
	}
	src := newSource("", "")
	src.hide = join("pipelines", pipeline) + "."
	return decode(src, root.node(), nil, opts)
}

// branch is what settings say of one path.
type branch struct {
	settings []Setting
	children map[string]*branch
}

func (b *branch) child(name string) *branch {
	if b.children == nil {
		b.children = map[string]*branch{}
	}
	if b.children[name] == nil {
		b.children[name] = &branch{}
	}
	return b.children[name]
}

func (b *branch) add(s Setting) {
	if s.Flag == "" {
		s.Flag = s.Path
	}
	for name := range strings.SplitSeq(s.Path, ".") {
		b = b.child(name)
	}
	b.settings = append(b.settings, s)
}

// node gives the branch as if it stood in a file.
func (b *branch) node() *node {
	if len(b.children) == 0 {
		return leaf(b.settings)
	}
	if n := len(b.children); b.children["0"] != nil {
		out := &node{shape: sequence}
		for i := range n {
			if c := b.children[strconv.Itoa(i)]; c != nil {
				out.items = append(out.items, c.node())
			}
		}
		return out
	}
	out := &node{shape: mapping}
	for _, name := range slices.Sorted(maps.Keys(b.children)) {
		v := b.children[name].node()
		out.pairs = append(out.pairs, pair{key: name, place: v.place, value: v})
	}
	return out
}

// leaf gives what settings of one path say. One that is given again is a list.
func leaf(settings []Setting) *node {
	if len(settings) == 0 {
		return &node{shape: mapping}
	}
	out := &node{shape: sequence, place: place{flag: settings[0].Flag}}
	for _, s := range settings {
		n := &node{shape: scalar, text: s.Value, as: asAny, place: place{flag: s.Flag}}
		if s.Value == "" {
			n.shape = null
		}
		out.items = append(out.items, n)
	}
	if len(out.items) == 1 {
		return out.items[0]
	}
	return out
}
