package search

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// unknown is the end of a lane that was not known when it was planned, because
// its shard had no primary.
const unknown = -2

// sequence reads the lane by windows of sequence numbers: all hits of a window
// are read before the next one begins, and nothing at the cluster must be kept
// for that. A lane that follows ends at its checkpoint. One that is read once
// goes on until a page without an upper bound holds all that is left: then each
// document is in what was read, in the version that it had at that moment or an
// earlier one, however busy the index was and whichever copy was asked.
func (l *lane) sequence(ctx context.Context) error {
	gone, err := l.prepare(ctx)
	if gone || err != nil {
		return err
	}
	if !l.at.bySeq {
		l.at.bySeq, l.at.seq = true, l.spec.From
	}
	width, tries := int64(l.pages.hits), l.client.Retrier()
	for all := false; !all; {
		before := l.at.count
		w := l.window(width)
		if w.to <= w.after && l.news {
			break
		}
		if w.to <= w.after {
			if err := l.settle(ctx); err != nil {
				return err
			}
			w.to = open
		}
		err := l.numbers(ctx, &w)
		if err == nil {
			if w.hits > 0 {
				l.pages.adapt(w.hits, l.split.bytes)
			}
			width, all = w.wider(width, l.pages.hits), w.to == open && w.whole()
			tries.Reset()
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if a := cluster.AsError(err); a != nil && a.Has("index_not_found_exception") && l.news {
			pipeline.Logger(ctx).Info("the index was deleted", "index", l.spec.Index)
			return nil
		}
		if l.pages.overloaded(err) && width > 1 {
			width /= 2
			tries.Reset()
		}
		if l.at.count > before {
			tries.Reset()
		}
		if err = tries.Wait(ctx, again(err)); err != nil {
			return fmt.Errorf("page after sequence number %d of %d: %w", l.at.seq, l.spec.To, vanished(err))
		}
	}
	return l.sequenceEnd(ctx)
}

// sequenceEnd gives what is left. The position of what follows the last record
// is the end of the lane, where the next pass goes on.
func (l *lane) sequenceEnd(ctx context.Context) error {
	if !l.news {
		if _, err := l.planned(ctx); err != nil {
			return err
		}
	}
	if l.records > 0 {
		return l.give(ctx, l.item())
	}
	if end := l.at.position(); end != l.from {
		return l.give(ctx, &pipeline.Item{Pos: end})
	}
	return nil
}

// open is the upper bound of a window that has none.
const open = -1

// window is a range of sequence numbers, and what a page of it said and gave.
type window struct {
	after, to int64 // the first is not in it, the last is
	size      int   // most hits that the page may have
	total     int64 // hits in the window
	hits      int   // on the page
}

// window gives the next one, of a width if the end of the lane allows. At the
// end there is nothing in it.
func (l *lane) window(width int64) window {
	return window{after: l.at.seq, to: min(l.at.seq+width, l.spec.To), size: min(max(l.pages.hits, l.at.tied.n+2), max(l.pages.window, 2))}
}

// whole says whether the page held all of the window.
func (w *window) whole() bool { return int64(w.hits) == w.total }

// check compares the page with what the cluster said of the window.
func (w *window) check() error {
	if w.whole() || w.hits == w.size && w.total > int64(w.size) {
		return nil
	}
	return cluster.Again("short page", fmt.Errorf("a page of %d hits, where %d of %d were to come", w.hits, min(int64(w.size), w.total), w.total))
}

// wider gives a width for the next window, in which there are about as many
// hits as asked for.
func (w *window) wider(width int64, hits int) int64 {
	if w.to == open {
		return width
	}
	const most = 16
	grow := float64(most)
	if w.total > 0 {
		grow = float64(hits) / float64(w.total)
	}
	return max(1, int64(float64(w.to-w.after)*min(most, max(grow, 1./most))))
}

// numbers asks for a page of a window and takes its hits. What was taken stays
// taken if it fails: the next one begins after it.
func (l *lane) numbers(ctx context.Context, w *window) error {
	resp, err := l.client.Do(ctx, l.numbersRequest(w))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	l.split.reset(resp.Body, func(h *hit, raw, part []byte) error { return l.part(ctx, h, raw, part) })
	defer l.unmark()
	h, err := l.split.head()
	if err == nil {
		err = h.check(1)
	}
	if err == nil && (h.Hits.Total == nil || h.Hits.Total.Relation != "eq") {
		err = cluster.Again("malformed reply", errors.New("the reply has no exact number of hits"))
	}
	for err == nil {
		var ok bool
		if ok, err = l.split.next(); !ok {
			break
		}
		w.hits++
		err = l.takeNumber(ctx, w)
	}
	if err != nil {
		return err
	}
	if w.total = h.Hits.Total.Value; w.check() != nil {
		return w.check()
	}
	if w.whole() {
		l.at.pass(max(w.to, l.at.next, l.at.seq))
	}
	return nil
}

func (l *lane) numbersRequest(w *window) cluster.Request {
	preference := shards(l.spec.Shard)
	if l.spec.Primary {
		preference += "|_primary"
	}
	bound := ""
	if w.to != open {
		bound = `,"lte":` + strconv.FormatInt(w.to, 10)
	}
	body := fmt.Appendf(nil, `{"size":%d,"track_total_hits":true,"sort":[{"_seq_no":{"order":"asc","unmapped_type":"long"}}]%s,"seq_no_primary_term":true,"query":{"bool":{"filter":[{"range":{"_seq_no":{"gt":%d%s}}},%s]}}}`,
		w.size, l.extra, w.after, bound, l.query)
	return cluster.Request{
		Path: cluster.Path(l.spec.Index) + "/_search", Body: body, Hits: w.size,
		Query: url.Values{"preference": {preference}, "allow_partial_search_results": {"false"}, "request_cache": {"false"}},
	}
}

// takeNumber takes the last hit, unless an earlier page gave it.
func (l *lane) takeNumber(ctx context.Context, w *window) error {
	h, raw := &l.split.hit, l.split.raw()
	number, err := strconv.ParseInt(string(h.seq.of(raw)), 10, 64)
	if err != nil {
		return fmt.Errorf("_id %s: _seq_no: %w", h.id.of(raw), err)
	}
	if number <= l.at.seq || number < l.at.next || w.to != open && number > w.to {
		return cluster.Again("malformed reply", fmt.Errorf("_id %s: sequence number %d is out of order", h.id.of(raw), number))
	}
	if number == l.at.next && l.at.tied.has(h.id.of(raw)) {
		l.unmark()
		return nil
	}
	l.at.number(number, h.id.of(raw))
	return l.take(ctx)
}
