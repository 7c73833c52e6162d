package config

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxName is the longest name of a pipeline, which is part of file names and
// object metadata.
const maxName = 64

// pipelines sets the pipelines from a mapping of names.
func (d *decoder) pipelines(p pair, out *[]*Pipeline, s spot) {
	if p.value.shape != mapping || len(p.value.pairs) == 0 {
		d.fail(p.place, s, "at least one pipeline is expected below it, as in name: {source: …, sink: …}")
		return
	}
	names := map[string]bool{}
	for _, p := range p.value.pairs {
		names[p.key] = true
	}
	for _, p := range p.value.pairs {
		if at := (spot{base: join(s.path(), p.key)}); !isName(p.key) {
			d.fail(p.place, at, "%q cannot be the name of a pipeline: a to z, 0 to 9, then also . _ and -, at most %d of them", p.key, maxName)
		}
		all, of := d.split(p, s, names)
		for _, p := range all {
			pl := &Pipeline{Name: p.key, Of: of, Line: p.place.line}
			at := spot{base: join(s.path(), p.key)}
			p.value.place = p.place
			d.places[at.path()] = p.place
			d.group(p.value, reflect.ValueOf(pl).Elem(), at)
			*out = append(*out, pl)
		}
	}
}

func isName(s string) bool {
	for i, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (i == 0 || !strings.ContainsRune("._-", c)) {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

// transforms sets the transforms of a pipeline. Of several of a kind, the
// second is named gzip-2.
func (d *decoder) transforms(n *node, out *[]Transform, s spot) {
	if n.shape != sequence {
		d.fail(n.place, s, "a list of transforms is expected, as in [lines, {gzip: {level: 1}}]")
		return
	}
	count := map[string]int{}
	for i, item := range n.items {
		at := s.in(strconv.Itoa(i))
		var t Transform
		stage(d, pair{place: item.place, value: item}, &t, d.Kinds.Transforms, at)
		count[t.Kind]++
		t.Name = t.Kind
		if n := count[t.Kind]; n > 1 {
			t.Name += "-" + strconv.Itoa(n)
		}
		*out = append(*out, t)
	}
}

// stage sets a stage. Its kind stays empty if it could not be found out.
func stage[K any](d *decoder, p pair, out *Stage[K], table map[string]func() K, s spot) {
	k, ok := kindOf(d, p, table, s)
	if !ok {
		return
	}
	*out = Stage[K]{Kind: k.key, Name: k.key, Options: table[k.key](), at: k.place, spot: s.in(k.key)}
	n := *k.value
	n.place = k.place
	d.places[out.spot.path()] = k.place
	d.group(&n, reflect.ValueOf(out.Options).Elem(), out.spot.stage())
}

// kindOf gives the name of the kind and the options below it. A kind alone has
// the defaults.
func kindOf[K any](d *decoder, p pair, table map[string]func() K, s spot) (pair, bool) {
	n, what, s := p.value, stageWord(s.name), s.stage()
	kinds := slices.Sorted(maps.Keys(table))
	if n.shape == scalar && table[n.text] != nil {
		d.src.show(n.place, true)
		return pair{key: n.text, place: n.place, value: &node{}}, true
	}
	if n.shape != mapping || len(n.pairs) == 0 {
		d.fail(p.place, s, "a kind of %s is expected here, as in {%s: { options }}; there are %s", what, kinds[0], strings.Join(kinds, ", "))
		return pair{}, false
	}
	var good []string
	for _, p := range n.pairs {
		if table[p.key] != nil {
			good = append(good, p.key)
		}
	}
	first := n.pairs[0]
	switch {
	case len(good) > 1:
		d.fail(n.pairs[1].place, s, "two kinds in one %s: %s; one key names the kind%s", what, strings.Join(good, " and "), another(what))
	case len(n.pairs) > 1 && len(good) == 1:
		other := n.pairs[0]
		if other.key == good[0] {
			other = n.pairs[1]
		}
		d.fail(other.place, s, "%q stands beside the kind; the options of %s are indented below it", other.key, good[0])
	case len(good) == 0:
		d.fail(first.place, s, "unknown kind of %s %q; %s", what, first.key, known(closest(first.key, kinds), kinds))
	default:
		return first, true
	}
	return pair{}, false
}

func another(what string) string {
	if what == "transform" {
		return ", each transform is an item of the list"
	}
	return ""
}

// stageWord is what the stage at a path is called: source, transform or sink.
func stageWord(path string) string {
	word, _, _ := strings.Cut(path, ".")
	return strings.TrimSuffix(word, "s")
}

// lowerFirst makes a sentence the end of another.
func lowerFirst(s string) string {
	s = strings.TrimSuffix(s, ".")
	if len(s) < 2 || s[1] < 'a' { // an abbreviation
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
