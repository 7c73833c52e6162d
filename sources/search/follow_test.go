package search_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/test/faultproxy"
)

// following is a job that follows indices, and whose records have versions.
func following(url string, indices ...*index) *job {
	j := newJob(config(url, indices...))
	j.env.New, j.env.Versions = true, true
	return j
}

// pass moves one pass and gives the number of records in it.
func (j *job) pass(t *testing.T) int64 {
	t.Helper()
	return j.complete(t).Counts.Read
}

// latest is the last version of each document that the objects hold, as
// index/id/routing, and fails if two are the same.
func (j *job) latest(t *testing.T) map[string]string {
	t.Helper()
	all, versions := map[string]string{}, map[string]int64{}
	for _, key := range slices.Sorted(maps.Keys(j.sink.Objects)) {
		for line := range strings.Lines(j.sink.Objects[key]) {
			var rec struct {
				Index   string          `json:"_index"`
				ID      string          `json:"_id"`
				Routing string          `json:"_routing"`
				Version int64           `json:"_version"`
				Source  json.RawMessage `json:"_source"`
			}
			if err := json.Unmarshal([]byte(line), &rec); err != nil || rec.Version < 1<<44 {
				t.Fatalf("%s: %v: want a record with the version of an epoch: %.200s", key, err, line)
			}
			id := rec.Index + "/" + rec.ID + "/" + rec.Routing
			if rec.Version == versions[id] {
				t.Fatalf("%s: %s is there twice", key, id)
			}
			if rec.Version > versions[id] {
				all[id], versions[id] = string(rec.Source), rec.Version
			}
		}
	}
	return all
}

// wantsLatest compares the last versions with what is in the indices.
func (j *job) wantsLatest(t *testing.T, indices ...*index) {
	t.Helper()
	want := map[string]string{}
	for _, i := range indices {
		for id, source := range i.docs {
			want[i.name+"/"+id] = source
		}
	}
	if diff := cmp.Diff(want, j.latest(t)); diff != "" {
		t.Errorf("last versions (-want +got):\n%.2000s", diff)
	}
}

// put indexes one document, which is not refreshed.
func (i *index) put(t *testing.T, id, source string) {
	t.Helper()
	i.call(t, "PUT", "/_doc/"+escape(id), source)
	i.docs[id+"/"] = source
}

func TestPassesTakeWhatIsNew(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "-a", 3, "")
	i.fill(t, 2000, 300)
	j := following(i.url, i)
	j.config.Index = []string{strings.TrimSuffix(i.name, "a") + "*"}
	if got := j.pass(t); got != 2000 {
		t.Fatalf("got %d records of the first pass, want all 2000", got)
	}
	if got := j.pass(t); got != 0 {
		t.Errorf("got %d records of a pass without news, want none", got)
	}
	for n := range 10 {
		i.put(t, fmt.Sprint(n*100), fmt.Sprintf(`{"changed":%d}`, n))
		i.put(t, fmt.Sprint("new", n), `{"new":true}`)
	}
	if got := j.pass(t); got != 20 {
		t.Errorf("got %d records, want the 20 that changed", got)
	}
	b := newIndex(t, "-b", 1, "")
	b.name = strings.TrimSuffix(i.name, "a") + "b"
	b.create(t, 1, "")
	b.fill(t, 50, 100)
	i.put(t, "3", `{"changed":3}`)
	if got := j.pass(t); got != 51 {
		t.Errorf("got %d records, want the one that changed and the 50 of the new index", got)
	}
	j.wantsLatest(t, i, b)
	b.call(t, "DELETE", "", "")
	if got := j.pass(t); got != 0 {
		t.Errorf("got %d records after an index was deleted, want none", got)
	}
}

