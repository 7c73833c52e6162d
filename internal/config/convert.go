package config

import (
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// node converts a node of the syntax tree. What is wrong in it is reported and
// null.
func (t *tree) node(n ast.Node, depth int) *node {
	if t.left--; t.left < 0 || depth > maxDepth {
		if !t.full {
			t.fail(at(n), "too much for a configuration; do aliases repeat themselves?")
		}
		t.full = true
		return &node{shape: broken, place: at(n)}
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		out := t.node(n.Value, depth+1)
		t.anchors[n.Name.GetToken().Value] = n.Value
		return out
	case *ast.AliasNode:
		to, ok := t.anchors[n.Value.GetToken().Value]
		if !ok {
			t.src.stands(span{place: at(n), width: -1})
			t.fail(at(n), "no anchor for this alias stands before it; a value that begins with * needs quotes")
			return &node{shape: broken, place: at(n)}
		}
		return t.node(to, depth+1)
	case *ast.MappingNode:
		return t.mapping(n.Values, at(n), depth)
	case *ast.MappingValueNode:
		return t.mapping([]*ast.MappingValueNode{n}, at(n), depth)
	case *ast.SequenceNode:
		out := &node{shape: sequence, place: at(n)}
		for _, v := range n.Values {
			out.items = append(out.items, t.node(v, depth+1))
		}
		return out
	case *ast.NullNode:
		return &node{place: at(n)}
	}
	return t.scalar(n)
}

// scalar converts a value and notes where it stands.
func (t *tree) scalar(n ast.Node) *node {
	out := &node{shape: scalar, place: at(n)}
	tk := n.GetToken()
	switch n := n.(type) {
	case *ast.LiteralNode:
		out.text = n.Value.Value
		t.src.stands(span{out.place, -1, strings.Count(n.Value.GetToken().Origin, "\n")})
		return out
	case *ast.StringNode:
		out.text = n.Value
	case *ast.BoolNode:
		out.text, out.as = tk.Value, asBool
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.text, out.as = tk.Value, asNumber
	default:
		t.fail(at(n), "a value is expected here")
		return &node{shape: broken, place: at(n)}
	}
	origin := strings.TrimSpace(tk.Origin)
	s := span{out.place, utf8.RuneCountInString(origin), strings.Count(origin, "\n")}
	if s.more > 0 {
		s.width = -1
	}
	t.src.stands(s)
	return out
}

// mapping converts a mapping. A key that is merged in gives way to one of the
// mapping's own.
func (t *tree) mapping(values []*ast.MappingValueNode, where place, depth int) *node {
	out := &node{shape: mapping, place: where}
	own := map[string]bool{}
	var merged []*node
	for _, v := range values {
		if v.Key.IsMergeKey() {
			merged = append(merged, t.merge(v.Value, depth)...)
			continue
		}
		p := pair{place: at(v.Key), value: t.node(v.Value, depth+1)}
		if _, ok := v.Key.(ast.ScalarNode); !ok {
			t.fail(p.place, "a key is one word")
			continue
		}
		if p.key = v.Key.GetToken().Value; own[p.key] {
			t.fail(p.place, "%q stands here a second time", p.key)
			continue
		}
		own[p.key] = true
		out.pairs = append(out.pairs, p)
	}
	for _, m := range merged {
		for _, p := range m.pairs {
			if !own[p.key] {
				own[p.key] = true
				out.pairs = append(out.pairs, p)
			}
		}
	}
	return out
}

// merge gives the mappings that <<: names.
func (t *tree) merge(v ast.Node, depth int) []*node {
	n := t.node(v, depth+1)
	all := []*node{n}
	if n.shape == sequence {
		all = n.items
	}
	for _, m := range all {
		if m.shape != mapping {
			t.fail(at(v), "<<: wants an alias of a mapping")
			return nil
		}
	}
	return all
}
