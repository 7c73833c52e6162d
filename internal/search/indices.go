package search

import (
	"context"
	"encoding/json"
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
	Settings map[string]string // flat: "index.mode"; lists are left out
}

// Indices returns the open indices that patterns (names, wildcards, aliases,
// data streams) stand for and exclude (names, wildcards) does not, by name. A
// wildcard stands for hidden indices, and for those whose names begin with a
// dot, only if it begins with a dot itself. A name that does not exist is an
// error; a wildcard that matches nothing is none.
func (c *Client) Indices(ctx context.Context, patterns, exclude []string) ([]Index, error) {
	var out []Index
	not := Wildcards(exclude)
	seen := map[string]bool{}
	for _, p := range names(patterns) {
		list, err := c.settings(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("index %s: %w", p, err)
		}
		wild := strings.Contains(p, "*") || p == "_all"
		for _, i := range list {
			unasked := wild && !strings.HasPrefix(p, ".") && strings.HasPrefix(i.Name, ".") && !strings.HasPrefix(i.Name, ".ds-")
			if unasked || seen[i.Name] || not.MatchString(i.Name) {
				continue
			}
			seen[i.Name] = true
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b Index) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// settings asks for the settings of what one pattern stands for.
func (c *Client) settings(ctx context.Context, pattern string) ([]Index, error) {
	hidden := ""
	if strings.HasPrefix(pattern, ".") {
		hidden = ",hidden"
	}
	var reply map[string]struct{ Settings map[string]json.RawMessage }
	err := c.Call(ctx, Request{
		Path:  Path(pattern) + "/_settings",
		Query: url.Values{"flat_settings": {"true"}, "expand_wildcards": {"open" + hidden}},
	}, &reply)
	if err != nil {
		return nil, err
	}
	var list []Index
	for name, r := range reply {
		i := Index{Name: name, Settings: map[string]string{}}
		for key, raw := range r.Settings {
			var text string
			if json.Unmarshal(raw, &text) == nil {
				i.Settings[key] = text
			}
		}
		i.UUID = i.Settings["index.uuid"]
		if i.Shards, err = strconv.Atoi(i.Settings["index.number_of_shards"]); err != nil || i.UUID == "" {
			return nil, fmt.Errorf("%s: its settings name no UUID or no number of shards", name)
		}
		list = append(list, i)
	}
	return list, nil
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