// What is acknowledged before the checkpoint is known is found, because the
// copies are refreshed after that.
func TestACheckpointIsKnownBeforeTheRefresh(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 10, 100)
	p := faultproxy.New(t, i.url)
	n := 0
	at := p.Add(&faultproxy.Rule{Path: "/" + i.name + "/_stats/docs", Times: -1, Do: func() {
		n++
		i.put(t, fmt.Sprint("late", n), `{"late":true}`)
	}})
	j := following(p.URL, i)
	j.pass(t)
	j.pass(t)
	if at.Hits() < 2 {
		t.Fatal("no document came while the checkpoint was asked for")
	}
	j.wantsLatest(t, i)
}

func TestACopyThatHasNotRefreshedIsWaitedFor(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 10, 100)
	p := faultproxy.New(t, i.url)
	refused := p.Add(&faultproxy.Rule{Method: "POST", Path: "/" + i.name + "/_refresh", Times: 2, Status: 200, Body: `{"_shards":{"total":2,"successful":0,"failed":0}}`})
	failed := p.Add(&faultproxy.Rule{Method: "POST", Path: "/" + i.name + "/_refresh", Times: 2, Status: 200, Body: `{"_shards":{"total":2,"successful":1,"failed":1}}`})
	i.put(t, "last", `{"n":11}`)
	j := following(p.URL, i)
	j.pass(t)
	if refused.Hits() != 2 || failed.Hits() != 2 {
		t.Errorf("got %d and %d refreshes that did not reach all copies, want 2 of each", refused.Hits(), failed.Hits())
	}
	j.wantsLatest(t, i)
}

// Copies of a shard that are replicated by segments show what they acknowledged
// later than the refresh says.
func TestAnIndexThatIsReplicatedBySegmentsIsReadFromItsPrimaries(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 2, "")
	if i.engine.Name != "opensearch-3" && i.engine.Name != "opensearch-2" {
		t.Skipf("%s replicates operations", i.engine)
	}
	i.call(t, "DELETE", "", "")
	i.call(t, "PUT", "", `{"settings":{"index.replication.type":"SEGMENT","number_of_replicas":0,"number_of_shards":2}}`)
	i.fill(t, 100, 100)
	p := faultproxy.New(t, i.url)
	j := following(p.URL, i)
	j.pass(t)
	j.wantsLatest(t, i)
	all, primary := len(p.Requests("request_cache")), len(p.Requests("request_cache", url.QueryEscape("|_primary")))
	if all == 0 || all != primary {
		t.Errorf("got %d of %d pages asked of primaries, want all", primary, all)
	}
}

func TestFollowingCanStartNow(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "-a", 2, "")
	i.fill(t, 100, 100)
	j := following(i.url, i)
	j.config.Index, j.config.Start = []string{strings.TrimSuffix(i.name, "a") + "*"}, "now"
	if got := j.pass(t); got != 0 {
		t.Errorf("got %d records of the first pass, want none", got)
	}
	i.put(t, "7", `{"changed":true}`)
	b := newIndex(t, "-b", 1, "")
	b.name = strings.TrimSuffix(i.name, "a") + "b"
	b.create(t, 1, "")
	b.fill(t, 5, 100)
	if got := j.pass(t); got != 6 {
		t.Errorf("got %d records, want the one that changed, and the index that is new", got)
	}
}

func TestASnapshotHandsOverToSequenceNumbers(t *testing.T) {
	t.Parallel()
	for _, read := range snapshots(t) {
		i := newIndex(t, "", 2, "")
		i.fill(t, 1500, 1000)
		p := faultproxy.New(t, i.url)
		changed := p.Add(&faultproxy.Rule{Match: isPage, Skip: 1, Do: func() {
			for n := range 40 {
				i.put(t, fmt.Sprint(n*30), fmt.Sprintf(`{"changed":%d}`, n))
			}
		}})
		j := following(p.URL, i)
		j.config.Read, j.config.Page = read, 200_000
		if got := j.pass(t); got != 1500 {
			t.Errorf("%s: got %d records of the first pass, want the 1500 of the snapshot", read, got)
		}
		if got := j.pass(t); got != 40 {
			t.Errorf("%s: got %d records of the next pass, want the 40 that changed meanwhile", read, got)
		}
		if got := j.pass(t); got != 0 || changed.Hits() != 1 {
			t.Errorf("%s: got %d records without news", read, got)
		}
		j.wantsLatest(t, i)
	}
}

