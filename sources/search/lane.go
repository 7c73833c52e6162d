package search

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// lane is one shard being read.
type lane struct {
	*reader
	pipeline.Lane
	spec    spec
	query   string // JSON: which documents of the index
	out     chan<- *pipeline.Item
	context saved
	asked   time.Time // when the context was last used
	split   *splitter
	pages   pager
	at      place // what was read up to

	quota   *pipeline.Quota
	block   *pipeline.Block   // nil: none begun
	records int64             // in block
	marked  int               // where the record begins that is being written; -1: none is
	from    pipeline.Position // where it begins
	meta    *pipeline.Meta
	fields  []byte      // of the record, between _routing and _source
	timer   *time.Timer // until the context is to be used
}

// Read implements [pipeline.Reader].
func (r *reader) Read(ctx context.Context, pl pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	if strings.HasPrefix(pl.ID, deletesID) {
		return r.readDeletes(ctx, pl, from, out)
	}
	if pl.Aside {
		return r.describe(ctx, pl, from, out)
	}
	at, err := parse(from)
	if err != nil {
		return err
	}
	s, err := specOf(pl)
	if err != nil {
		return err
	}
	if r.config.Read == "scroll" && s.Way != sequence {
		s.Way = scroll
	}
	l := &lane{
		reader: r, Lane: pl, spec: s, query: both(r.query, s.Filter), out: out, split: newSplitter(), pages: newPager(int64(r.config.Page), s.Window),
		at: at, from: from, marked: -1, quota: pipeline.NewQuota(r.blocks), meta: &pipeline.Meta{Index: s.Index}, timer: time.NewTimer(time.Hour),
	}
	defer func() {
		if l.block != nil {
			l.block.Release() // nobody has got it
		}
	}()
	run := l.run
	if s.Way == sequence {
		run = l.sequence
	}
	if err := run(ctx); err != nil {
		return fmt.Errorf("index %s, shard %d: %w", s.Index, s.Shard, err)
	}
	return nil
}

// run finds the context from which the lane reads, and reads it.
func (l *lane) run(ctx context.Context) error {
	c, ok, err := l.known(l.Lane)
	if err != nil {
		return err
	}
	l.context, l.asked = c, time.Now()
	switch {
	case l.at.bySeq, ok && c.Complete && l.at.count == c.Total:
		l.done()
		return l.contextEnd(ctx)
	case ok && c.Lost:
		return l.startOver(ctx, errors.New("it gave another number of records than it holds"))
	case ok && (c.Way == scroll || l.spec.Way == scroll):
		return l.startOver(ctx, errors.New("a scroll cannot be gone on with"))
	case !ok && l.at.count > 0:
		return l.startOver(ctx, errForgotten)
	case !ok:
		if gone, err := l.begin(ctx); gone || err != nil {
			return err
		}
	}
	if l.spec.Shared && l.context.Total == 0 {
		return l.finish(ctx)
	}
	return l.readAll(ctx)
}

// begin opens a context for the lane. Where the index is followed afterwards,
// all is in it that lies before the checkpoint at which that begins.
func (l *lane) begin(ctx context.Context) (gone bool, err error) {
	if l.news {
		if gone, err = l.prepare(ctx); gone || err != nil {
			return gone, err
		}
	}
	return false, l.open(ctx)
}

// done keeps the context until all that it gave is durable.
func (l *lane) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read[l.Name] = l.context
}

// readAll reads page after page, from a point in time again if need be.
func (l *lane) readAll(ctx context.Context) error {
	tries := l.client.Retrier()
	for {
		before := l.at.count
		hits, err := l.page(ctx)
		if err == nil && hits == 0 {
			return l.finish(ctx)
		}
		if err == nil {
			if l.context.Way != scroll { // its pages keep their size
				l.pages.adapt(hits, l.split.bytes)
			}
			tries.Reset()
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if l.context.Context != "" && (gone(err) || l.context.Way == scroll && nodeLost(err)) {
			return l.startOver(ctx, fmt.Errorf("%w (a longer keep_alive may help)", err))
		}
		if l.context.Way == scroll && l.context.Context != "" {
			l.end(ctx, l.context)
			return fmt.Errorf("scroll page after record %d of %d: %w (a scroll's page is never asked for twice; the next run reads this shard from its beginning)", l.at.count, l.context.Total, err)
		}
		if l.at.count > before {
			tries.Reset()
		}
		if hits := l.pages.hits; l.pages.overloaded(err) && hits > 1 {
			tries.Reset()
		}
		if err = tries.Wait(ctx, again(err)); err != nil {
			return fmt.Errorf("page after record %d of %d: %w", l.at.count, l.context.Total, vanished(err))
		}
	}
}

// finish ends a lane whose context had nothing more to give.
func (l *lane) finish(ctx context.Context) error {
	if l.at.count != l.context.Total {
		l.context.Lost = true
		if err := l.put(l.Lane, l.context); err != nil {
			return err
		}
		return fmt.Errorf("its snapshot holds %d records, but gave %d; the next run reads the shard again", l.context.Total, l.at.count)
	}
	if err := l.contextEnd(ctx); err != nil {
		return err
	}
	l.context.Complete = true
	if err := l.put(l.Lane, l.context); err != nil {
		return err
	}
	if l.context.Way == scroll || l.context.Total == 0 { // nothing will be read from it again
		l.drop(ctx, l.context, l.Parts)
		return nil
	}
	l.done()
	return nil
}

// contextEnd gives what is left. Where the index is followed afterwards, its
// position is where that begins.
func (l *lane) contextEnd(ctx context.Context) error {
	if l.news && !l.at.bySeq {
		l.at = place{count: l.at.count, bySeq: true, seq: l.context.To}
	}
	if l.records > 0 {
		return l.give(ctx, l.item())
	}
	if !l.news {
		return nil
	}
	return l.give(ctx, &pipeline.Item{Pos: l.at.position()})
}

// pager says how many hits a page is to have: about as many as make up its
// size in bytes, and fewer while the cluster cannot take it.
type pager struct {
	hits    int
	window  int
	most    int64 // bytes of a page
	target  int64 // bytes of the next one; less than most after the cluster was overloaded
	average int64 // bytes of a hit of the last page that went well
	growth  int   // of hits, from one page to the next, at most
}

const (
	firstPage = 500
	leastPage = 64 << 10 // what is overload with less than that is so for other reasons
)

func newPager(target int64, window int) pager {
	return pager{hits: min(firstPage, max(1, window)), window: max(1, window), most: target, target: target, growth: 4}
}

// adapt follows a page that went well.
func (p *pager) adapt(hits int, bytes int64) {
	p.average = max(1, bytes/int64(hits))
	p.target = min(p.target+p.target/8, p.most)
	fit := int(p.target / p.average)
	p.hits = max(1, min(fit, p.hits*p.growth+1, p.window))
}

// overloaded halves pages if that is what the cluster complains about. They
// become larger again by bytes and slowly: where only one document fits, the
// cluster is not asked for two after each. It reports whether the page was too
// large: a smaller one is not the same that is tried again.
func (p *pager) overloaded(err error) bool {
	a := cluster.AsError(err)
	if a == nil || a.Status != http.StatusTooManyRequests && !a.Has(tooLarge) {
		return false
	}
	p.hits = max(1, p.hits/2)
	p.target = min(p.target, max(leastPage, int64(p.hits)*p.average))
	return a.Has(tooLarge)
}

// tooLarge is what the cluster says of a page for which it has no room.
const tooLarge = "circuit_breaking_exception"
