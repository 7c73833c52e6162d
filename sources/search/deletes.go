package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"sluice/internal/idset"
	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// A delete leaves no document behind that could be read. So what was deleted is
// found by comparing: a document that the target holds, that was written there
// by following, and that the source does not have, was deleted. Each is looked
// for once more, by a get, which knows what searches do not see yet, and is then
// deleted under the version that the target holds: if the document comes back
// meanwhile, in a newer version, it stays.

// deletesID is how the IDs of lanes of deletes begin; others begin with a UUID.
const deletesID = "deletes/"

// reconciled holds, by target, when it was last compared.
const reconciled = "source.reconciled"

// deletesSpec is what a lane of deletes compares.
type deletesSpec struct {
	Target  string   // name of the target index
	Indices []string // of the source, that are written to it
}

// deletes makes a lane of each target that is to be compared now.
func (r *reader) deletes(ctx context.Context, indices []cluster.Index) (lanes []pipeline.Lane, err error) {
	if r.config.Deletes != "reconcile" {
		return nil, nil
	}
	of := map[string]*deletesSpec{}
	var order []*deletesSpec
	for _, i := range indices {
		name := r.target.Target(i.Name)
		if of[name] == nil {
			of[name] = &deletesSpec{Target: name}
			order = append(order, of[name])
		}
		of[name].Indices = append(of[name].Indices, i.Name)
	}
	for _, s := range order {
		due, err := r.due(s.Target)
		if err != nil {
			return nil, err
		}
		if !due {
			continue
		}
		text, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		lanes = append(lanes, pipeline.Lane{Name: s.Target + "-deletes", ID: deletesID + s.Target, Spec: string(text), Parts: 1})
	}
	return lanes, nil
}

// due says whether a target was not compared for as long as it may be.
func (r *reader) due(target string) (bool, error) {
	if r.pass.Store == nil {
		return true, nil
	}
	text, err := r.pass.Store.Get(reconciled, target)
	if err != nil || text == nil {
		return true, err
	}
	last, err := time.Parse(time.RFC3339, string(text))
	return err != nil || time.Since(last) >= time.Duration(r.config.ReconcileEvery), nil
}

// comparison is a lane of deletes being read.
type comparison struct {
	*reader
	deletesSpec
	out   chan<- *pipeline.Item
	there []string // of the indices, those that exist
	batch []ghost  // not yet looked for
	sent  int64
}

// ghost is a document at the target that searches of the source do not find.
type ghost struct {
	id, routing string
	version     int64
}

// maxGhosts is how many of them are looked for by one request.
const maxGhosts = 500

// readDeletes reads a lane of deletes. Its positions only count: what was
// deleted before is not found again.
func (r *reader) readDeletes(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) (err error) {
	c := &comparison{reader: r, out: out}
	if err := json.Unmarshal([]byte(lane.Spec), &c.deletesSpec); err != nil {
		return fmt.Errorf("lane %s: spec: %w", lane.Name, err)
	}
	if from.Token != "" {
		if c.sent, err = strconv.ParseInt(from.Token, 10, 64); err != nil {
			return fmt.Errorf("position %q: %w", from.Token, err)
		}
	}
	began := time.Now().UTC().Format(time.RFC3339)
	if err := c.compare(ctx); err != nil {
		return fmt.Errorf("deletes at %s: %w", c.Target, err)
	}
	c.sent++
	return pipeline.Send(ctx, out, &pipeline.Item{
		Pos:   pipeline.Position{Token: strconv.FormatInt(c.sent, 10)},
		Notes: []pipeline.Row{{Bucket: reconciled, Key: c.Target, Value: []byte(began)}},
	})
}