// TestACrashAnywhereWhileFollowingLosesNothing: with a crash at every
// operation, three passes with changes between them, give each last version.
func TestACrashAnywhereWhileFollowingLosesNothing(t *testing.T) {
	t.Parallel()
	for _, read := range []string{snapshots(t)[0], "auto"} {
		i := newIndex(t, "", 1, "")
		i.fill(t, 700, 1000)
		for at := 1; ; at++ {
			j := following(i.url, i)
			j.config.Read = read
			j.world.At = at
			crashed := false
			for n := range 3 {
				if n > 0 {
					i.put(t, fmt.Sprint(n), fmt.Sprintf(`{"changed":%d}`, n))
				}
				if _, err := j.run(t.Context(), t); err != nil {
					crashed = true
					j.world.Restart()
					j.complete(t)
				}
			}
			if crashed { // a run that goes on with a pass does not begin the next one
				j.complete(t)
			}
			j.wantsLatest(t, i)
			if !crashed {
				break
			}
		}
	}
}

func TestAnIndexThatIsAnotherIsReadFromItsBeginning(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 2, "")
	i.fill(t, 100, 100)
	j := following(i.url, i)
	j.pass(t)
	i.call(t, "DELETE", "", "")
	clear(i.docs)
	i.create(t, 2, "")
	i.fill(t, 40, 200) // with lower numbers than those that were read
	old := j.sink.Objects
	j.sink.Objects = map[string]string{}
	if got := j.pass(t); got != 40 {
		t.Errorf("got %d records, want the 40 of the new index", got)
	}
	j.wantsLatest(t, i)
	highest := func(objects map[string]string) (n int64) {
		for _, body := range objects {
			for line := range strings.Lines(body) {
				var rec struct {
					Version int64 `json:"_version"`
				}
				json.Unmarshal([]byte(line), &rec)
				n = max(n, rec.Version)
			}
		}
		return n
	}
	if a, b := highest(old), highest(j.sink.Objects); a>>44 != 1 || b>>44 != 2 {
		t.Errorf("got versions up to %d, then up to %d, want those of epochs 1 and 2", a, b)
	}
}

// A restored or shrunk shard begins another history under the same name only
// if the index is another; a changed history of the same index is told by a
// proxy.
func TestAShardWithAnotherHistoryIsReadFromItsBeginning(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 2, "")
	i.fill(t, 300, 100)
	p := faultproxy.New(t, i.url)
	j := following(p.URL, i)
	j.pass(t)
	before := len(j.latest(t))
	p.Add(&faultproxy.Rule{Path: "/" + i.name + "/_stats/docs", Times: -1, Edit: func(r *http.Response) {
		b, _ := io.ReadAll(r.Body)
		at := bytes.Index(b, []byte(`"history_uuid":"`)) + len(`"history_uuid":"`)
		copy(b[at:], "AnotherOne")
		r.Body = io.NopCloser(bytes.NewReader(b))
	}})
	j.sink.Objects = map[string]string{}
	got := j.pass(t)
	if got == 0 || got == 300 || int(got) != len(j.latest(t)) || before != 300 {
		t.Errorf("got %d records, want those of one of the two shards", got)
	}
	if got := j.pass(t); got != 0 {
		t.Errorf("got %d records of a pass without news, want none", got)
	}
}

