package config

import (
	"sluice/internal/kind"
)

// Definition is the name of what stands in the file as one pipeline with
// several sinks: a pipeline of its own for each of them.
type Definition string

// Called reports whether a user who says name means the pipeline, alone or as
// one of those of its definition.
func (p *Pipeline) Called(name string) bool {
	return name == p.Name || name == string(p.Of) && p.Of != ""
}

// split gives the pipelines that stand below one name: those of its sinks, each
// as if it stood there alone, or the one that it is. No two pipelines are
// called alike; names holds those that are taken.
func (d *decoder) split(p pair, s spot, names map[string]bool) (all []pair, of Definition) {
	at, sinks := spot{base: join(s.path(), p.key)}, -1
	one := *p.value
	one.pairs = nil
	for i, o := range p.value.pairs {
		switch {
		case o.key != "sinks":
			one.pairs = append(one.pairs, o)
		case given(p.value, "sink"):
			d.fail(o.place, at.in("sinks"), "both sink and sinks are given; leave one out")
		default:
			sinks = i
		}
	}
	if sinks < 0 {
		return []pair{{p.key, p.place, &one}}, ""
	}
	several := p.value.pairs[sinks]
	if several.value.shape != mapping || len(several.value.pairs) == 0 {
		if several.value.shape != broken {
			d.fail(several.place, at.in("sinks"), "at least one sink is expected below it, as in name: {s3: { options }}")
		}
		one.pairs = append(one.pairs, pair{"sink", several.place, &node{shape: broken}})
		return []pair{{p.key, p.place, &one}}, ""
	}
	for _, sink := range several.value.pairs {
		name := p.key + "-" + sink.key
		switch {
		case !isName(sink.key) || isName(p.key) && !isName(name):
			d.fail(sink.place, at.in("sinks"), "%q cannot be the name of a sink: a to z, 0 to 9, then also . _ and -, at most %d of them in %s", sink.key, maxName, name)
		case names[name]:
			d.fail(sink.place, at.in("sinks"), "the pipeline of this sink is %s, and there is another of that name; call the sink something else", name)
		}
		names[name] = true
		n := one
		n.pairs = append(one.pairs[:len(one.pairs):len(one.pairs)], pair{"sink", sink.place, sink.value})
		all = append(all, pair{name, p.place, &n})
	}
	return all, Definition(p.key)
}

func given(n *node, key string) bool {
	for _, p := range n.pairs {
		if p.key == key {
			return true
		}
	}
	return false
}

// sole refuses several sinks behind a source that only one pipeline can read.
func (d *decoder) sole(p *Pipeline) {
	if s, ok := p.Source.Options.(kind.Sole); ok && p.Of != "" {
		d.problems(p.Source.place(), s.Sole()...)
	}
}