// compare lists the target first: what is written there later is no ghost of
// this comparison.
func (c *comparison) compare(ctx context.Context) (err error) {
	c.comparing.Lock() // one at a time: there is memory for one
	defer c.comparing.Unlock()
	set, err := idset.New(c.scratch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	err = c.target.List(ctx, c.Indices[0], func(id, routing []byte, version int64) error {
		if version < 1<<epochBits {
			return nil // it was not written by following
		}
		return set.AddTarget(id, routing, version)
	})
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	for _, name := range c.Indices {
		err := c.list(ctx, name, set)
		if a := cluster.AsError(err); a != nil && a.Has("index_not_found_exception") {
			pipeline.Logger(ctx).Info("the index was deleted", "index", name)
			continue
		}
		if err != nil {
			return err
		}
		c.there = append(c.there, name)
	}
	if len(c.there) == 0 {
		return nil // whether its documents are to go with it is not ours to say
	}
	if err := set.Missing(ctx, func(id, routing []byte, version int64) error {
		return c.add(ctx, ghost{string(id), string(routing), version})
	}); err != nil {
		return err
	}
	return c.confirm(ctx)
}

// list adds the documents of an index of the source.
func (c *comparison) list(ctx context.Context, name string, set *idset.Set) error {
	indices, err := c.client.Indices(ctx, []string{name})
	if err != nil {
		return err
	}
	for _, i := range indices {
		if err := c.client.IDs(ctx, i, func(id, routing []byte, _ int64) error { return set.AddSource(id, routing) }); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) add(ctx context.Context, g ghost) error {
	if c.batch = append(c.batch, g); len(c.batch)*len(c.there) < maxGhosts {
		return nil
	}
	return c.confirm(ctx)
}

// confirm looks for the ghosts of the batch by gets, which see every document
// that was acknowledged, and sends the deletes of those that are not there.
func (c *comparison) confirm(ctx context.Context) error {
	if len(c.batch) == 0 {
		return nil
	}
	type doc struct {
		Index   string `json:"_index"`
		ID      string `json:"_id"`
		Routing string `json:"routing,omitempty"`
		Source  bool   `json:"_source"`
	}
	var ask struct {
		Docs []doc `json:"docs"`
	}
	for _, g := range c.batch {
		for _, name := range c.there {
			ask.Docs = append(ask.Docs, doc{Index: name, ID: g.id, Routing: g.routing})
		}
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	found, err := c.get(ctx, body, c.batch)
	if err != nil {
		return err
	}
	for n, g := range c.batch {
		if slices.Contains(found[n*len(c.there):(n+1)*len(c.there)], exists{true, g.routing}) {
			continue
		}
		if err := c.send(ctx, g); err != nil {
			return err
		}
	}
	c.batch = c.batch[:0]
	return nil
}

// exists says whether there is a document, and of which routing: with another
// one, an _id may be found that lies in the same shard.
type exists struct {
	found   bool
	routing string
}

// get asks which of the documents exist that ghosts are of.
func (c *comparison) get(ctx context.Context, body []byte, ghosts []ghost) (found []exists, err error) {
	n := len(ghosts) * len(c.there)
	err = c.client.Retry(ctx, func() error {
		var reply struct {
			Docs []struct {
				ID      string `json:"_id"`
				Routing string `json:"_routing"`
				Found   *bool
				Error   *struct{ Type, Reason string }
			}
		}
		if err := c.client.CallOnce(ctx, cluster.Request{Path: "/_mget", Query: url.Values{"realtime": {"true"}}, Body: body}, &reply); err != nil {
			return err
		}
		if len(reply.Docs) != n {
			return cluster.Again("malformed reply", fmt.Errorf("_mget: %d answers for %d documents", len(reply.Docs), n))
		}
		found = found[:0]
		for k, d := range reply.Docs {
			switch {
			case d.ID != ghosts[k/len(c.there)].id:
				return cluster.Again("malformed reply", fmt.Errorf("_mget: an answer for _id %q, which was not asked for there", d.ID))
			case d.Found != nil:
				found = append(found, exists{*d.Found, d.Routing})
			case d.Error != nil && d.Error.Type == "index_not_found_exception":
				found = append(found, exists{})
			case d.Error != nil:
				return cluster.Again("get failed", fmt.Errorf("_mget: _id %q: %s: %s", d.ID, d.Error.Type, d.Error.Reason))
			default:
				return cluster.Again("malformed reply", fmt.Errorf("_mget: _id %q: it is not said whether it was found", d.ID))
			}
		}
		return nil
	})
	return found, err
}

func (c *comparison) send(ctx context.Context, g ghost) error {
	c.sent++
	it := &pipeline.Item{
		Key: g.id, Version: strconv.FormatInt(g.version, 10), Delete: true,
		Pos:  pipeline.Position{Token: strconv.FormatInt(c.sent, 10)},
		Meta: &pipeline.Meta{Index: c.Indices[0]},
	}
	if g.routing != "" {
		it.Meta.Tags = map[string]string{"routing": g.routing}
	}
	return pipeline.Send(ctx, c.out, it)
}