// TestAnIndexWithoutActiveShardsIsNotTakenForDeleted: while a cluster begins, no
// shard of an index is active, and statistics know nothing of it.
func TestAnIndexWithoutActiveShardsIsNotTakenForDeleted(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 2, "")
	i.fill(t, 300, 100)
	p := faultproxy.New(t, i.url)
	c := config(p.URL, i)
	c.Retry = unit.Duration(time.Second)
	j := newJob(c)
	j.env.New, j.env.Versions = true, true
	j.pass(t)
	i.call(t, "PUT", "/_doc/late", `{"n":1}`)
	p.Add(&faultproxy.Rule{Path: "/" + i.name + "/_stats/docs", Times: -1, Edit: func(r *http.Response) {
		r.Body.Close()
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
		r.Header.Del("Content-Length")
	}})
	j.failing(t, i.name, "its primary is not allocated")
	p.Clear()
	if got := j.pass(t); got != 1 {
		t.Errorf("got %d records once the shards are back, want the one that was written", got)
	}
}

func TestAShardThatForgotWhatWasReadIsAnError(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 300, 100)
	p := faultproxy.New(t, i.url)
	j := following(p.URL, i)
	j.pass(t)
	p.Add(&faultproxy.Rule{Path: "/" + i.name + "/_stats/docs", Times: -1, Edit: replace(`"max_seq_no":299`, `"max_seq_no":298`)})
	j.failing(t, i.name, "shard 0", "298", "299 was read already", "checkpoint reset")
}

// shrunk makes an index of one shard in which a number stands for several
// documents.
func shrunk(t *testing.T, n, size int) *index {
	t.Helper()
	from := newIndex(t, "-from", 3, `,"mappings":{"enabled":false}`)
	from.fill(t, n, size)
	from.call(t, "PUT", "/_settings", `{"index.blocks.write":true}`)
	i := newIndex(t, "-shrunk", 1, "")
	i.call(t, "DELETE", "", "")
	from.call(t, "POST", "/_shrink/"+i.name+"?wait_for_active_shards=1", `{"settings":{"index.blocks.write":null,"index.number_of_replicas":0}}`)
	i.docs = from.docs
	return i
}

func TestAShrunkIndexIsReadBySequenceNumbers(t *testing.T) {
	t.Parallel()
	i := shrunk(t, 900, 300)
	for _, page := range []unit.Bytes{1, 2000, 5000, 1 << 20} {
		c := config(i.url, i)
		c.Read, c.Page = "sequence", page
		j := newJob(c)
		j.complete(t)
		j.wants(t, i)
	}
	j := following(i.url, i)
	j.pass(t)
	for n := range 20 {
		i.put(t, strconv.Itoa(n), `{"after":"the shrink"}`)
	}
	if got := j.pass(t); got != 20 {
		t.Errorf("got %d records, want the 20 that changed", got)
	}
}

// Blocks end between documents of one number, and can be gone on with there.
func TestPlacesAmongDocumentsOfOneNumberHold(t *testing.T) {
	i := shrunk(t, 30, 300_000)
	pipelinetest.TestSource(t, pipelinetest.SourceCase{Positions: 10, Open: func(t *testing.T) pipeline.Source {
		c := config(i.url, i)
		c.Read = "sequence"
		s, err := c.Build(newJob(nil).env)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}})
}

// A lane that is read once gives each document that was there all the time,
// though it was changed while it was read.
func TestDocumentsThatChangeWhileTheyAreReadAreNotLost(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 2000, 1000)
	p := faultproxy.New(t, i.url)
	n := 0
	p.Add(&faultproxy.Rule{Match: isPage, Times: 7, Do: func() {
		n++
		var b strings.Builder
		for id := 1999; id > 1100; id-- { // always ahead of what is read, and more than a page of them
			fmt.Fprintf(&b, "{\"index\":{\"_id\":\"%d\"}}\n{\"round\":%d,\"text\":%q}\n", id, n, strings.Repeat("x", 1000))
		}
		i.bulk(t, b.String())
		i.call(t, "POST", "/_refresh", "")
	}})
	c := config(p.URL, i)
	c.Read, c.Page = "sequence", 400_000
	j := newJob(c)
	j.env.Versions = true
	j.complete(t)
	if got := j.latest(t); len(got) != 2000 || n < 5 {
		t.Errorf("got %d documents after %d rounds of changes, want all 2000", len(got), n)
	}
}

