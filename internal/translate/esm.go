package translate

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// esm is ESM (medcl/esm, 8308e23).
func esm() *Tool {
	const noUser = "it has no effect: there is no such cluster, or it is not user:password"
	const load = "put nothing between the two: limit of the sink bounds what is asked of the cluster"
	return &Tool{
		Name:      "esm",
		About:     "esm",
		Examples:  []string{"sluice init esm -- -s http://localhost:9200 -x src_index -d http://localhost:9201 -y dest_index -w 5 -b 10"},
		style:     style{shorts: true, words: true},
		translate: migrated,
		flags: []flag{
			{name: "source", short: "s"}, {name: "query", short: "q"},
			{name: "sort", why: "records come in the order in which shards give them", idle: true},
			{name: "dest", short: "d"}, {name: "source_auth", short: "m", why: noUser}, {name: "dest_auth", short: "n", why: noUser},
			{name: "count", short: "c", why: "pages have a size in bytes (page)", idle: true},
			{name: "buffer_count", why: "memory is bounded in bytes (memory)", idle: true},
			{name: "workers", short: "w", why: "one file is read in order, as one lane", idle: true}, {name: "bulk_size", short: "b", why: "the sink is no cluster", idle: true}, {name: "time", short: "t"},
			{name: "sliced_scroll_size", why: "the source is no cluster", idle: true}, {name: "force", short: "f", bare: true, why: "no index is deleted: delete the old one before, or write into a new one and let alias of the sink switch to it"},
			{name: "all", short: "a", bare: true, why: "name the hidden indices in index (.NAME)"},
			{name: "copy_settings", bare: true, why: "settings go from cluster to cluster alone"},
			{name: "copy_mappings", bare: true, why: "mappings go from cluster to cluster alone"},
			{name: "shards", why: "write a file with settings, and name it in the sink (create: {file: …})"},
			{name: "src_indexes", short: "x"}, {name: "dest_index", short: "y", why: "the sink is no cluster"},
			{name: "type_override", short: "u", why: "documents have no types any more", idle: true},
			{name: "green", bare: true, why: "wait_for_green of the sink waits at the end of a pass, not before it"},
			{name: "log", short: "v"}, {name: "output_file", short: "o", why: "with --dest esm does not write it either"},
			{name: "truncate_output", bare: true, why: "the sink is no file"}, {name: "input_file", short: "i", why: "with --source esm does not read it either"},
			{name: "input_file_type"}, {name: "source_proxy"}, {name: "dest_proxy"},
			{name: "refresh", bare: true, why: "the engine refreshes by itself", idle: true},
			{name: "sync", bare: true}, {name: "fields"},
			{name: "skip", why: "it takes members of hits, such as _index, out of files; records need theirs"},
			{name: "rename", why: "into a file esm does not rename fields either"}, {name: "logstash_endpoint", short: "l"}, {name: "secured_logstash_endpoint", bare: true},
			{name: "repeat_times", why: "records are read once; the source generate makes records for tests"},
			{name: "regenerate_id", short: "r", bare: true, why: "the sink is no cluster"},
			{name: "compress", bare: true, why: "compression: auto compresses where that is faster", idle: true},
			{name: "sleep", short: "p", why: load},
		},
	}
}

// migrated translates esm.
func migrated(c *command) error {
	if c.given("logstash_endpoint") {
		return errors.New("--logstash_endpoint: Sluice has no sink for Logstash; write files, and let it read them")
	}
	from, to := c.text("source"), c.text("dest")
	if from == "" && !c.given("input_file") || to == "" && !c.given("output_file") {
		return errors.New("esm wants --source or --input_file, and --dest or --output_file")
	}
	if level := c.text("log"); level != "" && !strings.EqualFold(level, "info") {
		c.say(true, "--log: run with --log-level "+strings.ToLower(level))
	}
	var err error
	if from != "" {
		err = c.esmSource(from)
	} else {
		err = c.esmFile()
	}
	if err != nil {
		return err
	}
	if to == "" {
		c.esmDump()
		return nil
	}
	if err := c.renames(); err != nil {
		return err
	}
	return c.esmSink(to)
}

// esmCluster makes what is said of a cluster wherever it stands.
func (c *command) esmCluster(side, at string) (m mapping, err error) {
	a, err := parseAddress(at)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", side, err)
	}
	m.set("url", a.under(len(a.segments)))
	user, password, ok := strings.Cut(last(c.values[side+"_auth"]), ":")
	where := "the password in --" + side + "_auth"
	if ok {
		c.text(side + "_auth")
	} else {
		user, password, where = a.user, a.password, "the password in --"+side
	}
	variable := strings.ToUpper(side)
	if password != "" {
		c.plan.login(&m, user, c.plan.secret(variable+"_PASSWORD", where))
	}
	proxy := c.text(side + "_proxy")
	if strings.Contains(proxy, "@") {
		m.set("proxy", c.plan.secret(variable+"_PROXY", "the address in --"+side+"_proxy"))
	} else {
		m.set("proxy", proxy)
	}
	return m, nil
}

