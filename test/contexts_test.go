package test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/test/faultproxy"
)

// contexts is what a cluster keeps for searches that go on.
type contexts struct {
	scrolls int // of shards
	points  int // points in time
}

// contexts asks the engine for them. Nobody else may use it.
func (c cluster) contexts(t *testing.T) (open contexts) {
	t.Helper()
	var stats struct {
		Nodes map[string]struct {
			Indices struct {
				Search struct {
					Scrolls int `json:"scroll_current"`
				}
			}
		}
	}
	if err := json.Unmarshal(c.call(t, http.MethodGet, "/_nodes/stats/indices/search", ""), &stats); err != nil {
		t.Fatal(err)
	}
	for _, n := range stats.Nodes {
		open.scrolls += n.Indices.Search.Scrolls
	}
	status, body := c.ask(t, http.MethodGet, "/_search/point_in_time/_all", "")
	var list struct {
		PITs []json.RawMessage `json:"pits"`
	}
	if err := json.Unmarshal(body, &list); err != nil || status != http.StatusOK && status != http.StatusNotFound {
		t.Fatalf("points in time: %d %v %s", status, err, body)
	}
	open.points = len(list.PITs)
	return open
}

// TestASinkThatStandsStillForLongerThanKeepAlive: points in time are prolonged
// meanwhile, and what cannot be prolonged is begun anew in the same run.
func TestASinkThatStandsStillForLongerThanKeepAlive(t *testing.T) {
	long(t)
	c := ownEngine(t, "search.keep_alive_interval=1s") // else contexts are closed up to a minute late
	index := unique(t)
	c.index(t, index, 2, "")
	docs := generated(60_000, 700)
	c.put(t, index, docs)
	want := expected(t, docs)
	for _, read := range []string{"pit", "shared", "scroll", "sequence"} {
		t.Run(read, func(t *testing.T) {
			b := newBucket(t)
			store := faultproxy.New(t, b.store.Endpoint)
			still := store.Add(&faultproxy.Rule{Method: http.MethodPut, Path: ".json", Skip: 2, Delay: 20 * time.Second})
			j := newJob(t, pipelines(entry("dump", searchStage(c.url, index, "read: "+read, "keep_alive: 5s", "page: 1MiB"), "[]",
				b.stage(store.URL, `key: "{lane}-{sequence}.json"`, "roll: {bytes: 1MiB}"), "lanes: 1")))
			o := j.want(t, 0, "dump")
			if still.Hits() != 1 || o.Took < 20*time.Second {
				t.Fatalf("the sink did not stand still: %v", o.Took)
			}
			var all strings.Builder
			for _, body := range b.objects(t, "") {
				all.WriteString(body)
			}
			same(t, "objects", parse(t, []byte(all.String())), want)
			t.Logf("%v, retries %v", o.Took, o.Reports["dump"].Retries)
			if n := o.Reports["dump"].Retries["start over"]; n > 0 && read != "scroll" || n > 1 {
				t.Errorf("%d lanes started over\n%s", n, o.Stderr)
			}
			if open := c.contexts(t); open != (contexts{}) {
				t.Errorf("%+v are left open, want none", open)
			}
		})
	}
}

// TestNothingStaysOpenAfterARunThatWasKilled: the run after it closes what it
// left, and what it opens itself.
func TestNothingStaysOpenAfterARunThatWasKilled(t *testing.T) {
	long(t)
	c := ownEngine(t)
	index := unique(t)
	c.index(t, index, 3, "")
	docs := generated(20_000, 700)
	c.put(t, index, docs)
	want := expected(t, docs)
	for _, read := range []string{"pit", "shared", "scroll"} {
		t.Run(read, func(t *testing.T) {
			slow := slowly(t, c.url, 40*time.Millisecond)
			for round := range 12 {
				b := newBucket(t)
				j := newJob(t, "memory: 120MiB\n"+pipelines(dump("dump", searchStage(slow.URL, index, "read: "+read, "page: 64KiB", "keep_alive: 1h"),
					b.stage(b.store.Endpoint, `key: "{lane}-{sequence}.gz"`, "roll: {bytes: 20KiB}"), "lanes: 3")))
				after := time.Duration(150+rand.IntN(1200)) * time.Millisecond
				j.kill(t, "dump", after)
				left := c.contexts(t)
				j.want(t, 0, "dump")
				same(t, "objects", parse(t, b.lines(t, "")), want)
				open := c.contexts(t)
				t.Logf("round %d: killed after %v with %+v open, %+v after the next run", round, after, left, open)
				if open != (contexts{}) {
					t.Errorf("killed after %v: %+v are left open, want none", after, open)
					c.forget(t)
				}
			}
		})
	}
}

// forget closes all contexts.
func (c cluster) forget(t *testing.T) {
	t.Helper()
	c.ask(t, http.MethodDelete, "/_search/scroll/_all", "")
	c.ask(t, http.MethodDelete, "/_search/point_in_time/_all", "")
}

// TestWhatAForgottenStateHeldExpires: nobody knows any more what a killed run
// had opened when its state is reset; the cluster closes it after keep_alive.
func TestWhatAForgottenStateHeldExpires(t *testing.T) {
	long(t)
	c := ownEngine(t, "search.keep_alive_interval=1s")
	index := unique(t)
	c.index(t, index, 3, "")
	docs := generated(20_000, 700)
	c.put(t, index, docs)
	want := expected(t, docs)
	for _, read := range []string{"pit", "shared", "scroll"} {
		t.Run(read, func(t *testing.T) {
			slow, b := slowly(t, c.url, 40*time.Millisecond), newBucket(t)
			j := newJob(t, "memory: 120MiB\n"+pipelines(dump("dump", searchStage(slow.URL, index, "read: "+read, "page: 64KiB", "keep_alive: 10s"),
				b.stage(b.store.Endpoint, `key: "{lane}-{sequence}.gz"`, "roll: {bytes: 20KiB}", "overwrite: always"), "lanes: 3")))
			for left := (contexts{}); left == (contexts{}); left = c.contexts(t) {
				j.kill(t, "dump", time.Second)
			}
			if o := j.start(t, "checkpoint", "reset", "dump").wait(t); o.Status != 0 {
				t.Fatalf("reset: exit status %d\n%s", o.Status, o.Stderr)
			}
			j.want(t, 0, "dump")
			same(t, "objects", parse(t, b.lines(t, "")), want)
			end := time.Now().Add(time.Minute)
			for c.contexts(t) != (contexts{}) {
				if time.Now().After(end) {
					t.Fatalf("%+v are open a minute later", c.contexts(t))
				}
				time.Sleep(200 * time.Millisecond)
			}
		})
	}
}