// Copies of a shard show operations at different times. The page that has no
// upper bound comes only when all copies show what any of them has shown.
func TestTheLastPageComesWhenAllCopiesHaveEverything(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 1500, 1000)
	p := faultproxy.New(t, i.url)
	p.Add(&faultproxy.Rule{Path: "/_stats/docs"}) // of the plan
	behind := p.Add(&faultproxy.Rule{Path: "/_stats/docs", Times: 2, Edit: replace(`"global_checkpoint":1499`, `"global_checkpoint":1498`)})
	c := config(p.URL, i)
	c.Read = "sequence"
	j := newJob(c)
	j.complete(t)
	j.wants(t, i)
	if s, _ := j.last.Status(); behind.Hits() != 2 || s.Retries["operations under way"] != 2 {
		t.Errorf("got %d checkpoints that lag behind and retries %v, want 2 of each", behind.Hits(), s.Retries)
	}
	all := p.Requests()
	last := len(all) - 1
	for last > 0 && !strings.Contains(all[last], "request_cache") {
		last--
	}
	if last < 3 || !strings.Contains(all[last-1], "/_refresh") || !strings.Contains(all[last-2], "/_stats/docs") {
		t.Errorf("got %q before the last page, want the checkpoint and then a refresh", all[max(0, last-3):last])
	}
}

func TestWithoutPermissionForSequenceNumbersASnapshotIsRead(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 50, 300)
	for _, path := range []string{"/_stats/docs", "/_refresh"} {
		p := faultproxy.New(t, i.url)
		refused := p.Add(&faultproxy.Rule{Path: "/" + i.name + path, Times: -1, Status: 403, Body: `{"error":{"type":"security_exception","reason":"no permissions"},"status":403}`})
		j := newJob(config(p.URL, i))
		j.env.Versions = true // sequence numbers would be read
		j.complete(t)
		j.wants(t, i)
		if refused.Hits() == 0 || len(p.Requests("request_cache")) > 0 {
			t.Errorf("%s: got sequence numbers read, want a snapshot", path)
		}
		j = newJob(config(p.URL, i))
		j.env.New = true
		j.failing(t, "403", "security_exception")
	}
}

func TestAShortPageIsNoEnd(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 1500, 1000)
	p := faultproxy.New(t, i.url)
	hit := p.Add(&faultproxy.Rule{Match: isPage, Skip: 1, Edit: func(r *http.Response) {
		b, _ := io.ReadAll(r.Body)
		at := bytes.LastIndex(b, []byte(`{"_index"`)) - 1
		b = append(b[:at:at], "]}}"...)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		r.Header.Set("Content-Length", strconv.Itoa(len(b)))
	}})
	c := config(p.URL, i)
	c.Read = "sequence"
	j := newJob(c)
	j.complete(t)
	j.wants(t, i)
	if s, _ := j.last.Status(); hit.Hits() != 1 || s.Retries["short page"] != 1 {
		t.Errorf("got %d short pages and retries %v, want one", hit.Hits(), s.Retries)
	}
}

func TestRecordsHaveVersionsAndNumbersOnRequest(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.put(t, "1", `{"a":1}`)
	i.put(t, "1", `{"a":2}`)
	i.call(t, "POST", "/_refresh", "")
	for _, read := range ways(t) {
		c := config(i.url, i)
		c.Read, c.With = read, []string{"version", "seq_no"}
		j := newJob(c)
		j.complete(t)
		want := fmt.Sprintf(`{"_index":%q,"_id":"1","_version":2,"_seq_no":1,"_source":{"a":2}}`+"\n", i.name)
		for _, got := range j.sink.Objects {
			if got != want {
				t.Errorf("%s: got %q, want %q", read, got, want)
			}
		}
	}
}
