package search

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Shard is what the primary of a shard knows of its operations, which the
// engine numbers from 0 on.
type Shard struct {
	Checkpoint int64  // up to this number all operations are on all copies and cannot be lost; -1: there are none
	Highest    int64  // number that was given to an operation; -1: none was
	History    string // UUID of its operations: another one, and the numbers mean something else
	Documents  int64  // about as many as there are
}

// Shards are the shards of one index.
type Shards struct {
	UUID   string   // of the index
	Shards []*Shard // by number; nil: it has no primary now
}

// Shards asks for the shards of indices, by name. What does not exist any more
// is left out.
func (c *Client) Shards(ctx context.Context, indices ...Index) (map[string]Shards, error) {
	out, err := c.active(ctx, indices)
	if err != nil {
		return nil, fmt.Errorf("sequence numbers: %w", err)
	}
	silent := slices.DeleteFunc(slices.Clone(indices), func(i Index) bool { _, ok := out[i.Name]; return ok })
	for chunk := range Chunks(silent) {
		there, err := c.settings(ctx, []Request{{Path: Path(chunk.Names) + "/_settings", Query: url.Values{"ignore_unavailable": {"true"}}}})
		if err != nil && !NotFound(err) {
			return nil, fmt.Errorf("whether indices exist: %w", err)
		}
		for _, i := range chunk.Indices {
			if now, ok := there[i.Name]; ok {
				out[i.Name] = Shards{now.UUID, make([]*Shard, i.Shards)}
			}
		}
	}
	return out, nil
}

// active asks for the shards of indices of which any copy is active. The
// statistics of an index without one, as when its cluster has just begun, are
// those of an index that does not exist: there are none.
func (c *Client) active(ctx context.Context, indices []Index) (map[string]Shards, error) {
	out := map[string]Shards{}
	for chunk := range Chunks(indices) {
		var reply shardStats
		err := c.Call(ctx, Request{
			Path: Path(chunk.Names) + "/_stats/docs",
			Query: url.Values{"level": {"shards"}, "ignore_unavailable": {"true"}, "filter_path": {
				"indices.*.uuid,indices.*.shards.*.routing,indices.*.shards.*.docs.count,indices.*.shards.*.seq_no,indices.*.shards.*.commit.user_data.history_uuid"}},
		}, &reply)
		if NotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, i := range chunk.Indices {
			if s, ok := reply.Indices[i.Name]; ok {
				out[i.Name] = Shards{s.UUID, s.primaries(i.Shards)}
			}
		}
	}
	return out, nil
}

// shardStats is the reply to _stats?level=shards.
type shardStats struct {
	Indices map[string]indexStats
}

type indexStats struct {
	UUID   string
	Shards map[string][]struct {
		Routing struct {
			State   string
			Primary bool
		}
		Docs  struct{ Count int64 }
		SeqNo struct {
			Max        *int64 `json:"max_seq_no"`
			Checkpoint *int64 `json:"global_checkpoint"`
		} `json:"seq_no"`
		Commit struct {
			User struct {
				History string `json:"history_uuid"`
			} `json:"user_data"`
		}
	}
}

func (s indexStats) primaries(n int) []*Shard {
	list := make([]*Shard, n)
	for number, copies := range s.Shards {
		i, err := strconv.Atoi(number)
		if err != nil || i >= n {
			continue
		}
		for _, c := range copies {
			active := c.Routing.State == "STARTED" || c.Routing.State == "RELOCATING"
			if active && c.Routing.Primary && c.SeqNo.Max != nil && c.SeqNo.Checkpoint != nil && c.Commit.User.History != "" {
				list[i] = &Shard{*c.SeqNo.Checkpoint, *c.SeqNo.Max, c.Commit.User.History, c.Docs.Count}
			}
		}
	}
	return list
}

// Refresh lets searches of an index find all that was acknowledged before. It
// makes sure that each copy of a shard which a search may ask has done it: one
// that has not hides documents, and says nothing of it.
func (c *Client) Refresh(ctx context.Context, index string) error {
	return c.Retry(ctx, func() error {
		var reply struct {
			Shards struct{ Total, Successful, Failed int } `json:"_shards"`
		}
		err := c.CallOnce(ctx, Request{Method: http.MethodPost, Path: Path(index) + "/_refresh"}, &reply)
		if err != nil {
			return fmt.Errorf("refresh: %w", err)
		}
		s := reply.Shards
		if s.Failed == 0 && s.Successful > 0 && s.Successful == s.Total {
			return nil
		}
		active, err := c.copies(ctx, index) // the others of the total may not be allocated
		if err != nil {
			return fmt.Errorf("refresh: %w", err)
		}
		if s.Failed > 0 || s.Successful < active {
			return Again("not refreshed", fmt.Errorf("refresh: %d of %d copies of shards have done it", s.Successful, active))
		}
		return nil
	})
}

// copies counts the copies of shards that searches may ask.
func (c *Client) copies(ctx context.Context, index string) (n int, err error) {
	var reply struct {
		Shards [][]struct{ State string }
	}
	err = c.CallOnce(ctx, Request{Path: Path(index) + "/_search_shards"}, &reply)
	for _, group := range reply.Shards {
		for _, s := range group {
			if s.State == "STARTED" || s.State == "RELOCATING" {
				n++
			}
		}
	}
	return n, err
}

// Chunk is some indices, and their names as one path segment.
type Chunk struct {
	Indices []Index
	Names   string
}

// Chunks cuts indices so that their names fit into an address.
func Chunks(indices []Index) func(yield func(Chunk) bool) {
	return func(yield func(Chunk) bool) {
		names := make([]string, len(indices))
		for n, i := range indices {
			names[n] = i.Name
		}
		left := indices
		for part := range Lists(names) {
			n := strings.Count(part, ",") + 1
			if !yield(Chunk{left[:n], part}) {
				return
			}
			left = left[n:]
		}
	}
}
