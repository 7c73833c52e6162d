package test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/crash"
	"sluice/test/faultproxy"
)

// slowly is a proxy to url that takes a while for each request.
func slowly(t *testing.T, url string, delay time.Duration) *faultproxy.Proxy {
	p := faultproxy.New(t, url)
	p.Add(&faultproxy.Rule{Times: -1, Delay: delay})
	return p
}

// killed runs a pipeline and kills it with -9 at random, times times, then
// lets it end. between is called after each kill.
func (j *job) killed(t *testing.T, pipeline string, times int, between func(n int)) {
	t.Helper()
	for n := range times {
		j.kill(t, pipeline, time.Duration(100+rand.IntN(500))*time.Millisecond)
		if between != nil {
			between(n)
		}
	}
	j.want(t, 0, pipeline)
}

// kill runs a pipeline, and kills it after a while with -9.
func (j *job) kill(t *testing.T, pipeline string, after time.Duration) {
	t.Helper()
	p := j.start(t, "run", pipeline)
	time.Sleep(after)
	p.cmd.Process.Signal(syscall.SIGKILL)
	if o := p.wait(t); o.Status >= 0 {
		t.Fatalf("it ended with %d before it was killed: the job is too small for this test\n%s", o.Status, o.Stderr)
	}
}

// trimmed maps the part of each key after prefix to the object's bytes.
func (b *bucket) trimmed(t *testing.T, prefix string) map[string]string {
	all := map[string]string{}
	for k, v := range b.objects(t, prefix) {
		all[strings.TrimPrefix(k, prefix)] = v
	}
	return all
}

const rolled = `"{index}/{lane}-{sequence}.json.gz"`

