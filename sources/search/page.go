package search

import (
	"context"
	"errors"
	"fmt"

	"net/url"
	"strconv"
	"time"

	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// page asks for the next page and takes its hits. What was taken stays taken
// if the page fails later: the next one begins after it.
func (l *lane) page(ctx context.Context) (hits int, err error) {
	r := l.request()
	r.Hits = l.pages.hits
	resp, err := l.client.Do(ctx, r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	l.split.reset(resp.Body, func(h *hit, raw, part []byte) error { return l.part(ctx, h, raw, part) })
	defer l.unmark()
	h, err := l.split.head()
	// OpenSearch 1 and Elasticsearch 7 end every page of a scroll early that is
	// full and not the last one.
	early := h.TerminatedEarly && l.context.Way == scroll && l.context.Context != ""
	h.TerminatedEarly = h.TerminatedEarly && !early
	if err == nil {
		err = h.check(l.context.shards())
	}
	if err == nil {
		err = l.renew(ctx, &h)
	}
	for err == nil {
		var ok bool
		if ok, err = l.split.next(); !ok {
			break
		}
		hits++
		err = l.take(ctx)
	}
	if err == nil && early && hits < l.pages.hits {
		err = errEarly
	}
	return hits, err
}

// request is the request for the next page.
func (l *lane) request() cluster.Request {
	whole := url.Values{"allow_partial_search_results": {"false"}}
	if l.context.Way != scroll {
		body := fmt.Appendf(nil, `{"size":%d,"track_total_hits":false,"sort":%s%s%s,"query":%s,"pit":{"id":%q,"keep_alive":%q}%s`,
			l.pages.hits, l.context.sort(), l.extra, l.seqNo, l.query, l.context.Context, l.alive(), l.slice())
		if l.at.count > 0 {
			body = fmt.Appendf(body, `,"search_after":%s`, l.at.after)
		}
		return cluster.Request{Path: "/_search", Query: whole, Body: append(body, '}')}
	}
	if l.context.Context == "" {
		whole.Set("scroll", l.alive())
		whole.Set("preference", shards(l.spec.Shard))
		return cluster.Request{
			Path: cluster.Path(l.spec.Index) + "/_search", Query: whole,
			Body: fmt.Appendf(nil, `{"size":%d,"track_total_hits":true,"sort":["_doc"]%s%s,"query":%s}`, l.pages.hits, l.extra, l.seqNo, l.query),
		}
	}
	return cluster.Request{Path: "/" + string(scroll), Body: fmt.Appendf(nil, `{"scroll":%q,"scroll_id":%q}`, l.alive(), l.context.Context)}
}

// renew takes over what a page says of its context: a scroll's first page
// opens it, and any page may give the context another name.
func (l *lane) renew(ctx context.Context, h *head) error {
	id, first := h.PIT, l.context.Context == ""
	if l.context.Way == scroll {
		id = h.Scroll
	}
	if first && (id == "" || h.Hits.Total == nil || h.Hits.Total.Relation != "eq") {
		return errors.New("the reply that opens a scroll has no _scroll_id or no exact number of hits")
	}
	l.asked = time.Now()
	if id == "" || id == l.context.Context {
		return nil
	}
	l.context.Context = id
	if !first {
		return l.put(l.Lane, l.context)
	}
	l.context.Total = h.Hits.Total.Value
	if err := l.note(); err != nil {
		return err
	}
	return l.opened(ctx)
}

// sample finds out how large hits are, because the pages of a scroll keep the
// size they began with.
func (l *lane) sample(ctx context.Context) error {
	const size = 20
	err := l.client.Retry(ctx, func() error {
		resp, err := l.client.Do(ctx, cluster.Request{
			Path:  cluster.Path(l.spec.Index) + "/_search",
			Query: url.Values{"preference": {shards(l.spec.Shard)}, "allow_partial_search_results": {"false"}, "size": {strconv.Itoa(size)}},
			Body:  fmt.Appendf(nil, `{"track_total_hits":false,"sort":["_doc"]%s,"query":%s}`, l.extra, l.query),
		})
		if err != nil {
			return again(err)
		}
		defer resp.Body.Close()
		l.split.reset(resp.Body, func(*hit, []byte, []byte) error { return nil })
		h, err := l.split.head()
		if err == nil {
			err = h.check(1)
		}
		hits := 0
		for ok := true; err == nil; hits++ {
			if ok, err = l.split.next(); !ok {
				break
			}
		}
		if hits > 0 {
			l.pages.growth = l.pages.window
			l.pages.adapt(hits, l.split.bytes)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look at the first hits: %w", vanished(err))
	}
	return nil
}

// take turns the last hit into a record of the block.
func (l *lane) take(ctx context.Context) error {
	h, raw := &l.split.hit, l.split.raw()
	if h.sort.to == 0 && l.context.Way != scroll {
		return fmt.Errorf("record %d: _id %s has no sort values", l.at.count, h.id.of(raw))
	}
	long, err := l.record(ctx, h, raw)
	if err != nil {
		return fmt.Errorf("record %d: %w", l.at.count, err)
	}
	l.at.count++
	if l.context.Way != scroll {
		l.at.after = append(l.at.after[:0], h.sort.of(raw)...)
	}
	if long {
		return l.bury(ctx, fmt.Errorf("_id %s: %d bytes: longer than max_record (%d)", h.id.of(raw), h.size(), l.maxRecord))
	}
	l.records++
	if len(l.block.B()) < pipeline.BlockSize {
		return nil
	}
	return l.give(ctx, l.item())
}

// item makes an item of the block, which ends here.
func (l *lane) item() *pipeline.Item {
	it := l.block.Item(l.spec.Index, l.at.position(), l.records)
	it.Meta, it.From = l.meta, l.from
	l.block, l.records, l.from = nil, 0, it.Pos
	return it
}

// bury makes a dead letter of a record that is too long. The block ends with
// it, as it would have.
func (l *lane) bury(ctx context.Context, why error) error {
	it := l.item()
	n := it.Records
	if n == 0 {
		it.Release()
		it.Body, it.Size = nil, 0
	}
	it.Records, it.Counts.Read = n+1, 1
	if err := it.Bury(ctx, n, nil, why); err != nil {
		it.Release()
		return err
	}
	return l.give(ctx, it)
}
