package search

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Index is an index that exists, and no alias, pattern or data stream.
type Index struct {
	Name     string
	UUID     string
	Shards   int               // primary shards
	Settings map[string]string // those in lookedAt, flat: "index.mode"; lists are left out
	Filter   string            // JSON of a query: only what it matches was asked for; "": all
}

// lookedAt is the settings that anybody looks at, below index.
var lookedAt = []string{
	"uuid", "number_of_shards", "number_of_replicas", "max_result_window", "hidden", "blocks", "mode",
	"mapping.source.mode", "derived_source.enabled", "replication.type", "soft_deletes.enabled",
	"default_pipeline", "final_pipeline", "refresh_interval", "auto_expand_replicas",
}

// Indices returns the indices, open or closed, that names and wildcards stand
// for, by name. A name that does not exist is an error; a wildcard that matches
// nothing is none.
func (c *Client) Indices(ctx context.Context, patterns []string) ([]Index, error) {
	var list []Request
	for part := range Lists(names(patterns)) {
		list = append(list, Request{Path: Path(part) + "/_settings"})
	}
	found, err := c.settings(ctx, list)
	if err != nil {
		return nil, err
	}
	out := make([]Index, 0, len(found))
	for _, i := range found {
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b Index) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// settings makes requests for settings, and gives what they are answered, by
// name.
func (c *Client) settings(ctx context.Context, list []Request) (map[string]Index, error) {
	out := map[string]Index{}
	filter := "*.settings.index." + strings.Join(lookedAt, ",*.settings.index.")
	for _, r := range list {
		if r.Query == nil {
			r.Query = url.Values{}
		}
		r.Query.Set("filter_path", filter)
		var reply map[string]struct{ Settings map[string]any }
		if err := c.Call(ctx, r, &reply); err != nil {
			return nil, err
		}
		for name, r := range reply {
			i := Index{Name: name, Settings: map[string]string{}}
			flatten(i.Settings, "", r.Settings)
			i.UUID = i.Settings["index.uuid"]
			var err error
			if i.Shards, err = strconv.Atoi(i.Settings["index.number_of_shards"]); err != nil || i.UUID == "" {
				return nil, fmt.Errorf("index %s: its settings name no UUID or no number of shards", name)
			}
			out[name] = i
		}
	}
	return out, nil
}

// flatten adds the texts below a setting under their whole names.
func flatten(into map[string]string, name string, value any) {
	switch v := value.(type) {
	case string:
		into[name] = v
	case map[string]any:
		for key, below := range v {
			flatten(into, strings.TrimPrefix(name+"."+key, "."), below)
		}
	}
}

// names splits lists with commas.
func names(patterns []string) (list []string) {
	for _, p := range patterns {
		for n := range strings.SplitSeq(p, ",") {
			if n = strings.TrimSpace(n); n != "" {
				list = append(list, n)
			}
		}
	}
	return list
}

// Wildcards is one expression for names in which * stands for anything.
func Wildcards(patterns []string) *regexp.Regexp {
	list := names(patterns)
	for i, p := range list {
		list[i] = strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, `.*`)
	}
	if len(list) == 0 {
		return regexp.MustCompile(`$^`) // matches nothing that is not empty
	}
	return regexp.MustCompile(`^(?:` + strings.Join(list, "|") + `)$`)
}
