package search

import (
	"context"
	"fmt"
	"strings"

	"sluice/pipeline"
)

// One point in time can hold all shards of an index. Each lane then reads the
// slice of it that is its shard: with as many slices as shards, a slice is a
// shard (https://www.elastic.co/docs/reference/elasticsearch/rest-apis/paginate-search-results#slice-scroll),
// so lanes may as well read from different ones, as happens when one is lost.

// shards is how many shards answer a page.
func (c *saved) shards() int { return max(1, c.Shards) }

// sort is an order without ties: _doc is one of a shard only.
func (c *saved) sort() string {
	if c.Shards > 0 {
		return `["_doc",{"_shard_doc":"asc"}]`
	}
	return `["_doc"]`
}

// slice is the member of a body that chooses the lane's part of a shared context.
func (l *lane) slice() string {
	if l.context.Shards == 0 {
		return ""
	}
	return fmt.Sprintf(`,"slice":{"id":%d,"max":%d}`, l.spec.Shard, l.context.Shards)
}

// sharing stands for the lanes of the index in the bucket of contexts; no lane
// has this name.
func (l *lane) sharing() pipeline.Lane {
	return pipeline.Lane{Name: "/" + l.spec.Index, ID: l.spec.UUID}
}

// common is what the lanes of an index have in common of a context.
func (c *saved) common() saved {
	uuid, _, _ := strings.Cut(c.ID, "/")
	return saved{Pass: c.Pass, ID: uuid, Way: c.Way, Context: c.Context, Shards: c.Shards}
}

// tryShare takes the context that another lane of the index has opened, if it
// is still there, or opens one.
func (l *lane) tryShare(ctx context.Context) error {
	st := l.stateOf(l.spec.Index)
	st.mu.Lock()
	defer st.mu.Unlock()
	c, ok, err := l.known(l.sharing())
	if err != nil {
		return err
	}
	if ok && c.Way == l.context.Way {
		l.context.Context = c.Context
		l.context.Total, err = l.ping(ctx, true)
		if err == nil || !gone(err) {
			return again(err)
		}
	}
	if err := l.tryOpen(ctx); err != nil {
		l.end(ctx, l.context) // nobody else has it
		return err
	}
	return l.note() // it may have got another name
}

// close closes the context of the lane, unless others use it.
func (l *lane) close(ctx context.Context) {
	if !l.spec.Shared {
		l.end(ctx, l.context)
	}
}

// drop closes a context that a lane needs no more, unless others do.
func (r *reader) drop(ctx context.Context, c saved, lanes int) {
	if c.Shards > 0 {
		uuid, _, _ := strings.Cut(c.ID, "/")
		r.mu.Lock()
		r.shared[uuid]++
		last := r.shared[uuid] == lanes
		r.mu.Unlock()
		if !last {
			return
		}
	}
	r.end(ctx, c)
}
