package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/internal/crash"
	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// way is how a shard is read. A point in time has the path at which it is
// opened and closed.
type way string

const (
	pit        way = "_search/point_in_time"
	elasticPIT way = "_pit"
	scroll     way = "_search/scroll"
	sequence   way = "_seq_no" // there is no context
)

// name is for people.
func (w way) name() string {
	switch w {
	case scroll:
		return "scrolls"
	case sequence:
		return "sequence numbers"
	}
	return "points in time"
}

// bucket holds the contexts of lanes, by name of the lane.
const bucket = "source.contexts"

// saved is a context, a point in time or a scroll, as the store knows it. It is
// the one of a lane while Pass, ID and Start are those of the lane: what was
// read before was read from it, whether or not a position says so.
type saved struct {
	Pass     int64
	ID       string // of the lane
	Start    int    // of the lane
	Way      way
	Context  string // its name at the cluster
	Shards   int    // in it, if it is shared by the lanes of an index
	Total    int64  // records in it
	To       int64  // where an index is followed: the sequence number from which it is read after this
	New      bool   // it was opened, but is not yet fit to be read from
	Complete bool   // it was read to its end, and gave as many
	Lost     bool   // it gave another number of records than it holds
}

// put makes c known before its first page, and when it changes.
func (r *reader) put(lane pipeline.Lane, c saved) error {
	text, err := json.Marshal(c)
	if err == nil {
		err = r.pass.Store.Put(pipeline.Row{Bucket: bucket, Key: lane.Name, Value: text})
	}
	if err != nil {
		return fmt.Errorf("state: context: %w", err)
	}
	return nil
}

func parseSaved(text []byte) (c saved, err error) {
	err = json.Unmarshal(text, &c)
	return c, err
}

// known gives the context of the lane, if there is one.
func (r *reader) known(lane pipeline.Lane) (c saved, ok bool, err error) {
	text, err := r.pass.Store.Get(bucket, lane.Name)
	if err == nil && text != nil {
		c, err = parseSaved(text)
	}
	if err != nil {
		return c, false, fmt.Errorf("state: context: %w", err)
	}
	return c, text != nil && !c.New && c.Pass == r.pass.Number && c.ID == lane.ID && c.Start == lane.Start, nil
}

// forget ends the contexts that other passes have left.
func (r *reader) forget(ctx context.Context) error {
	var rows []pipeline.Row
	var left []saved
	err := r.pass.Store.Range(bucket, "", func(key string, value []byte) error {
		if c, err := parseSaved(value); err == nil && !c.Complete {
			left = append(left, c)
		}
		rows = append(rows, pipeline.Row{Bucket: bucket, Key: key})
		return nil
	})
	for _, c := range left {
		r.end(ctx, c)
	}
	if err == nil && len(rows) > 0 {
		err = r.pass.Store.Put(rows...)
	}
	if err != nil {
		return fmt.Errorf("state: contexts: %w", err)
	}
	return nil
}

// end closes a context at the cluster. If that fails, the cluster closes it
// after keep_alive.
func (r *reader) end(ctx context.Context, c saved) {
	if c.Context == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	body := map[way]any{
		pit:        map[string][]string{"pit_id": {c.Context}},
		elasticPIT: map[string]string{"id": c.Context},
		scroll:     map[string][]string{"scroll_id": {c.Context}},
	}[c.Way]
	text, err := json.Marshal(body)
	if err == nil {
		err = r.client.CallOnce(ctx, cluster.Request{Method: http.MethodDelete, Path: "/" + string(c.Way), Body: text}, nil)
	}
	if err != nil && !cluster.NotFound(err) {
		pipeline.Logger(ctx).Debug("a context was not closed", "error", err)
	}
}

// opened is the reply to opening a point in time. Some versions of
// Elasticsearch say nothing of shards.
type opened struct {
	PIT    string `json:"pit_id"`
	ID     string `json:"id"`
	Shards *struct{ Total, Successful, Failed int }
}

// id gives its name, whatever the engine calls it.
func (o *opened) id() string {
	if o.PIT != "" {
		return o.PIT
	}
	return o.ID
}

// opening is the request for a point in time of one shard, or of all.
func (r *reader) opening(w way, s spec) cluster.Request {
	q := url.Values{"keep_alive": {r.alive()}}
	if !s.Shared {
		q.Set("preference", shards(s.Shard))
	}
	if w == pit {
		q.Set("allow_partial_pit_creation", "false")
	}
	return cluster.Request{Method: http.MethodPost, Path: cluster.Path(s.Index) + "/" + string(w), Query: q}
}

func (r *reader) alive() string {
	return strconv.FormatInt(r.keepAlive.Milliseconds(), 10) + "ms"
}

// open opens a context for the lane and makes it known. A scroll is opened by
// its first page.
func (l *lane) open(ctx context.Context) error {
	if c, _, err := l.known(l.Lane); err != nil {
		return err
	} else if c.New { // a run that was killed had got no further
		l.end(ctx, c)
	}
	l.context = saved{Pass: l.pass.Number, ID: l.ID, Start: l.Start, Way: l.spec.Way, To: l.spec.To}
	if l.spec.Way == scroll {
		return l.sample(ctx)
	}
	open := l.tryOpen
	if l.spec.Shared {
		l.context.Shards = l.Parts
		open = l.tryShare
	}
	err := l.client.Retry(ctx, func() error { return open(ctx) })
	if err != nil {
		return fmt.Errorf("open a point in time: %w", vanished(err))
	}
	return l.opened(ctx)
}

