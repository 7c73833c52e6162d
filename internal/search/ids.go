package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sluice/pipeline"
)

// YieldID takes a document of an index. The slices are valid during the call;
// routing is empty if it has none.
type YieldID func(id, routing []byte, version int64) error

// IDs calls yield for each document that searches find in an index, as it was
// when its shard was begun. It gives all of them, or an error; after a failure on
// the way some are given again. An error of yield ends it. It holds one page in
// memory: usually less than 3 MiB, 10 MiB where every _id has 512 bytes.
func (c *Client) IDs(ctx context.Context, index Index, yield YieldID) error {
	size := idsPage
	if n, err := strconv.Atoi(index.Settings["index.max_result_window"]); err == nil && n > 0 {
		size = min(size, n)
	}
	for shard := range index.Shards {
		l := listing{Client: c, index: index.Name, shard: shard, size: size, yield: yield}
		if err := l.run(ctx); err != nil {
			return fmt.Errorf("list ids: index %s, shard %d: %w", index.Name, shard, err)
		}
	}
	list, err := c.Indices(ctx, []string{index.Name})
	if err == nil && (len(list) != 1 || list[0].UUID != index.UUID) {
		err = fmt.Errorf("list ids: index %s: it was deleted and created again meanwhile", index.Name)
	}
	return err
}

const (
	idsPage  = 5000 // hits of a page; its reply is held in memory
	idsAlive = "5m" // how long a context is kept after its last use
	idsAgain = 3    // how often a shard is begun again
)

// Points in time are opened and closed at the path of the engine's makers.
const (
	openSearchPIT = "/_search/point_in_time"
	elasticPIT    = "/_pit"
	scrollPath    = "/_search/scroll"
)

// listing lists the documents of one shard.
type listing struct {
	*Client
	index string
	shard int
	size  int
	yield YieldID
	again int // how often it was begun again

	path  string // of the context
	id    string // of the context; "": there is none
	after json.RawMessage
	total int64
	given int64
	name  []byte // that was given last
}

// run lists the shard out of a context, and once more out of another if that is
// lost.
func (l *listing) run(ctx context.Context) error {
	tries := l.Retrier()
	defer func() { l.end(ctx) }()
	for {
		page, err := l.next(ctx)
		if err == nil && len(page.Hits.Hits) > 0 {
			if err := l.give(page); err != nil {
				return err
			}
			tries.Reset()
			continue
		}
		if err == nil && l.given == l.total {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%w: its snapshot holds %d documents, but gave %d", errLost, l.total, l.given)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err = tries.Wait(ctx, l.begin(ctx, err)); err != nil {
			return err
		}
	}
}

// errLost is a context of which hits are lost.
var errLost = errors.New("hits are lost")

// begin lets the listing begin again if it cannot go on after err; a page of a
// scroll is never asked for twice. The error it returns says what can be tried
// again.
func (l *listing) begin(ctx context.Context, err error) error {
	if a := AsError(err); a != nil && a.Status == http.StatusInternalServerError {
		err = Again("500", err)
	}
	if l.id == "" || l.path != scrollPath && !errors.Is(err, errLost) && !contextGone(err) {
		return err
	}
	if l.again++; l.again > idsAgain {
		return fmt.Errorf("begun again %d times: %w", idsAgain, err)
	}
	l.end(ctx)
	l.id, l.after, l.total, l.given = "", nil, 0, 0
	return Again("context lost", err)
}

// contextGone says whether the cluster no longer has the context.
func contextGone(err error) bool {
	a := AsError(err)
	return a != nil && (a.Has("search_context_missing_exception") || a.Has("no node found for id"))
}

// next gets the next page, from a new context if there is none. It is complete.
func (l *listing) next(ctx context.Context) (p idPage, err error) {
	if l.id == "" {
		if err := l.open(ctx); err != nil {
			return p, err
		}
	}
	continued := l.id != "" && l.path == scrollPath
	if err := l.CallOnce(ctx, l.request(), &p); err != nil {
		return p, err
	}
	if continued && p.TerminatedEarly && len(p.Hits.Hits) == l.size {
		p.TerminatedEarly = false // OpenSearch 1 and Elasticsearch 7 say so of full pages
	}
	return p, l.check(&p)
}

// open opens a point in time, if the engine has them. A scroll is opened by its
// first page.
func (l *listing) open(ctx context.Context) error {
	for _, path := range [...]string{openSearchPIT, elasticPIT} {
		query := url.Values{"keep_alive": {idsAlive}, "preference": {l.preference()}}
		if path == openSearchPIT {
			query.Set("allow_partial_pit_creation", "false")
		}
		var reply struct {
			PIT    string `json:"pit_id"`
			ID     string
			Shards *shardCounts `json:"_shards"` // some versions do not say
		}
		err := l.CallOnce(ctx, Request{Method: http.MethodPost, Path: Path(l.index) + path, Query: query}, &reply)
		if a := AsError(err); a != nil && a.Status < 500 && a.Status != http.StatusTooManyRequests {
			continue
		}
		if err != nil {
			return err
		}
		l.path, l.id = path, reply.PIT+reply.ID // one of them is there
		if reply.Shards == nil {
			return nil
		}
		if err := reply.Shards.check(); err != nil {
			l.end(ctx)
			l.id = ""
			return err
		}
		return nil
	}
	l.path = scrollPath
	return nil
}

