package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// spec is what a lane reads.
type spec struct {
	Index  string
	UUID   string
	Shard  int
	Way    way
	Shared bool   `json:",omitempty"` // a point in time is that of all lanes of the index
	Window int    // most hits that a page of this index may have
	Filter string `json:",omitempty"` // of the alias through which it is read: JSON of a query

	// What follows is for lanes that end at a sequence number.
	From    int64  `json:",omitempty"` // begins behind it
	To      int64  `json:",omitempty"` // ends with it; [unknown]: it is asked for when the lane begins
	History string `json:",omitempty"` // of the shard; "": it was not known
	Epoch   int64  `json:",omitempty"` // of the index
	Primary bool   `json:",omitempty"` // other copies show a change later than they acknowledge it
}

// id is what positions in the lane depend on.
func (s *spec) id(shards int, query string) string {
	id := fmt.Sprintf("%s/%d/%d/%s", s.UUID, s.Shard, shards, query)
	if s.Epoch > 0 {
		id += "/" + s.History
	}
	return id
}

// found is what there is to read.
type found struct {
	engine    cluster.Engine
	selection *cluster.Selection
	indices   []cluster.Index           // of it
	red       map[string][]string       // shards that cannot be read now, by index
	about     bool                      // the numbers of documents are not exact
	unknown   int                       // lanes whose number of documents is not known
	shards    map[string]cluster.Shards // by index, where they are read by sequence numbers or will be
	way       way
	why       string // so
	warnings  []string
}

// specOf gives the spec that lanes made.
func specOf(l pipeline.Lane) (s spec, err error) {
	if err = json.Unmarshal([]byte(l.Spec), &s); err != nil {
		err = fmt.Errorf("lane %s: spec: %w", l.Name, err)
	}
	return s, err
}

// Plan implements [pipeline.Reader].
func (r *reader) Plan(ctx context.Context) ([]pipeline.Lane, error) {
	if err := r.forget(ctx); err != nil {
		return nil, err
	}
	f, err := r.find(ctx)
	if err != nil {
		return nil, err
	}
	metadata, err := r.described(f.indices)
	if err != nil || !r.config.takes(takeData) {
		return metadata, err
	}
	if r.differs(f) {
		r.announce(ctx, f)
	}
	shards, err := r.lanes(ctx, f)
	return append(metadata, shards...), err
}

// find looks for what there is to read, and how.
func (r *reader) find(ctx context.Context) (*found, error) {
	f := &found{}
	var err error
	if f.engine, err = r.client.Engine(ctx); err != nil {
		return nil, err
	}
	if err = f.engine.Supported(); err != nil {
		return f, err
	}
	if err = r.findIndices(ctx, f); err != nil || !r.config.takes(takeData) {
		return f, err
	}
	if len(f.indices) > 0 {
		f.way, f.why, err = r.choose(ctx, f)
	}
	return f, err
}

// choose finds out how the indices can be read, and why so: by trying, because
// what clusters say of themselves is not to be relied on.
func (r *reader) choose(ctx context.Context, f *found) (_ way, why string, _ error) {
	switch way, why := r.preferred(f); {
	case r.config.Read == "scroll":
		return scroll, "read: scroll", nil
	case way == sequence && r.config.Read == "auto" && !r.news:
		err := r.numbered(ctx, f.readable())
		if err == nil {
			return way, why, nil
		}
		if a := cluster.AsError(err); a == nil || a.Status != http.StatusForbidden {
			return "", "", err
		}
		pipeline.Logger(ctx).Warn("no permission to read by sequence numbers, reading a snapshot", "error", err)
	case way == sequence:
		return way, why, nil
	}
	ways := []way{pit, elasticPIT}
	if f.engine.Distribution == "elasticsearch" {
		ways = []way{elasticPIT, pit}
	}
	var errs []error
	for i, w := range ways {
		var reply opened
		err := r.client.CallOnce(ctx, r.opening(w, spec{Index: f.readable()}), &reply)
		if err == nil {
			trial := saved{Way: w, Context: reply.id(), New: true}
			if r.pass.Store != nil { // the next plan closes it, should this run be killed
				err = r.put(pipeline.Lane{Name: "/"}, trial)
			}
			if err == nil {
				err = r.sharable(ctx, reply.id())
			}
			r.end(ctx, trial)
			return w, "one could be opened", err
		}
		a := cluster.AsError(err)
		if _, again := cluster.Retryable(err); i == 0 && (again || a == nil || a.Status >= http.StatusInternalServerError) && has(f.engine) {
			return w, "this engine has them, though it is busy now", nil // the lanes have more patience
		}
		if a == nil || a.Status == http.StatusUnauthorized {
			return "", "", err
		}
		errs = append(errs, err)
	}
	if r.config.Read != "auto" {
		return "", "", fmt.Errorf("read: %s: the engine opens no point in time; use read: auto or scroll: %w", r.config.Read, errors.Join(errs...))
	}
	if a := cluster.AsError(errs[0]); a.Status == http.StatusForbidden {
		pipeline.Logger(ctx).Warn("no permission to open points in time, reading by scrolls", "error", errs[0])
		return scroll, "no permission to open points in time", nil
	}
	return scroll, "the engine opens no points in time", nil
}

