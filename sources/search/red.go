package search

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// health is what a cluster says of indices, or of shards.
type health struct {
	Indices map[string]struct {
		Status string
		Shards map[string]struct {
			Active bool `json:"primary_active"`
		}
	}
}

// red finds shards that cannot be read now, by index. Where the cluster does
// not say how they are, which takes a privilege, their lanes will find out.
func (r *reader) red(ctx context.Context, s *cluster.Selection) (map[string][]string, error) {
	out := map[string][]string{}
	var names []string
	for _, req := range s.Requests("/_cluster/health", "", url.Values{"level": {"indices"}, "filter_path": {"indices.*.status"}, "timeout": {"1s"}}) {
		h, err := r.health(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, i := range s.Indices {
			if h.Indices[i.Name].Status == "red" {
				names = append(names, i.Name)
			}
		}
	}
	for part := range cluster.Lists(names) {
		h, err := r.health(ctx, cluster.Request{
			Path:  cluster.Path("_cluster", "health", part),
			Query: url.Values{"level": {"shards"}, "filter_path": {"indices.*.shards.*.primary_active"}, "timeout": {"1s"}},
		})
		if err != nil {
			return nil, err
		}
		for name, i := range h.Indices {
			for shard, is := range i.Shards {
				if !is.Active {
					out[name] = append(out[name], shard)
				}
			}
		}
	}
	return out, nil
}

// health asks how indices are. It is no error if the cluster does not say so.
func (r *reader) health(ctx context.Context, req cluster.Request) (h health, err error) {
	if err = r.client.CallOnce(ctx, req, &h); err == nil {
		return h, nil
	}
	pipeline.Logger(ctx).Debug("the health of indices is not known", "error", err)
	return health{}, context.Cause(ctx)
}

// sick says which shards cannot be read now, one index a line.
func (f *found) sick() (list []string) {
	for _, name := range slices.Sorted(maps.Keys(f.red)) {
		shards := slices.SortedFunc(slices.Values(f.red[name]), func(a, b string) int {
			x, _ := strconv.Atoi(a)
			y, _ := strconv.Atoi(b)
			return x - y
		})
		list = append(list, fmt.Sprintf("index %s: no active primary of shard %s", name, strings.Join(shards, ", ")))
	}
	return list
}

// readable gives the first index that can be read now, if there is one.
func (f *found) readable() string {
	for _, i := range f.indices {
		if f.red[i.Name] == nil {
			return i.Name
		}
	}
	return f.indices[0].Name
}