// esmSource makes the source that is a cluster.
func (c *command) esmSource(at string) error {
	m, err := c.esmCluster("source", at)
	if err != nil {
		return err
	}
	names, without, err := indices(cmp.Or(c.text("src_indexes"), "_all"))
	if err != nil {
		return fmt.Errorf("--src_indexes: %w", err)
	}
	m.set("index", names)
	m.set("exclude", without)
	if query := c.text("query"); query != "" {
		m.set("query", `{"query_string":{"query":`+quoted(query)+`}}`)
	}
	if fields := split(c.text("fields")); len(fields) > 0 {
		m.set("fields", mapping{{key: "include", value: fields}})
	}
	m.set("keep_alive", c.text("time"))
	c.plan.source = stage{"elasticsearch", m}
	workers, err := c.count("workers", 1)
	if err != nil {
		return err
	}
	slices, err := c.count("sliced_scroll_size", 1)
	if err != nil {
		return err
	}
	if lanes := min(max(workers, slices), 256); lanes > 1 {
		c.plan.rest = append(c.plan.rest, entry{key: "lanes", value: lanes, about: "Shards that are read at the same time, as many as fit into memory."})
	}
	return nil
}

// esmFile makes the source that is a file.
func (c *command) esmFile() error {
	c.plan.source = stage{"file", mapping{{key: "path", value: c.text("input_file")}}}
	c.plan.transforms = unpacked()
	switch kind := c.text("input_file_type"); kind {
	case "", "dump", "json_line":
	default:
		return fmt.Errorf("--input_file_type=%s: Sluice reads a JSON record in each line", kind)
	}
	return nil
}

// esmDump makes the sink that is a file.
func (c *command) esmDump() {
	dir, name := path.Split(c.text("output_file"))
	ext := path.Ext(name)
	key := strings.TrimSuffix(name, ext) + "-{index}-{sequence}" + ext
	c.plan.sink = stage{"file", mapping{{key: "path", value: path.Join(".", dir)}, {key: "key", value: key}}}
	if path.IsAbs(dir) {
		c.plan.sink.options[0].value = path.Clean(dir)
	}
	if c.yes("truncate_output") {
		c.plan.sink.options.set("overwrite", "always")
	}
	c.plan.note("--output_file: what esm writes into one file are several here, each of whole records; cat puts them together")
}

// esmSink makes the sink that is a cluster.
func (c *command) esmSink(at string) error {
	m, err := c.esmCluster("dest", at)
	if err != nil {
		return err
	}
	m.set("index", c.text("dest_index"))
	if c.yes("regenerate_id") {
		m.set("id", "generate")
	}
	size, err := c.count("bulk_size", 0)
	if err != nil {
		return err
	}
	if size > 90 {
		c.plan.note("--bulk_size: a request has at most 90 MiB here")
		size = 90
	}
	if size > 0 {
		m.set("bulk", strconv.Itoa(size)+"MiB")
	}
	c.esmIndices(&m)
	if c.yes("sync") {
		c.followed()
	}
	c.plan.sink = stage{"elasticsearch", m}
	c.plan.deadLetters()
	return nil
}

// esmIndices says what indices are made from.
func (c *command) esmIndices(m *mapping) {
	if c.plan.source.kind != "elasticsearch" {
		return
	}
	settings, mappings := c.yes("copy_settings"), c.yes("copy_mappings")
	if !settings && !mappings {
		m.hint("create", mapping{{key: "metadata", value: true}}, "With take: [data, indices] in the source, indices are made with its settings and mappings.")
		return
	}
	if settings != mappings {
		c.plan.note("--copy_settings, --copy_mappings: settings, mappings and aliases go together")
	}
	c.plan.source.options.set("take", []string{"data", "indices"})
	m.set("create", mapping{{key: "metadata", value: true}})
	*m = append(*m, entry{key: "backfill", value: settings, about: "No refreshes and replicas until all is there, and then what there was before, replicas included."})
	if !settings {
		*m = slices.Delete(*m, len(*m)-1, len(*m))
	}
}

// followed makes passes of what is new, with deletes.
func (c *command) followed() {
	p := c.plan
	p.source.options.set("deletes", "reconcile")
	p.rest.set("mode", "new")
	p.note("--sync: the first pass writes every document; each later one what changed since, and deletes what the source has no more")
}

// renames makes the transform of --rename.
func (c *command) renames() error {
	var list []mapping
	for _, pair := range split(c.text("rename")) {
		from, to, ok := strings.Cut(pair, ":")
		from, to = strings.TrimSpace(from), strings.TrimSpace(to)
		switch {
		case !ok || from == "" || to == "":
			return errors.New("--rename: write old:new, and commas between them")
		case from == "_type":
			c.plan.note("--rename: _type is left out, documents have no types any more; set gives a field a fixed value")
		default:
			list = append(list, mapping{{key: "from", value: from}, {key: "to", value: to}})
		}
	}
	if len(list) > 0 {
		c.plan.transforms = append(c.plan.transforms, stage{"rename", mapping{{key: "fields", value: list}}})
	}
	return nil
}

// split takes a list with commas apart.
func split(list string) (parts []string) {
	for p := range strings.SplitSeq(list, ",") {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, p)
		}
	}
	return parts
}
