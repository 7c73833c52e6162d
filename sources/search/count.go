package search

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"golang.org/x/sync/errgroup"

	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// mostCounted is the most lanes that are counted one by one.
const mostCounted = 256

// count finds out how many records lanes have, for progress: from what the
// cluster knows of its shards, if whole indices are read; else, or where it does
// not say so, by asking the shards, unless there are very many.
func (r *reader) count(ctx context.Context, f *found, lanes []pipeline.Lane) error {
	const unknown = -1
	for n := range lanes {
		lanes[n].Records = unknown
	}
	err := r.tally(ctx, f, lanes)
	for n := range lanes {
		if lanes[n].Records == unknown {
			lanes[n].Records = 0 // as the frame has it
			f.unknown++
		}
	}
	return err
}

// tally sets the numbers that it can find out.
func (r *reader) tally(ctx context.Context, f *found, lanes []pipeline.Lane) error {
	whole := r.config.Query == "" && !slices.ContainsFunc(f.indices, func(i cluster.Index) bool { return i.Filter != "" })
	switch {
	case whole && f.shards != nil:
		f.about = true
		return r.ahead(f, lanes)
	case whole && r.stats(ctx, f, lanes):
		f.about = true
		return nil
	case len(lanes) > mostCounted, len(r.pass.Last) > 0: // too many, or too often
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for n := range lanes {
		g.Go(func() error { return r.countOne(ctx, &lanes[n]) })
	}
	return g.Wait()
}

// ahead takes the numbers that are known with the sequence numbers: no more
// documents are to come than there are, or operations that were not yet read.
func (r *reader) ahead(f *found, lanes []pipeline.Lane) error {
	for n := range lanes {
		l := &lanes[n]
		s, err := specOf(*l)
		if err != nil {
			return err
		}
		known := f.shards[s.Index].Shards
		if s.Shard >= len(known) || known[s.Shard] == nil {
			continue
		}
		l.Records = known[s.Shard].Documents
		last := r.pass.Last[l.Name]
		if at, err := parse(last.Pos); err == nil && at.bySeq && last.ID == l.ID {
			l.Records = min(l.Records, s.To-at.seq)
		}
	}
	return nil
}

// stats takes the numbers that the cluster keeps. Nested documents are in them.
func (r *reader) stats(ctx context.Context, f *found, lanes []pipeline.Lane) (ok bool) {
	records := map[string]int64{} // by lane
	for _, req := range f.selection.Requests("", "/_stats/docs", url.Values{
		"level": {"shards"}, "filter_path": {"indices.*.shards.*.docs.count,indices.*.shards.*.routing.primary"},
	}) {
		var reply struct {
			Indices map[string]struct {
				Shards map[string][]struct {
					Routing struct{ Primary bool }
					Docs    struct{ Count int64 }
				}
			}
		}
		if err := r.client.CallOnce(ctx, req, &reply); err != nil {
			pipeline.Logger(ctx).Debug("the cluster does not say how many documents there are", "error", err)
			return false
		}
		for name, i := range reply.Indices {
			for shard, copies := range i.Shards {
				for _, c := range copies {
					if c.Routing.Primary {
						records[name+"-"+shard] = c.Docs.Count
					}
				}
			}
		}
	}
	for n := range lanes {
		if known, ok := records[lanes[n].Name]; ok {
			lanes[n].Records = known
		}
	}
	return true
}

// countOne asks the shard. One that cannot say so now may be back when its turn
// comes; a request that is refused would be refused then too.
func (r *reader) countOne(ctx context.Context, l *pipeline.Lane) error {
	s, err := specOf(*l)
	if err != nil {
		return err
	}
	var reply counted
	err = r.client.CallOnce(ctx, cluster.Request{
		Path:  cluster.Path(s.Index) + "/_search",
		Query: url.Values{"preference": {shards(s.Shard)}, "allow_partial_search_results": {"false"}},
		Body:  fmt.Appendf(nil, `{"size":0,"track_total_hits":true,"query":%s}`, both(r.query, s.Filter)),
	}, &reply)
	if refused(err) {
		return err
	}
	if err != nil {
		pipeline.Logger(ctx).Warn("the number of documents is not known", "shard", l.Name, "error", err)
		return context.Cause(ctx)
	}
	l.Records = reply.Hits.Total.Value
	return nil
}
