package search

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/internal/kind"
	cluster "sluice/internal/search"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Config is the options of the source. The kinds opensearch and elasticsearch
// are the same.
type Config struct {
	cluster.Config
	Index          []string      `yaml:"index" required:"true" doc:"What to read, a name, wildcard, alias or data stream, or a list of them; a wildcard leaves out hidden indices."`
	Exclude        []string      `yaml:"exclude" doc:"What to leave out, names or wildcards."`
	Ignore         []string      `yaml:"ignore" enum:"closed|missing" doc:"What of index may be left out because it is closed or missing; if it is not given, that is an error."`
	Query          string        `yaml:"query" file:"true" doc:"Which documents, as the JSON of a query, or query_file: the path of a file that holds it; default: all."`
	Fields         Fields        `yaml:"fields" doc:"Which fields of documents; the cluster then writes what it gives of them anew, so they are not byte for byte what was indexed."`
	Take           []string      `yaml:"take" default:"data" enum:"data|indices|templates|pipelines|data_streams" doc:"What to read, one of these or a list: documents (data); the settings, mappings and aliases of indices; and of what concerns them the index templates, ingest pipelines and data streams."`
	Read           string        `yaml:"read" default:"auto" enum:"auto|pit|shared|scroll|sequence" doc:"By points in time, which survive failures, one of each shard (pit) or of all shards of an index together (shared), by scrolls, or by sequence numbers; auto: by sequence numbers with mode: new, into a search sink, and where writes are blocked; else by a point in time of each shard where the engine has them."`
	Start          string        `yaml:"start" default:"all" enum:"all|now" doc:"With mode: new, what the first pass takes: all documents, or only what changes from then on."`
	Deletes        string        `yaml:"deletes" default:"ignore" enum:"ignore|reconcile" doc:"With mode: new, what becomes of documents that were deleted: they stay at the sink, or are found by comparing the _ids of both sides, and deleted there too."`
	ReconcileEvery unit.Duration `yaml:"reconcile_every" default:"1h" min:"0s" doc:"How long after the last comparison a pass compares again; nothing new is read meanwhile."`
	With           []string      `yaml:"with" doc:"What else each record has of its document: version, seq_no or both, as _version and _seq_no."`
	Page           unit.Bytes    `yaml:"page" default:"8MiB" min:"64KiB" max:"64MiB" doc:"About how much one reply of the cluster holds; it is never held in memory here."`
	Compression    string        `yaml:"compression" default:"auto" enum:"auto|on|off" doc:"Whether pages come compressed, which costs client and cluster CPU time; auto: where the network is so slow that they come faster, which is measured."`
	KeepAlive      unit.Duration `yaml:"keep_alive" default:"5m" min:"1s" max:"24h" doc:"How long the cluster keeps a point in time or scroll after its last use: at least as long as Sluice may be down, to go on where it was."`
}

// Problems implements [kind.Source].
func (c *Config) Problems(env kind.Env) []kind.Problem {
	list := c.Config.Problems()
	add := func(option, message string) { list = append(list, kind.Problem{Option: option, Message: message}) }
	if strings.Trim(strings.Join(c.Index, ","), ", ") == "" {
		add("index", "there is none; write a name or a wildcard, as logs-*")
	}
	for _, i := range c.Index {
		if why := unfit(i); why != "" {
			add("index", fmt.Sprintf("%q: %s", i, why))
		}
	}
	for _, w := range c.With {
		if w != "version" && w != "seq_no" {
			add("with", fmt.Sprintf("%q is neither version nor seq_no", w))
		}
	}
	if c.Start == "now" && !env.New {
		add("start", "now is for mode: new, which goes on from there")
	}
	if c.Deletes == "reconcile" && (!env.New || !env.Versions || env.Target == nil) {
		add("deletes", "reconcile is for mode: new and a search sink that orders writes by version (action: index, versions: true)")
	}
	if c.Deletes == "reconcile" && len(c.Ignore) > 0 {
		add("ignore", "with deletes: reconcile, the documents of what is left out would be deleted at the sink; leave it out of index")
	}
	if c.Take != nil && len(c.Take) == 0 {
		add("take", "there is nothing in the list; write data")
	}
	if _, err := c.query(); err != nil {
		add("query", fmt.Sprintf("this is not the JSON of a query: %v; write one as '{\"term\": {\"level\": \"error\"}}'", err))
	}
	return list
}

// unfit says why the cluster would take names for something else than indices
// of its own, or "".
func unfit(names string) string {
	switch {
	case strings.HasPrefix(names, "-") || strings.Contains(names, ",-"):
		return "what to leave out belongs into exclude"
	case strings.ContainsAny(names, "<>"):
		return "date math is not worked out here; write a wildcard, as logs-2026.*, or a name"
	case strings.Contains(names, ":"):
		return "this names an index of a remote cluster; give the address of that cluster in url, and its index without a colon"
	}
	return ""
}

// query gives the query in its shortest form.
func (c *Config) query() (string, error) {
	if c.Query == "" {
		return `{"match_all":{}}`, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(c.Query), &object); err != nil {
		return "", err
	}
	if len(object) != 1 {
		return "", fmt.Errorf("it has %d members, want the one that names the kind of query", len(object))
	}
	var b bytes.Buffer
	err := json.Compact(&b, []byte(c.Query))
	return b.String(), err
}

// News implements [kind.News].
func (c *Config) News() {}

// Scatters implements [kind.Scatterer]: a document of an index is in one shard,
// but several indices may have documents of one _id.
func (c *Config) Scatters(merged bool) bool {
	return merged && strings.ContainsAny(strings.Join(c.Index, ","), "*,")
}

// Notes implements [kind.Noter].
func (c *Config) Notes(env kind.Env) []string {
	if env.New && c.Deletes == "ignore" {
		return []string{"deletes are not propagated: documents that are deleted at the source stay at the sink"}
	}
	return nil
}

// Gives implements [kind.Source].
func (c *Config) Gives() kind.Form { return c.gives() }

// Identity implements [kind.Source].
func (c *Config) Identity() string {
	id := c.Endpoint() + " index " + strings.Join(c.Index, ",")
	if len(c.Exclude) > 0 {
		id += " without " + strings.Join(c.Exclude, ",")
	}
	if c.Query != "" {
		query, _ := c.query()
		id += " query " + query
	}
	if f := c.Fields; len(f.Include) > 0 {
		id += " with fields " + strings.Join(f.Include, ",")
	}
	if f := c.Fields; len(f.Exclude) > 0 {
		id += " without fields " + strings.Join(f.Exclude, ",")
	}
	return id + c.taking()
}

// Build implements [kind.Source].
func (c *Config) Build(env kind.Env) (pipeline.Source, error) { return c.source(env) }

func (c *Config) source(env kind.Env) (*Source, error) {
	query, err := c.query()
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	fields := c.Fields.member()
	s := &Source{
		config: *c, query: query, digest: digest(query + fields), extra: fields, keepAlive: time.Duration(c.KeepAlive),
		blocks: max(3, env.Workers+2), maxRecord: env.MaxRecord, news: env.New, versions: env.Versions, target: env.Target, scratch: env.Scratch,
		withVersion: slices.Contains(c.With, "version"), withSeqNo: slices.Contains(c.With, "seq_no"),
	}
	if s.withVersion {
		s.extra += `,"version":true`
	}
	if s.withSeqNo || s.news && s.versions {
		s.seqNo = `,"seq_no_primary_term":true`
	}
	return s, nil
}
