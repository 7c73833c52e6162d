package test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"sluice/test/servers"
)

// following is indices that are written to, and followed into another cluster.
type following struct {
	source, target cluster
	first, second  string // names of the indices, in both
	settings       string // of the indices of the source
	equal          bool   // what was deleted is deleted in the target, too
	job            *job
	writers        *writers
}

// TestFollowingLosesNoAcknowledgedChange: eight writers go on while Sluice is
// killed ten times and the alias that they write to moves on to a new index.
// What the cluster acknowledged to them is what has to arrive.
func TestFollowingLosesNoAcknowledgedChange(t *testing.T) {
	long(t)
	engine := servers.Search(t)
	for _, f := range []struct {
		name     string
		replicas bool // on a cluster of three nodes that refreshes nothing by itself
		read     string
		equal    bool
		more     []string // options of the source
	}{
		{name: "by sequence numbers", read: "auto"},
		{name: "after a snapshot", read: "pit"},
		{name: "with replicas", read: "auto", replicas: true},
		{name: "and deletes", read: "auto", equal: true, more: []string{"deletes: reconcile", "reconcile_every: 0s"}},
	} {
		t.Run(f.name, func(t *testing.T) {
			if f.read == "pit" && engine.PointInTime() == "" {
				t.Skip(engine.Name, " has no points in time")
			}
			s := &following{source: cluster{engine.URL}, settings: `"number_of_shards":3,"number_of_replicas":0`, equal: f.equal}
			if f.replicas {
				s.source = cluster{startNodes(t, engine.Engine).servers[0].URL}
				s.settings = `"number_of_shards":3,"number_of_replicas":1,"refresh_interval":"-1"`
			}
			s.begin(t, engine.Engine, append(f.more, "read: "+f.read))
			s.disturb(t)
			s.end(t)
			s.compare(t, s.first)
			s.compare(t, s.second)
		})
	}
}

// begin makes the first index and the target, and starts the writers.
func (f *following) begin(t *testing.T, e servers.Engine, options []string) {
	t.Helper()
	ctx, cancel := within(3 * time.Minute)
	defer cancel()
	own, err := servers.StartEngine(ctx, e, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(own.Kill)
	f.target = cluster{own.URL}
	base := unique(t)
	f.first, f.second = base+"-000001", base+"-000002"
	for _, index := range []string{f.first, f.second} {
		f.target.index(t, index, 3, "") // as many shards as the source: an _id may be there with two routings
		t.Cleanup(func() { f.source.ask(t, http.MethodDelete, "/"+index, "") })
	}
	f.source.call(t, http.MethodPut, "/"+f.first, fmt.Sprintf(
		`{"settings":{%s},"mappings":{"dynamic":false},"aliases":{%q:{"is_write_index":true}}}`, f.settings, base))
	f.job = newJob(t, pipelines(entry("follow", searchStage(f.source.url, base+"-*", options...), "[]",
		stage("opensearch", fmt.Sprintf("url: %q", f.target.url)), "mode: new", "every: 1s")))
	f.writers = startWriters(t, f.source, base, 8)
}

// disturb kills the program ten times. In between it may complete a pass, and
// the alias moves on.
func (f *following) disturb(t *testing.T) {
	t.Helper()
	for n := range 10 {
		if n == 5 {
			f.once(t)
			f.source.call(t, http.MethodPost, "/"+f.writers.alias+"/_rollover", fmt.Sprintf(`{"settings":{%s},"mappings":{"dynamic":false}}`, f.settings))
		}
		f.job.kill(t, "follow", time.Duration(200+rand.IntN(3000))*time.Millisecond)
	}
}

// end ends the writers and lets Sluice finish: the pass that was interrupted,
// whose end is from before, and one more. Then some of what has arrived is
// deleted, and there is a last one.
func (f *following) end(t *testing.T) {
	t.Helper()
	f.writers.end(t)
	f.once(t)
	f.once(t)
	f.writers.remove(t, f.first, 20)
	f.writers.remove(t, f.second, 20)
	f.once(t)
}

// once runs one pass.
func (f *following) once(t *testing.T) {
	t.Helper()
	o := f.job.start(t, "run", "--once", "follow").wait(t)
	if o.Status != 0 {
		t.Fatalf("exit status %d, want 0\n%s", o.Status, o.Stderr)
	}
	t.Logf("pass %d: %d records", o.Reports["follow"].Pass, o.Reports["follow"].Records.Written)
}

// compare compares an index of the source, what the writers know of it, and
// what has arrived.
func (f *following) compare(t *testing.T, index string) {
	t.Helper()
	source, target, last := f.source.documents(t, index), f.target.documents(t, index), f.writers.last(index)
	bad := failures{t: t}
	live, ghosts := 0, 0
	for key, op := range last {
		doc, found := source[key]
		var has struct{ V int64 }
		if found && json.Unmarshal([]byte(doc), &has) != nil || found != op.live() || found && has.V != op.Value {
			bad.add("the source has %s: %t, %s; want %+v", key, found, doc, op)
		}
		got, arrived := target[key]
		switch {
		case op.live() && got != doc:
			bad.add("the target has %s: %t, %s; want %s, which is %+v", key, arrived, got, doc, op)
		case op.live():
			live++
		case arrived:
			ghosts++
		}
	}
	if len(source) != live || len(target) != live+ghosts {
		bad.add("%d documents in the source and %d in the target, want %d, and %d that were deleted", len(source), len(target), live, ghosts)
	}
	if f.equal != (ghosts == 0) {
		bad.add("%d documents of the target were deleted in the source", ghosts)
	}
	t.Logf("%s: %d operations, %d documents, %d that were deleted", index, f.writers.operations(index), live, ghosts)
}

// failures reports the first few of many.
type failures struct {
	t *testing.T
	n int
}

func (f *failures) add(format string, args ...any) {
	f.t.Helper()
	if f.n++; f.n <= 5 {
		f.t.Errorf(format, args...)
	}
}
