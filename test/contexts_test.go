package test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
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

// expiring is an engine of its own that closes contexts when their keep-alive is
// over. Others do so up to a minute late, and keep points in time for half a
// minute at least.
func expiring(t *testing.T) cluster {
	t.Helper()
	return ownEngine(t, "search.keep_alive_interval=1s", "point_in_time.init.keep_alive=2s")
}

// TestASinkThatStandsStillForLongerThanKeepAlive: points in time are prolonged
// meanwhile, and what cannot be prolonged is begun anew in the same run.
func TestASinkThatStandsStillForLongerThanKeepAlive(t *testing.T) {
	long(t)
	c := expiring(t)
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

// TestNothingStaysOpenAfterARunThatWasKilled: wherever it is killed, the run
// after it closes what it left, and what it opens itself. Only a context whose
// name was still on its way is left to keep_alive.
func TestNothingStaysOpenAfterARunThatWasKilled(t *testing.T) {
	long(t)
	c := ownEngine(t)
	index := unique(t)
	c.index(t, index, 3, "")
	docs := generated(6000, 700)
	c.put(t, index, docs)
	want := expected(t, docs)
	for _, read := range []string{"pit", "shared", "scroll"} {
		t.Run(read, func(t *testing.T) {
			p := faultproxy.New(t, c.url)
			run := func(t *testing.T, rule *faultproxy.Rule) {
				b := newBucket(t)
				j := newJob(t, pipelines(dump("dump", searchStage(p.URL, index, "read: "+read, "page: 64KiB", "keep_alive: 1h"),
					b.stage(b.store.Endpoint, `key: "{lane}-{sequence}.gz"`, "roll: {bytes: 20KiB}"), "lanes: 1")))
				p.Clear()
				if rule != nil {
					j.killedBy(t, p.Add(rule), "dump")
				}
				left := c.contexts(t)
				j.want(t, 0, "dump")
				same(t, "objects", parse(t, b.lines(t, "")), want)
				open := c.contexts(t)
				t.Logf("%+v were open, %+v after the next run", left, open)
				if open != (contexts{}) {
					c.closeAll(t)
					t.Errorf("%+v are left open, want none", open)
				}
			}
			run(t, nil)
			all := len(p.Requests())
			opened := slices.IndexFunc(p.Requests(), func(r string) bool { return strings.Contains(r, "keep_alive=") || strings.Contains(r, "scroll=") })
			skips := []int{opened + 1, opened + 2, opened + 3}
			for range 8 {
				skips = append(skips, opened+4+rand.IntN(all*2/3-opened))
			}
			for _, skip := range skips {
				t.Run(fmt.Sprint(skip, " of ", all), func(t *testing.T) {
					run(t, &faultproxy.Rule{Match: func(r *http.Request) bool { return r.Method != http.MethodDelete }, Skip: skip, Cut: true})
				})
			}
		})
	}
}

// killedBy runs a pipeline and kills it with -9 when the rule applies.
func (j *job) killedBy(t *testing.T, rule *faultproxy.Rule, pipeline string) {
	t.Helper()
	started := make(chan *process, 1)
	rule.Do = func() { (<-started).cmd.Process.Signal(syscall.SIGKILL) }
	p := j.start(t, "run", pipeline)
	started <- p
	if o := p.wait(t); o.Status >= 0 {
		t.Fatalf("it ended with %d before it was killed\n%s", o.Status, o.Stderr)
	}
}

// closeAll closes all contexts.
func (c cluster) closeAll(t *testing.T) {
	t.Helper()
	c.ask(t, http.MethodDelete, "/_search/scroll/_all", "")
	c.ask(t, http.MethodDelete, "/_search/point_in_time/_all", "")
}

// TestWhatAForgottenStateHeldExpires: nobody knows any more what a killed run
// had opened when its state is reset; the cluster closes it after keep_alive.
func TestWhatAForgottenStateHeldExpires(t *testing.T) {
	long(t)
	c := expiring(t)
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
			reset := exec.CommandContext(t.Context(), program, "checkpoint", "reset", "--yes", "dump")
			reset.Dir = j.dir
			if out, err := reset.CombinedOutput(); err != nil {
				t.Fatalf("reset: %v\n%s", err, out)
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