func (l *listing) preference() string { return "_shards:" + strconv.Itoa(l.shard) }

// request is the request for the next page.
func (l *listing) request() Request {
	const page = `{"size":%d,"_source":false,"version":true,"sort":["_doc"],"query":{"match_all":{}},"track_total_hits":%t`
	query := url.Values{"allow_partial_search_results": {"false"}}
	first := l.after == nil
	switch {
	case l.path != scrollPath:
		body := fmt.Appendf(nil, page+`,"pit":{"id":%q,"keep_alive":%q}`, l.size, first, l.id, idsAlive)
		if !first {
			body = fmt.Appendf(body, `,"search_after":%s`, l.after)
		}
		return Request{Path: "/_search", Query: query, Body: append(body, '}')}
	case l.id == "":
		query.Set("scroll", idsAlive)
		query.Set("preference", l.preference())
		return Request{Path: Path(l.index) + "/_search", Query: query, Body: fmt.Appendf(nil, page+"}", l.size, true)}
	}
	return Request{Path: scrollPath, Body: fmt.Appendf(nil, `{"scroll":%q,"scroll_id":%q}`, idsAlive, l.id)}
}

// idPage is a page of hits without their sources.
type idPage struct {
	PIT             string       `json:"pit_id"`
	Scroll          string       `json:"_scroll_id"`
	TimedOut        *bool        `json:"timed_out"`
	TerminatedEarly bool         `json:"terminated_early"`
	Shards          *shardCounts `json:"_shards"`
	Hits            struct {
		Total *struct {
			Value    int64
			Relation string
		}
		Hits []struct {
			ID      *string `json:"_id"`
			Routing string  `json:"_routing"`
			Version *int64  `json:"_version"`
			Sort    json.RawMessage
		}
	}
}

// shardCounts is how many shards have answered.
type shardCounts struct{ Total, Successful, Skipped, Failed int }

// check says whether the one shard that was asked has given all it has.
func (s *shardCounts) check() error {
	if s.Total == 1 && s.Failed == 0 && (s.Successful == 1 || s.Successful+s.Skipped == 1) {
		return nil
	}
	return Again("shard missing", fmt.Errorf("_shards: %d of %d answered, %d failed; want the one that was asked", s.Successful+s.Skipped, s.Total, s.Failed))
}

// check says whether the page is complete, and takes over what it says of its
// context.
func (l *listing) check(p *idPage) error {
	switch {
	case p.Shards == nil || p.TimedOut == nil:
		return Again("malformed reply", errors.New("malformed reply: no _shards or no timed_out"))
	case *p.TimedOut || p.TerminatedEarly:
		return Again("timed out", errors.New("timed_out or terminated_early: the reply is not complete"))
	}
	if err := p.Shards.check(); err != nil {
		return err
	}
	for i, h := range p.Hits.Hits {
		if h.ID == nil || h.Version == nil || l.path != scrollPath && h.Sort == nil {
			return fmt.Errorf("hit %d has no _id, no _version or no sort values", i)
		}
	}
	if l.after == nil && l.given == 0 {
		if p.Hits.Total == nil || p.Hits.Total.Relation != "eq" {
			return errors.New("the reply has no exact number of hits")
		}
		l.total = p.Hits.Total.Value
	}
	if id := p.PIT + p.Scroll; id != "" {
		l.id = id
	}
	return nil
}

// give yields the hits of a page.
func (l *listing) give(p idPage) error {
	for _, h := range p.Hits.Hits {
		l.name = append(append(l.name[:0], *h.ID...), h.Routing...)
		n := len(*h.ID)
		if err := l.yield(l.name[:n:n], l.name[n:], *h.Version); err != nil {
			return err
		}
		l.after = h.Sort
		l.given++
	}
	return nil
}

// end closes the context. If that fails, the cluster closes it later.
func (l *listing) end(ctx context.Context) {
	if l.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	body := map[string]string{openSearchPIT: `{"pit_id":[%q]}`, elasticPIT: `{"id":%q}`, scrollPath: `{"scroll_id":[%q]}`}[l.path]
	err := l.CallOnce(ctx, Request{Method: http.MethodDelete, Path: l.path, Body: fmt.Appendf(nil, body, l.id)}, nil)
	if err != nil && !NotFound(err) {
		pipeline.Logger(ctx).Debug("a context was not closed", "error", err)
	}
}
