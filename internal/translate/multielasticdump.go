package translate

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// multielasticdump is multielasticdump as of elasticdump 6.125.
func multielasticdump() *Tool {
	const types = "write what is to be taken as take of the source: data, indices, templates"
	own := []flag{
		{name: "parallel"}, {name: "match"}, {name: "matchType"}, {name: "order", why: "lanes are begun in an order that does not matter", idle: true},
		{name: "direction"}, {name: "ignoreType"}, {name: "includeType"}, {name: "interval", why: overloads, idle: true},
		{name: "ignoreChildError", why: "a lane that fails stops no other, and the run is not complete then", idle: true},
		{name: "customMatcher"},
	}
	for _, t := range []string{"Analyzer", "Data", "Mapping", "Settings", "Template", "Alias", "Index"} {
		own = append(own, flag{name: "ignore" + t, why: types})
	}
	return &Tool{
		Name:      "multielasticdump",
		About:     "multielasticdump",
		Examples:  []string{"sluice init multielasticdump -- --direction=dump --match='^logs-.*$' --input=http://localhost:9200 --output=/backup --fsCompress"},
		Variables: dumpVariables,
		Prefixes:  []string{"ELASTICDUMP_"},
		style:     style{greedy: true},
		flags:     slices.Concat(common, own),
		translate: multidumped,
	}
}

// multidumped translates multielasticdump.
func multidumped(c *command) (err error) {
	d := &dumped{command: c}
	if d.from, err = placeOf("input", c.text("input")); err != nil {
		return err
	}
	if d.to, err = placeOf("output", c.text("output")); err != nil {
		return err
	}
	if c.given("customMatcher") {
		return errors.New("--customMatcher: " + customCode + "; name the indices by --match")
	}
	names, ok := wildcards(cmp.Or(c.text("match"), "^.*$"))
	if !ok {
		return errors.New("--match: no wildcards say what this expression does; write one of literal text, .*, ^, $ and (a|b)")
	}
	lanes, err := c.count("parallel", 0)
	if err != nil {
		return err
	}
	c.plan.rest.set("lanes", min(max(lanes, 0), 256))
	c.plan.name = "dump"
	switch direction := cmp.Or(c.text("direction"), "dump"); {
	case direction == "dump" && d.from.kind == "search" && d.to.kind != "search":
		return d.dumpAll(names)
	case direction == "load" && d.from.kind != "search" && d.to.kind == "search":
		c.plan.name = "load"
		return d.loadAll(names)
	default:
		return fmt.Errorf("--direction=%s: dump goes from a cluster into files or a bucket, load back", direction)
	}
}

// dumpAll makes the pipeline of --direction=dump.
func (d *dumped) dumpAll(names []string) error {
	d.take = d.taking()
	d.text("matchType") // names, aliases and data streams are all found
	d.to.at = strings.TrimSuffix(d.to.at, "/") + "/x"
	if err := d.searchSource(); err != nil {
		return err
	}
	set(d.plan.source.options, "index", names)
	p, key := d.plan, "{index}-{sequence}.json"
	if d.compresses() {
		key += ".gz"
	}
	if d.to.kind == "s3" {
		bucket, path, err := object(d.to)
		if err != nil {
			return err
		}
		p.sink.kind = "s3"
		d.store(&p.sink.options, bucket, strings.TrimSuffix(path, "x"))
		d.properties(&p.sink.options)
	} else {
		p.sink = stage{"file", mapping{{key: "path", value: strings.TrimSuffix(d.to.at, "/x")}}}
	}
	p.note("--output: what multielasticdump writes into one file for each index are several here, each of whole records; settings, mappings and aliases are in {index}/_index.json, where restores by Sluice find them")
	return d.rolled(key)
}

// taking is what of indices is taken.
func (d *dumped) taking() (take []string) {
	types := []string{"data", "mapping", "settings", "template"}
	if given := d.text("includeType"); given != "" {
		types = strings.Split(given, ",")
	} else {
		for t := range strings.SplitSeq(d.text("ignoreType"), ",") {
			types = slices.DeleteFunc(types, func(s string) bool { return s == strings.TrimSpace(t) })
		}
	}
	for _, t := range types {
		t = cmp.Or(map[string]string{"data": "data", "template": "templates"}[strings.TrimSpace(t)], "indices")
		if !slices.Contains(take, t) {
			take = append(take, t)
		}
	}
	return take
}

// loadAll makes the pipeline of --direction=load.
func (d *dumped) loadAll(names []string) error {
	if !slices.Contains(d.taking(), "data") {
		return errors.New("--direction=load without data: files that multielasticdump made of settings and mappings cannot be read")
	}
	d.plan.note("--direction=load: files of settings, mappings, analyzers, aliases and templates are not read; make the indices before, or the engine makes them of what it finds in the documents")
	p := d.plan
	if d.from.kind == "s3" {
		bucket, prefix, _ := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(d.from.at, "/"), "s3://"), "/")
		if prefix != "" {
			prefix += "/"
		}
		p.source.kind = "s3"
		d.store(&p.source.options, bucket, prefix)
		for i, n := range names {
			names[i] = strings.TrimSuffix(n, "*") + "*"
		}
		p.source.options.set("include", names)
	} else {
		if len(names) > 1 {
			return errors.New("--match: of files, one wildcard alone can be read; translate it once for each name")
		}
		p.source = stage{"file", mapping{{key: "path", value: path.Join(d.from.at, strings.TrimSuffix(names[0], "*")+"*")}}}
	}
	d.yes("fsCompress")
	d.yes("s3Compress")
	p.transforms = append(unpacked(), stage{"filter", mapping{{
		key: "where", value: []mapping{{{key: "field", value: "_id"}, {key: "exists", value: true}}},
		about: "Lines of the other files have no _id.",
	}}})
	if err := d.searchSink(); err != nil {
		return err
	}
	if prefix, suffix := d.text("prefix"), d.text("suffix"); prefix+suffix != "" {
		p.sink.options.set("index", prefix+"{index}"+suffix)
	}
	return nil
}

// set gives an option another value.
func set(m mapping, key string, value any) {
	for i := range m {
		if m[i].key == key {
			m[i].value = value
		}
	}
}