func (l *lane) tryOpen(ctx context.Context) error {
	var reply opened
	if err := l.client.CallOnce(ctx, l.opening(l.spec.Way, l.spec), &reply); err != nil {
		return again(err)
	}
	l.context.Context = reply.id()
	if err := l.note(); err != nil {
		return err
	}
	want := l.context.shards()
	if s := reply.Shards; s != nil && (s.Total != want || s.Successful != want || s.Failed != 0) {
		l.close(ctx)
		return cluster.Again("shard missing", fmt.Errorf("_shards: %d of %d answered, want %d that were asked", s.Successful, s.Total, want))
	}
	total, err := l.ping(ctx, true)
	if err != nil {
		l.close(ctx)
		if a := cluster.AsError(err); a != nil && a.Has("search_context_missing_exception") {
			return cluster.Again("context lost", err) // another one may live longer
		}
		return again(err)
	}
	l.context.Total = total
	return nil
}

// note makes a context known as soon as it has a name, so that it is closed
// even if this run is killed before anything is read from it.
func (l *lane) note() error {
	if l.spec.Shared {
		return l.put(l.sharing(), l.context.common())
	}
	c := l.context
	c.New = true
	return l.put(l.Lane, c)
}

// opened makes sure that the new context is one of the index that was planned,
// and puts it into the store. Only then is anything read from it.
func (l *lane) opened(ctx context.Context) error {
	list, err := l.client.Indices(ctx, []string{l.spec.Index})
	if err == nil && (len(list) != 1 || list[0].UUID != l.spec.UUID) {
		err = recreated("another")
	}
	if err != nil {
		l.close(ctx)
		return vanished(err)
	}
	if err := l.put(l.Lane, l.context); err != nil {
		return err // it may be in the store nevertheless, so it stays open
	}
	crash.Point(crash.AfterContext)
	l.asked = time.Now()
	return nil
}

const remedy = "forget the pass with `sluice checkpoint reset` and run again"

// vanished says what to do if the index is no longer there.
func vanished(err error) error {
	if a := cluster.AsError(err); a != nil && a.Has("index_not_found_exception") {
		return fmt.Errorf("the index was deleted since this pass was planned; %s: %w", remedy, err)
	}
	return err
}

// gone says whether err means that the cluster no longer has the context.
func gone(err error) bool {
	a := cluster.AsError(err)
	return a != nil && (a.Has("search_context_missing_exception") ||
		a.Has("index_not_found_exception") ||
		a.Has("no node found for id")) // it lived in the memory of a node that left
}

// nodeLost says whether err means that a page of a scroll was asked of a node
// that the cluster has lost, and the scroll with it. A page of a point in time
// is asked for again, because the node may come back in time.
func nodeLost(err error) bool {
	for _, sign := range []string{"node_disconnected_exception", "node_not_connected_exception", "scroll_id references node"} {
		if strings.Contains(err.Error(), sign) {
			return true
		}
	}
	return false
}

// again says of an error of the server's own that the request may be repeated.
func again(err error) error {
	if a := cluster.AsError(err); a != nil && a.Status == http.StatusInternalServerError {
		return cluster.Again("500", err)
	}
	return err
}

// ping uses the point in time, so that it stays. It counts what is in a new one.
func (l *lane) ping(ctx context.Context, count bool) (int64, error) {
	total, err := l.use(ctx, count, l.slice())
	if a := cluster.AsError(err); a != nil && count && l.spec.Shared && a.Has("field _id not found") {
		total, err = l.use(ctx, count, "") // an index without any field cannot be sliced
		if err == nil && total > 0 {
			return 0, a
		}
	}
	return total, err
}

// use asks the point in time for no hits.
func (l *lane) use(ctx context.Context, count bool, slice string) (int64, error) {
	l.asked = time.Now()
	var reply counted
	err := l.client.CallOnce(ctx, cluster.Request{
		Path:  "/_search",
		Query: url.Values{"allow_partial_search_results": {"false"}},
		Body:  fmt.Appendf(nil, `{"size":0,"track_total_hits":%t,"query":%s,"pit":{"id":%q,"keep_alive":%q}%s}`, count, l.query, l.context.Context, l.alive(), slice),
	}, &reply)
	if err == nil && reply.PIT != "" && reply.PIT != l.context.Context {
		l.context.Context = reply.PIT
		if !count { // when it counts, it is not yet in the store
			err = l.put(l.Lane, l.context)
		}
	}
	if err != nil || !count {
		return 0, err
	}
	return reply.total(l.context.shards())
}

// startOver ends a lane whose position no longer holds. The frame lets only
// those start over that have moved; where nothing says so, what was read may
// have been delivered nevertheless, and an item with nothing in it says it.
func (l *lane) startOver(ctx context.Context, why error) error {
	l.close(ctx)
	if err := pipeline.Send(ctx, l.out, &pipeline.Item{}); err != nil {
		return err
	}
	pipeline.Logger(ctx).Warn("reading again from the beginning", "reason", why)
	return fmt.Errorf("%w: %w", pipeline.ErrStartOver, why)
}

// errForgotten is why a position does not hold of which no context is known.
var errForgotten = errors.New("the context it belongs to is not known")
