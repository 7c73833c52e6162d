package search

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// catalog is what the cluster has under some names.
type catalog struct {
	closed  map[string]bool     // the indices
	aliases map[string][]string // to what they stand for: indices, data streams
	streams map[string][]string // data streams, to their indices in order
	stream  map[string]string   // indices, to the data stream they belong to
}

func newCatalog() *catalog {
	return &catalog{closed: map[string]bool{}, aliases: map[string][]string{}, streams: map[string][]string{}, stream: map[string]string{}}
}

// resolve adds what names and wildcards match; hidden says whether a wildcard
// matches what is hidden. A name that does not exist adds nothing.
func (c *Client) resolve(ctx context.Context, into *catalog, list []string, hidden bool) error {
	for part := range Lists(list) {
		var reply struct {
			Indices []struct {
				Name       string
				Attributes []string
				Stream     string `json:"data_stream"`
			}
			Aliases []struct {
				Name    string
				Indices []string
			}
			Streams []struct {
				Name    string
				Indices []string `json:"backing_indices"`
			} `json:"data_streams"`
		}
		err := c.Call(ctx, Request{Path: Path("_resolve", "index", part), Query: expand(hidden)}, &reply)
		if err != nil {
			return fmt.Errorf("index %.200s: %w", part, err)
		}
		for _, i := range reply.Indices {
			into.closed[i.Name] = slices.Contains(i.Attributes, "closed")
			into.stream[i.Name] = i.Stream
		}
		for _, a := range reply.Aliases {
			into.aliases[a.Name] = a.Indices
		}
		for _, s := range reply.Streams {
			into.streams[s.Name] = s.Indices
		}
	}
	return nil
}

// expand is the parameters of requests about names and wildcards: closed
// indices are given, and what does not exist is no error.
func expand(hidden bool) url.Values {
	what := "open,closed"
	if hidden {
		what += ",hidden"
	}
	return url.Values{"expand_wildcards": {what}, "ignore_unavailable": {"true"}}
}

// known says whether there is something of the name.
func (k *catalog) known(name string) bool {
	_, index := k.closed[name]
	return index || k.aliases[name] != nil || k.streams[name] != nil
}

// names gives all there is, in order.
func (k *catalog) names() []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(k.closed)), maps.Keys(k.aliases))
	all = slices.AppendSeq(all, maps.Keys(k.streams))
	slices.Sort(all)
	return slices.Compact(all)
}

// use is how an alias stands for an index or a data stream.
type use struct {
	Filter  json.RawMessage
	Routing string `json:"search_routing"`
}

// uses asks how aliases stand for what they stand for: by alias, by target.
func (c *Client) uses(ctx context.Context, aliases []string) (map[string]map[string]use, error) {
	out := map[string]map[string]use{}
	for part := range Lists(aliases) {
		var reply map[string]struct{ Aliases map[string]use }
		if err := c.Call(ctx, Request{Path: Path("_alias", part)}, &reply); err != nil {
			return nil, fmt.Errorf("alias %.200s: %w", part, err)
		}
		for target, r := range reply {
			for alias, u := range r.Aliases {
				if out[alias] == nil {
					out[alias] = map[string]use{}
				}
				out[alias][target] = u
			}
		}
	}
	return out, nil
}

// maxList is about how long a list of names in an address may be, escaped.
// Clusters take addresses of 4,096 bytes if nothing else is configured.
const maxList = 3000

// Lists joins names by commas, to lists of which each fits into an address.
func Lists(names []string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for len(names) > 0 {
			n, size := 0, 0
			for n < len(names) && (n == 0 || size+len(url.PathEscape(names[n])) <= maxList) {
				size += len(url.PathEscape(names[n])) + len("%2C")
				n++
			}
			if !yield(strings.Join(names[:n], ",")) {
				return
			}
			names = names[n:]
		}
	}
}
