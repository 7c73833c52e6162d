package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/crash"
	"sluice/test/servers"
)

// states writes version v of documents 0 to 99 into an index. n is a number of
// each, by which a mapping can be broken.
func (c cluster) states(t *testing.T, index string, v int, n func(i int) int) {
	t.Helper()
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, `{"index":{"_index":%q,"_id":"%d"}}`+"\n"+`{"v":%d,"n":%d}`+"\n", index, i, v, n(i))
	}
	if got := string(c.call(t, "POST", "/_bulk?refresh=true", b.String())); !strings.Contains(got, `"errors":false`) {
		t.Fatalf("bulk: %.300s", got)
	}
}

// hasStates wants all documents of an index to be of a version.
func (c cluster) hasStates(t *testing.T, what, index string, v int) {
	t.Helper()
	docs := c.documents(t, index)
	if len(docs) != 100 {
		t.Errorf("%s: got %d documents, want 100", what, len(docs))
	}
	for id, d := range docs {
		if !strings.Contains(d, fmt.Sprintf(`{"v":%d,`, v)) {
			t.Errorf("%s: document %s is %s, want version %d", what, id, d, v)
		}
	}
}

// TestAnOlderDocumentNeverReplacesANewerOne: not by a run that was killed, not by
// a replay of letters, and a newer one does although the numbers of its index
// began again.
func TestAnOlderDocumentNeverReplacesANewerOne(t *testing.T) {
	c, from, to := openSearch(t), unique(t)+"-from", unique(t)+"-to"
	c.index(t, from, 2, "")
	c.index(t, to, 2, `{"dynamic":false,"properties":{"n":{"type":"byte","coerce":false}}}`)
	j := newJob(t, pipelines(entry("load", searchStage(c.url, from), "[]", searchStage(c.url, to),
		"mode: new", "lanes: 2", "dead_letters: {file: {path: ./dead}}")))

	c.states(t, from, 1, func(i int) int { return 100 + i })
	j.want(t, 3, "load")
	j.lists(t, "72 dead letters of load")

	c.states(t, from, 2, func(int) int { return 2 })
	j.env = []string{"SLUICE_CRASH=" + crash.AfterBulkReply + ":1"}
	j.want(t, -1, "load")
	j.env = nil
	j.want(t, 0, "load")
	c.hasStates(t, "after a kill", to, 2)

	c.call(t, "PUT", "/"+to+"/_mapping", `{"properties":{"n":{"type":"byte","coerce":false,"ignore_malformed":true}}}`)
	j.replay(t, 0)
	j.lists(t, "0 dead letters of load")
	c.hasStates(t, "after a replay", to, 2)

	c.call(t, "DELETE", "/"+from, "")
	c.index(t, from, 2, "")
	c.states(t, from, 3, func(int) int { return 3 })
	j.want(t, 0, "load")
	c.hasStates(t, "after the source was made again", to, 3)
}

// TestVersionsOrderTheWritesOfSeveralLanes loads 40 files that have the same
// documents, each of them with versions of its own.
func TestVersionsOrderTheWritesOfSeveralLanes(t *testing.T) {
	c, to := openSearch(t), unique(t)
	c.index(t, to, 2, "")
	j := newJob(t, pipelines(entry("load", stage("file", "path: ./in"), "[lines: {}]", searchStage(c.url, to, "bulk: 64KiB"), "lanes: 4")))
	if err := os.MkdirAll(filepath.Join(j.dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, v := range rand.Perm(40) {
		var b strings.Builder
		for id := range 100 {
			fmt.Fprintf(&b, `{"_index":%q,"_id":"%d","_version":%d,"_source":{"v":%d,"i":%d}}`+"\n", to, id, v+1, v+1, i)
		}
		if err := os.WriteFile(filepath.Join(j.dir, "in", fmt.Sprintf("%02d", i)), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	j.want(t, 0, "load")
	c.hasStates(t, "of four lanes", to, 40)
}

// TestAnIndexThatWasRestoredIsFollowed: what it holds then, and what is written
// to it then, goes over what was there, although its numbers are those of old.
func TestAnIndexThatWasRestoredIsFollowed(t *testing.T) {
	long(t)
	servers.OpenSearch(t) // there can be one
	ctx, cancel := within(3 * time.Minute)
	defer cancel()
	dir := t.TempDir()
	own, err := servers.StartOpenSearch(ctx, t.TempDir(), "path.repo="+dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(own.Kill)
	c, from, to := cluster{own.URL}, unique(t)+"-from", unique(t)+"-to"
	c.index(t, from, 2, "")
	c.index(t, to, 2, "")
	j := newJob(t, pipelines(entry("load", searchStage(c.url, from), "[]", searchStage(c.url, to), "mode: new", "lanes: 2")))
	load := func(what string, v int) {
		t.Helper()
		j.want(t, 0, "load")
		c.hasStates(t, what, to, v)
	}
	one := func(int) int { return 1 }
	c.call(t, "PUT", "/_snapshot/kept", fmt.Sprintf(`{"type":"fs","settings":{"location":%q}}`, dir))
	c.states(t, from, 2, one)
	load("first", 2)
	c.call(t, "PUT", "/_snapshot/kept/two?wait_for_completion=true", fmt.Sprintf(`{"indices":%q}`, from))
	for v := 3; v <= 9; v++ {
		c.states(t, from, v, one)
	}
	load("later", 9)
	c.call(t, "POST", "/"+from+"/_close", "")
	c.call(t, "POST", "/_snapshot/kept/two/_restore?wait_for_completion=true", fmt.Sprintf(`{"indices":%q}`, from))
	load("restored", 2)
	c.states(t, from, 10, one)
	load("written to after it was restored", 10)
}