// TestTwentyKillsLeaveTheSameObjects: while the point in time lives, objects
// are those of an undisturbed run, key for key and byte for byte.
func TestTwentyKillsLeaveTheSameObjects(t *testing.T) {
	long(t)
	c, b := openSearch(t), newBucket(t)
	index := unique(t)
	c.index(t, index, 2, "")
	c.put(t, index, generated(30000, 700))
	sink := func(prefix string) string {
		return b.stage(b.store.Endpoint, "key: "+strings.Replace(rolled, `"`, `"`+prefix, 1), "roll: {bytes: 100KiB}")
	}
	calm := newJob(t, pipelines(dump("dump", searchStage(c.url, index), sink("calm/"))))
	calm.want(t, 0, "dump")
	slow := slowly(t, c.url, 100*time.Millisecond)
	wild := newJob(t, pipelines(dump("dump", searchStage(slow.URL, index, "page: 512KiB"), sink("wild/"))))
	wild.killed(t, "dump", 20, nil)
	got, want := b.trimmed(t, "wild/"), b.trimmed(t, "calm/")
	if len(want) < 4 || !maps.Equal(got, want) {
		t.Fatalf("objects differ: %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	same(t, "objects", parse(t, b.lines(t, "wild/")), c.documents(t, index))
	if u := b.uploads(t); len(u) > 0 {
		t.Errorf("uploads are left: %v", u)
	}
}

// TestKillsAndALostContextLeaveTheSameDocuments: the lane starts over, and no
// object of its first walk is left.
func TestKillsAndALostContextLeaveTheSameDocuments(t *testing.T) {
	long(t)
	for _, read := range []string{"pit", "scroll"} {
		t.Run(read, func(t *testing.T) {
			c, b := openSearch(t), newBucket(t)
			index := unique(t)
			c.index(t, index, 2, "")
			c.put(t, index, generated(12000, 700))
			slow := slowly(t, c.url, 60*time.Millisecond)
			j := newJob(t, pipelines(dump("dump", searchStage(slow.URL, index, "page: 512KiB", "read: "+read),
				b.stage(b.store.Endpoint, "key: "+rolled, "roll: {bytes: 50KiB}"))))
			j.killed(t, "dump", 6, func(n int) {
				if n == 3 {
					slow.Clear()
					slow.Add(&faultproxy.Rule{Method: "POST", Match: page, Status: 404, Body: `{"error":{"root_cause":[{"type":"search_context_missing_exception",` +
						`"reason":"No search context found for id [7]"}],"type":"search_phase_execution_exception","reason":"all shards failed","phase":"query","grouped":true},"status":404}`})
					slow.Add(&faultproxy.Rule{Times: -1, Delay: 60 * time.Millisecond})
				}
			})
			same(t, "objects", parse(t, b.lines(t, "")), c.documents(t, index))
		})
	}
}

// TestTwentyKillsLoadEachDocumentOnce kills the return path.
func TestTwentyKillsLoadEachDocumentOnce(t *testing.T) {
	long(t)
	c, b := openSearch(t), newBucket(t)
	from, to := unique(t)+"-from", unique(t)+"-to"
	c.index(t, from, 1, "")
	c.put(t, from, generated(30000, 700))
	c.index(t, to, 2, "")
	slow := slowly(t, c.url, 120*time.Millisecond)
	j := newJob(t, pipelines(
		dump("dump", searchStage(c.url, from), b.stage(b.store.Endpoint, "key: "+rolled, "roll: {bytes: 400KiB}")),
		load("load", b.stage(b.store.Endpoint), searchStage(slow.URL, to, "bulk: 300KiB"), "lanes: 2"),
	))
	j.want(t, 0, "dump")
	j.killed(t, "load", 20, nil)
	same(t, "index", c.documents(t, to), c.documents(t, from))
}

// TestACrashAtEveryPointChangesNothing kills at each registered point, and
// fails if one is never reached.
func TestACrashAtEveryPointChangesNothing(t *testing.T) {
	long(t)
	c, b := openSearch(t), newBucket(t)
	index := unique(t)
	c.index(t, index, 2, "")
	docs := generated(4000, 700)
	c.put(t, index, docs)
	want := c.documents(t, index)

	for _, point := range crash.Points {
		for _, hit := range []int{1, 2} {
			t.Run(fmt.Sprint(point, ":", hit), func(t *testing.T) {
				prefix := fmt.Sprintf("%s-%d/", point, hit)
				to := fmt.Sprintf("%s-%s-%d", index, point, hit)
				c.index(t, to, 2, `{"dynamic":false,"properties":{"n":{"type":"short","coerce":false}}}`) // 32,768 is refused
				if point == crash.AfterDeadLetter || point == crash.AfterBulkReply {
					b.put(t, prefix+"bad.ndjson", []byte(`{"_index":"x","_id":"bad","_source":{"n":99999}}`+"\n"))
				}
				if slices.Contains(crash.Around, point) {
					t.Skip("TestABackfillThatIsKilledAnywhereLeavesTheOriginalSettings comes to it")
				}
				if slices.Contains(crash.Git, point) {
					t.Skip("package sinks/git comes to it")
				}
				if point == crash.AfterBegin {
					t.Skip("packages sinks/s3 and test/stores come to it")
				}
				if point == crash.AfterDeadLetter && hit > 1 {
					t.Skip("one dead letter makes one sync")
				}
				roll := "roll: {bytes: 20KiB}"
				if point == crash.AfterCut {
					roll = "roll: {bytes: 1GiB, every: 10ms}"
				}
				slow := slowly(t, c.url, 20*time.Millisecond)
				j := newJob(t, pipelines(
					dump("dump", searchStage(slow.URL, index, "page: 128KiB"), b.stage(b.store.Endpoint, fmt.Sprintf(`key: "%s{index}/{lane}-{sequence}.gz"`, prefix), roll)),
					load("load", b.stage(b.store.Endpoint, "prefix: "+prefix), searchStage(c.url, to, "bulk: 1MiB"), "dead_letters: {file: {path: ./dead}}"),
					entry("files", b.stage(b.store.Endpoint, "prefix: "+prefix), "[]", stage("file", "path: ./files")),
				))
				killed := false
				for _, p := range []string{"dump", "load", "files"} {
					j.env = []string{fmt.Sprintf("SLUICE_CRASH=%s:%d", point, hit)}
					o := j.run(t, p)
					j.env = nil
					if o.Status < 0 {
						killed = true
						o = j.run(t, p)
					}
					if o.Status != 0 && o.Status != 3 {
						t.Fatalf("%s: exit status %d\n%s", p, o.Status, o.Stderr)
					}
				}
				if !killed {
					t.Fatalf("%s was not reached %d times", point, hit)
				}
				if point == crash.AfterDeadLetter || point == crash.AfterBulkReply {
					b.delete(t, prefix+"bad.ndjson")
				}
				same(t, "objects", parse(t, b.lines(t, prefix)), want)
				same(t, "index", c.documents(t, to), want)
			})
		}
	}
}

// TestAStoppedRunIsResumed: SIGTERM under load ends within the grace with 4.
func TestAStoppedRunIsResumed(t *testing.T) {
	long(t)
	c, b := openSearch(t), newBucket(t)
	index := unique(t)
	c.index(t, index, 2, "")
	c.put(t, index, generated(20000, 700))
	slow := slowly(t, c.url, 100*time.Millisecond)
	j := newJob(t, pipelines(dump("dump", searchStage(slow.URL, index, "page: 256KiB"), b.stage(b.store.Endpoint, "key: "+rolled, "roll: {bytes: 1MiB}"))))
	j.stopped(t, "dump", 1200*time.Millisecond)
	j.want(t, 0, "dump")
	same(t, "objects", parse(t, b.lines(t, "")), c.documents(t, index))
}

// stopped runs a pipeline, and stops it after a while with SIGTERM.
func (j *job) stopped(t *testing.T, pipeline string, after time.Duration) outcome {
	t.Helper()
	p := j.start(t, "run", pipeline)
	time.Sleep(after)
	began := time.Now()
	p.cmd.Process.Signal(syscall.SIGTERM)
	o := p.wait(t)
	if took := time.Since(began); o.Status != 4 || took > 10*time.Second || o.Reports[pipeline].Outcome != "stopped" {
		t.Fatalf("exit status %d after %v, %+v\n%s", o.Status, took, o.Reports, o.Stderr)
	}
	return o
}

// TestAStopWithALargeObjectInFlight: an object of 1 GB that cannot be copied
// within the grace is begun again by the next run; one that is taken apart is
// gone on with in its middle.
func TestAStopWithALargeObjectInFlight(t *testing.T) {
	long(t)
	const records = 1_500_000
	b := newBucket(t)
	slow := faultproxy.New(t, b.store.Endpoint)
	slow.Add(&faultproxy.Rule{Method: "GET", Path: "in/", Times: -1, Edit: func(r *http.Response) { r.Body = &throttled{r.Body, 40 << 20} }})
	in := b.stage(slow.URL, "prefix: in/")
	j := newJob(t, pipelines(
		entry("make", stage("generate", fmt.Sprintf("records: %d", records), "bytes: 700"), "[]", b.stage(b.store.Endpoint, `key: "in/{lane}-{sequence}"`, "roll: {bytes: 4GiB}"), "lanes: 1"),
		entry("copy", in, "[]", b.stage(b.store.Endpoint, `key: "copy/{key}"`)),
		entry("split", in, "[{lines: {}}, {gzip: {}}]", b.stage(b.store.Endpoint, `key: "split/{lane}-{sequence}"`))))
	j.want(t, 0, "make")
	keys := b.keys(t, "in/")
	if len(keys) != 1 || len(b.get(t, keys[0])) < 1e9 {
		t.Fatalf("got %q, want one object of 1 GB", keys)
	}
	j.stopped(t, "copy", 2*time.Second)
	if left := b.uploads(t); len(left) > 0 || len(b.keys(t, "copy/")) > 0 {
		t.Errorf("got %d uploads and %q after the stop, want none", len(left), b.keys(t, "copy/"))
	}
	o := j.stopped(t, "split", 3*time.Second)
	if r := o.Reports["split"].Records; r.Written < 10_000 || r.Written > records/2 {
		t.Errorf("got %+v of records when it was stopped, want some", r)
	}
	slow.Clear()
	j.want(t, 0, "copy")
	if got, want := b.sum(t, "copy/"), b.sum(t, "in/"); got != want {
		t.Errorf("the copy has SHA-256 %s, want %s", got, want)
	}
	if o := j.want(t, 0, "split"); o.Reports["split"].Records.Written != records {
		t.Errorf("got %+v of records, want %d", o.Reports["split"].Records, records)
	}
	if got, want := fmt.Sprintf("%x", sha256.Sum256(b.lines(t, "split/"))), b.sum(t, "in/"); got != want {
		t.Errorf("what was split has SHA-256 %s, want %s", got, want)
	}
}

// throttled is a body that comes at so many bytes a second.
type throttled struct {
	io.ReadCloser
	rate int
}

func (r *throttled) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p[:min(len(p), 32<<10)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(r.rate))
	return n, err
}
