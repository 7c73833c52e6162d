package config

import (
	"slices"

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
	at := spot{base: join(s.path(), p.key)}
	rest, sinks := d.sinks(p.value, at)
	if sinks == nil {
		return []pair{{p.key, p.place, rest}}, ""
	}
	for _, sink := range sinks {
		name := p.key + "-" + sink.key
		switch {
		case !isName(sink.key) || isName(p.key) && !isName(name):
			d.fail(sink.place, at.in("sinks"), "%q cannot be the name of a sink: a to z, 0 to 9, then also . _ and -, at most %d of them in %s", sink.key, maxName, name)
		case names[name]:
			d.fail(sink.place, at.in("sinks"), "the pipeline of this sink is %s, and there is another of that name; call the sink something else", name)
		}
		names[name] = true
		all = append(all, pair{name, p.place, rest.with(pair{"sink", sink.place, sink.value})})
	}
	return all, Definition(p.key)
}

// sinks takes the sinks out of what stands below the name of a pipeline. If
// there are none, or none that can be used, the rest is a pipeline.
func (d *decoder) sinks(n *node, at spot) (rest *node, sinks []pair) {
	one := *n
	one.pairs = nil
	var several *pair
	for i, p := range n.pairs {
		if p.key == "sinks" {
			several = &n.pairs[i]
		} else {
			one.pairs = append(one.pairs, p)
		}
	}
	if several == nil {
		return &one, nil
	}
	v := several.value
	switch {
	case slices.ContainsFunc(one.pairs, func(p pair) bool { return p.key == "sink" }):
		d.fail(several.place, at.in("sinks"), "both sink and sinks are given; leave one out")
		return &one, nil
	case v.shape == mapping && len(v.pairs) > 0:
		return &one, v.pairs
	case v.shape != broken:
		d.fail(several.place, at.in("sinks"), "at least one sink is expected below it, as in name: {s3: { options }}")
	}
	return one.with(pair{"sink", several.place, &node{shape: broken}}), nil
}

// with gives a mapping with one pair more.
func (n node) with(p pair) *node {
	n.pairs = append(slices.Clip(n.pairs), p)
	return &n
}

// sole refuses several sinks behind a source that only one pipeline can read.
func (d *decoder) sole(p *Pipeline) {
	if s, ok := p.Source.Options.(kind.Sole); ok && p.Of != "" {
		d.problems(p.Source.place(), s.Sole()...)
	}
}
