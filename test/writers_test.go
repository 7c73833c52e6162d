package test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// operation is one that a cluster has acknowledged.
type operation struct {
	SeqNo, Term, Version int64
	Result               string // created, updated, deleted, not_found
	Value                int64  // of the field v
}

func (o operation) live() bool { return o.Result == "created" || o.Result == "updated" }

// oracle is the log of all acknowledged operations: by index, and by _id and
// _routing as [documents] have them.
type oracle struct {
	mu  sync.Mutex
	log map[string]map[string][]operation
}

func (o *oracle) note(index, key string, op operation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.log[index] == nil {
		o.log[index] = map[string][]operation{}
	}
	o.log[index][key] = append(o.log[index][key], op)
}

// operations counts those on an index.
func (o *oracle) operations(index string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, list := range o.log[index] {
		n += len(list)
	}
	return n
}

// last gives the operation that came last on each document of an index.
func (o *oracle) last(index string) map[string]operation {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[string]operation{}
	for key, list := range o.log[index] {
		last := list[0]
		for _, op := range list {
			if op.SeqNo > last.SeqNo {
				last = op
			}
		}
		all[key] = last
	}
	return all
}

// writers index, update and delete random documents through an alias, by single
// calls and by bulk, until they are ended.
type writers struct {
	oracle
	cluster cluster
	alias   string
	values  atomic.Int64 // no two writes have the same
	refused atomic.Int64 // conflicts of versions, and updates of what is not there
	group   errgroup.Group
	stop    context.CancelFunc
}

// startWriters starts n of them.
func startWriters(t *testing.T, c cluster, alias string, n int) *writers {
	ctx, stop := context.WithCancel(t.Context())
	w := &writers{oracle: oracle{log: map[string]map[string][]operation{}}, cluster: c, alias: alias, stop: stop}
	for range n {
		w.group.Go(func() error { return w.write(ctx) })
	}
	t.Cleanup(func() {
		stop()
		w.group.Wait()
	})
	return w
}

// end ends them. What they have been told until then is all that there is.
func (w *writers) end(t *testing.T) {
	t.Helper()
	w.stop()
	if err := w.group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// remove deletes n documents of an index.
func (w *writers) remove(t *testing.T, index string, n int) {
	t.Helper()
	for key, op := range w.last(index) {
		if !op.live() {
			continue
		}
		if n--; n < 0 {
			return
		}
		id, routing, _ := strings.Cut(key, "|")
		if err := w.single(index, change{kind: "delete", id: id, routing: routing}); err != nil {
			t.Fatal(err)
		}
	}
}

// write is one writer, which does not write as fast as the cluster could.
func (w *writers) write(ctx context.Context) error {
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-pace.C:
		}
		var err error
		if rand.IntN(4) == 0 {
			err = w.bulk()
		} else {
			err = w.single(w.alias, w.change())
		}
		if err != nil {
			return err
		}
	}
}

// change is an operation that is to be.
type change struct {
	kind, id, routing string
	value             int64
}

// change makes one up. There are so few documents that most changes meet one
// that is there; some _ids are there twice, with other routings.
func (w *writers) change() change {
	n := rand.IntN(2000)
	c := change{kind: "index", id: fmt.Sprintf("doc %d", n), value: w.values.Add(1)}
	if n%5 == 0 {
		c.routing = []string{"here", "there"}[rand.IntN(2)]
	}
	switch r := rand.IntN(10); {
	case r < 2:
		c.kind = "delete"
	case r < 5:
		c.kind = "update"
	}
	return c
}

// source is what an index operation sends; an update changes only the field v.
func (c change) source() string {
	switch c.kind {
	case "index":
		return fmt.Sprintf(`{"ratio":1.0,"v":%d,"text":%q}`, c.value, strings.Repeat("x", int(c.value%50)))
	case "update":
		return fmt.Sprintf(`{"doc":{"v":%d}}`, c.value)
	}
	return ""
}

// reply is what the cluster says of one operation.
type reply struct {
	Index   string `json:"_index"`
	Version int64  `json:"_version"`
	SeqNo   int64  `json:"_seq_no"`
	Term    int64  `json:"_primary_term"`
	Result  string
	Status  int
	Error   json.RawMessage
}

// acknowledged notes an operation, unless it was refused.
func (w *writers) acknowledged(c change, r reply) error {
	switch {
	case r.Error == nil && (r.Status/100 == 2 || r.Result == "not_found"):
		w.note(r.Index, c.id+"|"+c.routing, operation{r.SeqNo, r.Term, r.Version, r.Result, c.value})
	case r.Status == http.StatusConflict, r.Status == http.StatusTooManyRequests, r.Status == http.StatusNotFound && c.kind == "update":
		w.refused.Add(1)
	default:
		return fmt.Errorf("%s %s: %d %s", c.kind, c.id, r.Status, r.Error)
	}
	return nil
}

// single sends a change to an index or alias.
func (w *writers) single(to string, c change) error {
	method, path := http.MethodPut, "_doc"
	switch c.kind {
	case "delete":
		method = http.MethodDelete
	case "update":
		method, path = http.MethodPost, "_update"
	}
	path = fmt.Sprintf("/%s/%s/%s", to, path, url.PathEscape(c.id))
	if c.routing != "" {
		path += "?routing=" + c.routing
	}
	status, body, err := w.cluster.send(method, path, c.source())
	r := reply{Status: status}
	if err == nil {
		err = json.Unmarshal(body, &r)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", c.kind, c.id, err, body)
	}
	r.Status = status
	return w.acknowledged(c, r)
}

// bulk sends some changes at once.
func (w *writers) bulk() error {
	changes := make([]change, 1+rand.IntN(40))
	var b strings.Builder
	for i := range changes {
		c := w.change()
		changes[i] = c
		fmt.Fprintf(&b, `{%q:{"_index":%q,"_id":%q`, c.kind, w.alias, c.id)
		if c.routing != "" {
			fmt.Fprintf(&b, `,"routing":%q`, c.routing)
		}
		b.WriteString("}}\n")
		if source := c.source(); source != "" {
			b.WriteString(source + "\n")
		}
	}
	status, body, err := w.cluster.send(http.MethodPost, "/_bulk", b.String())
	var replies struct{ Items []map[string]reply }
	if err == nil && status == http.StatusTooManyRequests { // nothing of it was done
		w.refused.Add(int64(len(changes)))
		return nil
	}
	if err == nil {
		err = json.Unmarshal(body, &replies)
	}
	if err != nil || status != http.StatusOK || len(replies.Items) != len(changes) {
		return fmt.Errorf("bulk of %d: %d, %d items, %w: %.500s", len(changes), status, len(replies.Items), err, body)
	}
	for i, c := range changes {
		if err := w.acknowledged(c, replies.Items[i][c.kind]); err != nil {
			return err
		}
	}
	return nil
}
