package search_test

import (
	"slices"
	"testing"
	"time"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/sinks/search"
)

// replaying is options for records that come again.
func replaying(url string, replace bool) *search.Config {
	c := config(url)
	kind.Replayer(c).Replay(replace)
	return c
}

func TestAReplayWritesOverNothingThatMayBeNewer(t *testing.T) {
	c := newCluster(t)
	c.docs["logs/there"] = `{"now":1}`
	c.docs["logs/same"] = `{"a": [1,2], "b":"x y"}`
	c.docs["logs/versioned"], c.is["logs/versioned"] = `{"now":5}`, 5
	c.docs["logs/older"], c.is["logs/older"] = `{"now":3}`, 3
	l := newLoading([]string{
		rec("logs", "new", `{"n":1}`), rec("logs", "there", `{"n":2}`), rec("logs", "same", `{"a":[1,2],"b":"x y"}`),
		`{"_index":"logs","_id":"versioned","_version":4,"_source":{"n":4}}` + "\n",
		`{"_index":"logs","_id":"older","_version":4,"_source":{"n":5}}` + "\n",
		`{"update":{"_index":"logs","_id":"there"}} {"doc":{"n":6}}` + "\n",
		`{"delete":{"_index":"logs","_id":"there"}}` + "\n",
		`{"delete":{"_index":"logs","_id":"older","version":9}}` + "\n",
		`{"create":{"_index":"logs","_id":"there"}} {"n":7}` + "\n",
	})
	l.complete(t, replaying(c.URL, false), 3)
	want := []string{rec("logs", "new", `{"n":1}`), rec("logs", "same", `{"a": [1,2], "b":"x y"}`), rec("logs", "there", `{"now":1}`), rec("logs", "versioned", `{"now":5}`)}
	if got := c.lines(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var lines []int64
	for _, letter := range l.letters.list {
		lines = append(lines, letter.Line)
		if letter.Refusal.Status != 409 {
			t.Errorf("got %+v, want a conflict", letter.Refusal)
		}
	}
	if slices.Sort(lines); !slices.Equal(lines, []int64{1, 5, 6}) {
		t.Errorf("got letters of records %v, want 1, 5 and 6", lines)
	}

	over := newLoading([]string{rec("logs", "there", `{"n":2}`), `{"delete":{"_index":"logs","_id":"same"}}` + "\n"})
	over.complete(t, replaying(c.URL, true), 0)
	if c.docs["logs/there"] != `{"n":2}` || c.docs["logs/same"] != "" {
		t.Errorf("got %q, want it replaced and deleted", c.docs)
	}
}

// The pipeline may load the index meanwhile.
func TestAReplayLeavesTheIndexAsItIs(t *testing.T) {
	w := newTown(t)
	w.put("logs", "refresh_interval=30s")
	cfg := w.config(func(c *search.Config) {
		c.Backfill, c.Alias, c.Create.Metadata, c.WaitForGreen = true, "all", true, unit.Duration(time.Minute)
	})
	kind.Replayer(cfg).Replay(false)
	newLoading(some(0, 3)).complete(t, cfg, 0)
	if want := []string{"bulk", "POST logs/_refresh"}; !slices.Equal(w.trace, want) {
		t.Errorf("got requests %q, want %q", w.trace, want)
	}
}

// A reply is lost after the cluster did the work: what it finds then is its own.
func TestAReplayKnowsItsOwnDocumentsAfterALostReply(t *testing.T) {
	c := newCluster(t)
	c.lost = func(n int) bool { return n == 0 }
	l := newLoading([]string{rec("logs", "1", `{"n":1}`), rec("logs", "2", `{"n":2}`)})
	l.complete(t, replaying(c.URL, false), 0)
	if len(c.bulks) != 2 || len(c.docs) != 2 {
		t.Errorf("got %d requests, %q", len(c.bulks), c.docs)
	}
}

func TestAReplayOnARealEngine(t *testing.T) {
	r := newReal(t)
	r.must("PUT", "/"+r.index, "{}")
	r.must("PUT", "/"+r.index+"/_doc/there?routing=r", `{"now":1}`)
	r.must("PUT", "/"+r.index+"/_doc/same%20%2F%25?routing=r%2Fs", `{"a":1.0,  "b":9007199254740993}`)
	routed := func(id, routing, source string) string {
		return `{"_index":"` + r.index + `","_id":"` + id + `","_routing":"` + routing + `","_source":` + source + "}\n"
	}
	l := newLoading([]string{routed("there", "r", `{"n":1}`), routed("same /%", "r/s", `{"a":1.0,"b":9007199254740993}`), routed("new", "r", `{"n":2}`)})
	l.complete(t, replaying(r.url, false), 1)
	if got := len(r.lines()); got != 3 {
		t.Errorf("got %d documents, want 3", got)
	}
	if got := l.letters.list[0]; got.Line != 0 || got.Refusal.Type != "version_conflict_engine_exception" {
		t.Errorf("got %+v, want a conflict of the first", got)
	}
	// With an alias of several indices nobody can tell what is there.
	r.must("PUT", "/"+r.index+"-2", "{}")
	t.Cleanup(func() { r.call("DELETE", "/"+r.index+"-2", "") })
	alias := r.index + "-all"
	r.must("POST", "/_aliases", `{"actions":[{"add":{"index":"`+r.index+`","alias":"`+alias+`","is_write_index":true}},{"add":{"index":"`+r.index+`-2","alias":"`+alias+`"}}]}`)
	again := newLoading([]string{rec(alias, "other", `{}`), rec(alias, "other", `{}`)})
	again.complete(t, replaying(r.url, false), 1)
}