// numbered tries whether an index may be read by sequence numbers.
func (r *reader) numbered(ctx context.Context, index string) error {
	if _, err := r.client.Shards(ctx, cluster.Index{Name: index}); err != nil {
		return err
	}
	return r.client.Refresh(ctx, index)
}

// sharable tries whether hits of several shards can be put into an order, if
// they are to be.
func (r *reader) sharable(ctx context.Context, id string) error {
	if r.config.Read != "shared" {
		return nil
	}
	err := r.client.Call(ctx, cluster.Request{Path: "/_search", Body: fmt.Appendf(nil, `{"size":0,"sort":[{"_shard_doc":"asc"}],"pit":{"id":%q}}`, id)}, nil)
	a := cluster.AsError(err)
	if err != nil && (a == nil || a.Status != http.StatusBadRequest) {
		return err
	}
	if err != nil {
		return fmt.Errorf("read: shared: the engine cannot sort by _shard_doc; use read: pit: %w", err)
	}
	return nil
}

// preferred is sequence, with the reason, if it is to be tried.
func (r *reader) preferred(f *found) (w way, why string) {
	switch {
	case r.config.Read == "sequence":
		return sequence, "read: sequence"
	case r.config.Read != "auto":
	case r.news:
		return sequence, "mode: new"
	case r.versions:
		return sequence, "the sink orders what changes meanwhile"
	case blocked(f.indices):
		return sequence, "nobody can write"
	}
	return "", ""
}

// has says whether the engine is known to have points in time.
func has(e cluster.Engine) bool {
	if e.Distribution == "opensearch" {
		return e.AtLeast(2, 4)
	}
	return e.AtLeast(7, 11) || e.AtLeast(7, 10) && e.Flavor != "oss"
}

// lanes makes a lane of each shard that has something to give.
func (r *reader) lanes(ctx context.Context, f *found) ([]pipeline.Lane, error) {
	var known map[string]*history
	if f.way == sequence || r.news {
		var err error
		if known, err = r.follow(ctx, f); err != nil {
			return nil, err
		}
	}
	var lanes []pipeline.Lane
	for _, i := range f.indices {
		for shard := range i.Shards {
			l, news, err := r.lane(f, i, shard, known[i.Name])
			if err != nil {
				return nil, err
			}
			if news {
				lanes = append(lanes, l)
			}
		}
	}
	if err := r.count(ctx, f, lanes); err != nil {
		return nil, err
	}
	more, err := r.deletes(ctx, f.indices)
	return append(lanes, more...), err
}

// lane makes the lane of a shard, and reports whether there is news in it. h is
// the history of its index, where that matters.
func (r *reader) lane(f *found, i cluster.Index, shard int, h *history) (l pipeline.Lane, news bool, err error) {
	s := spec{Index: i.Name, UUID: i.UUID, Shard: shard, Way: f.way, Shared: r.config.Read == "shared" && i.Shards > 1, Window: 10_000, Filter: i.Filter}
	if n, err := strconv.Atoi(i.Settings["index.max_result_window"]); err == nil && n > 0 {
		s.Window = min(n, s.Window)
	}
	l = pipeline.Lane{Name: fmt.Sprintf("%s-%d", i.Name, shard), Part: shard, Parts: i.Shards}
	news = true
	if h != nil {
		s.Primary = i.Settings["index.replication.type"] == "SEGMENT"
		if news, err = r.sequenced(&s, i.Shards, h, f.shards[i.Name]); err != nil {
			return l, false, err
		}
	}
	l.ID = s.id(i.Shards, r.digestWith(i.Filter))
	text, err := json.Marshal(s)
	l.Spec = string(text)
	return l, news, err
}

// counted is the reply to a search for the number of hits.
type counted struct {
	head
	Hits struct {
		Total struct {
			Value    int64
			Relation string
		}
	}
}

// total gives the number, if it is exact and all shards have answered.
func (c *counted) total(shards int) (int64, error) {
	if err := c.check(shards); err != nil {
		return 0, err
	}
	if c.Hits.Total.Relation != "eq" {
		return 0, fmt.Errorf("the number of hits is not exact: relation %q", c.Hits.Total.Relation)
	}
	return c.Hits.Total.Value, nil
}

func shards(n int) string { return "_shards:" + strconv.Itoa(n) }
