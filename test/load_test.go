package test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/test/servers"
)

// envelope is documents as lines, as a dump of an index has them.
func envelope(index string, docs []document) []byte {
	var b bytes.Buffer
	for _, d := range docs {
		fmt.Fprintf(&b, `{"_index":%q,"_id":%q,"_source":%s}`+"\n", index, d.ID, oneLine(d.Source))
	}
	return b.Bytes()
}

// objects puts documents into gzip objects of a bucket, n in each.
func (b *bucket) pack(t *testing.T, prefix, index string, docs []document, n int) {
	t.Helper()
	for i := 0; len(docs) > 0; i++ {
		m := min(n, len(docs))
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		w.Write(envelope(index, docs[:m])) // to memory: it never fails
		w.Close()
		b.put(t, fmt.Sprintf("%s%04d.ndjson.gz", prefix, i), z.Bytes())
		docs = docs[m:]
	}
}

// stats counts what index.number says of the documents that were indexed.
func (c cluster) indexed(t *testing.T, index string) int64 {
	t.Helper()
	var r struct {
		All struct {
			Total struct {
				Indexing struct {
					Total int64 `json:"index_total"`
				}
			}
		} `json:"_all"`
	}
	if err := json.Unmarshal(c.call(t, "GET", "/"+index+"/_stats/indexing", ""), &r); err != nil {
		t.Fatal(err)
	}
	return r.All.Total.Indexing.Total
}

// TestWhatBreaksTheMappingIsReplayed loads 100,000 documents (SLUICE_TEST_LOAD),
// of which one in a hundred breaks the mapping. Once that is mended, the dead
// letters are replayed, and every document is there, once.
func TestWhatBreaksTheMappingIsReplayed(t *testing.T) {
	long(t)
	c, b := anyEngine(t), newBucket(t)
	n := int(number("SLUICE_TEST_LOAD", 100_000))
	index := unique(t)
	c.index(t, index, 2, `{"dynamic":false,"properties":{"n":{"type":"short"}}}`)
	docs := make([]document, n)
	for i := range docs {
		value := fmt.Sprint(i % 1000)
		if i%100 == 7 {
			value = fmt.Sprintf(`"no number %d"`, i)
		}
		docs[i] = document{ID: fmt.Sprintf("%08d", i), Source: json.RawMessage(fmt.Sprintf(`{"n":%s,"text":%q}`, value, strings.Repeat("x", 300)))}
	}
	b.pack(t, "in/", index, docs, 10_000)
	j := newJob(t, pipelines(load("load", b.stage(b.store.Endpoint, "prefix: in/"), searchStage(c.url, index), "dead_letters: {file: {path: ./dead}}")))

	o := j.want(t, 3, "load")
	bad := n / 100
	if got := o.Reports["load"].Records; got.Written != int64(n-bad) || got.Dead != int64(bad) {
		t.Errorf("got %+v, want %d written and %d dead", got, n-bad, bad)
	}
	if got := c.count(t, index); got != int64(n-bad) {
		t.Errorf("got %d documents, want %d", got, n-bad)
	}
	letters := j.letters(t, "load")
	if len(letters) != bad {
		t.Errorf("got %d dead letters, want %d", len(letters), bad)
	}
	for _, l := range letters {
		if l.Status != 400 || l.Type != servers.Search(t).MappingError() || !strings.Contains(l.Reason, "n") || !strings.Contains(l.Record, "no number") {
			t.Fatalf("got letter %+v", l)
		}
	}
	j.command(t, 0, "dead-letters", "list", "load").prints(t, fmt.Sprint(bad), servers.Search(t).MappingError())

	// Nothing was mended: all are refused again, and kept.
	j.command(t, 3, "dead-letters", "replay", "load")
	j.command(t, 0, "dead-letters", "list", "load").prints(t, fmt.Sprint(bad))

	c.call(t, http.MethodPut, "/"+index+"/_mapping", `{"properties":{"n":{"type":"short","ignore_malformed":true}}}`)
	j.command(t, 0, "dead-letters", "replay", "load")
	want, err := documents{}, error(nil)
	for _, d := range docs {
		if err = want.add(d); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "index", c.documents(t, index), want)
	before := c.indexed(t, index)
	j.command(t, 0, "dead-letters", "replay", "load")
	if after := c.indexed(t, index); after != before {
		t.Errorf("%d letters were replayed again", after-before)
	}
	j.want(t, 0, "load")
}

// TestABulkMayBeTooLarge loads into an engine that takes requests of 1 MB: one
// document that is larger is a dead letter that says so.
func TestABulkMayBeTooLarge(t *testing.T) {
	long(t)
	c, b := ownEngine(t, "http.max_content_length=1mb"), newBucket(t)
	docs := generated(4000, 3000)
	large := document{ID: "large", Source: json.RawMessage(fmt.Sprintf(`{"text":%q}`, strings.Repeat("z", 2<<20)))}
	b.pack(t, "in/", "large", append(append(append([]document{}, docs[:1500]...), large), docs[1500:]...), 1000)
	c.index(t, "large", 1, "")
	for name, compression := range map[string]string{"plain": "off", "compressed": "on"} {
		t.Run(name, func(t *testing.T) {
			c.call(t, "POST", "/large/_delete_by_query?refresh=true", `{"query":{"match_all":{}}}`)
			j := newJob(t, "memory: 120MiB\n"+pipelines(load("load", b.stage(b.store.Endpoint, "prefix: in/"),
				searchStage(c.url, "large", "bulk: 8MiB", "compression: "+compression), "dead_letters: {file: {path: ./dead}}")))
			o := j.want(t, 3, "load")
			same(t, "index", c.documents(t, "large"), expected(t, docs))
			letters := j.letters(t, "load")
			if len(letters) != 1 || letters[0].Status != 413 || !strings.Contains(letters[0].Reason, "bytes") || !strings.Contains(letters[0].Record, `"large"`) {
				t.Errorf("got %d letters %.300v, want one that says how large the record is", len(letters), letters)
			}
			o.says(t, "no requests of the size")
		})
	}
}

// TestAFullQueueLosesAndDoublesNothing loads into an engine that has room for
// one write at a time and one that waits: it refuses documents one by one.
func TestAFullQueueLosesAndDoublesNothing(t *testing.T) {
	long(t)
	c, b := ownEngine(t, "node.processors=1", "thread_pool.write.queue_size=1"), newBucket(t)
	docs := generated(60_000, 700)
	b.pack(t, "in/", "full", docs, 3000)
	c.index(t, "full", 8, "")
	j := newJob(t, "memory: 300MiB\n"+pipelines(load("load", b.stage(b.store.Endpoint, "prefix: in/"),
		searchStage(c.url, "full", "bulk: 200KiB", "retry: 3m"), "lanes: 8", "dead_letters: {file: {path: ./dead}}")))
	o := j.want(t, 0, "load")
	t.Logf("%d refused: %v, %v of CPU in %v", o.Reports["load"].Retries["429"], o.Reports["load"].Retries, o.CPU, o.Took)
	if o.Reports["load"].Retries["429"] == 0 {
		t.Fatal("the queue was never full")
	}
	same(t, "index", c.documents(t, "full"), expected(t, docs))
	if dead := j.letters(t, "load"); len(dead) > 0 {
		t.Errorf("got %d dead letters, want none", len(dead))
	}
}

// TestABlockedIndexIsWaitedFor: nobody can write to the index for a while, as
// when disks are full or somebody made it read-only.
func TestABlockedIndexIsWaitedFor(t *testing.T) {
	long(t)
	c, b := anyEngine(t), newBucket(t)
	docs := generated(20_000, 700)
	b.pack(t, "in/", "x", docs, 2000)
	for _, block := range []string{"read_only_allow_delete", "write", "read_only"} {
		t.Run(block, func(t *testing.T) {
			index := unique(t)
			c.index(t, index, 2, "")
			slow := slowly(t, c.url, 50*time.Millisecond)
			j := newJob(t, pipelines(load("load", b.stage(b.store.Endpoint, "prefix: in/"),
				searchStage(slow.URL, index, "bulk: 300KiB", "retry: 5s"), "dead_letters: {file: {path: ./dead}}")))
			p := j.start(t, "run", "load")
			for end := time.Now().Add(20 * time.Second); c.count(t, index) == 0 && time.Now().Before(end); {
				time.Sleep(50 * time.Millisecond)
			}
			set := func(v string) {
				c.call(t, "PUT", "/"+index+"/_settings", fmt.Sprintf(`{"index.blocks.%s":%s}`, block, v))
			}
			set("true")
			if got := c.count(t, index); got == 0 || got == int64(len(docs)) {
				t.Fatalf("%d documents are there when it is blocked, want some", got)
			}
			time.Sleep(time.Duration(number("SLUICE_TEST_BLOCKED", 15)) * time.Second)
			set("null")
			o := p.wait(t)
			if o.Status != 0 {
				t.Fatalf("exit status %d\n%s", o.Status, o.Stderr)
			}
			o.says(t, "block", index)
			same(t, "index", c.documents(t, index), expected(t, docs))
			if dead := j.letters(t, "load"); len(dead) > 0 {
				t.Errorf("got %d dead letters, want none", len(dead))
			}
		})
	}
}

// TestAClusterThatIsDownHoldsNoOtherUp loads two clusters, of which one is away
// for a while: the other is complete meanwhile, and both are equal in the end.
func TestAClusterThatIsDownHoldsNoOtherUp(t *testing.T) {
	long(t)
	c, b := anyEngine(t), newBucket(t)
	ctx, cancel := within(5 * time.Minute)
	defer cancel()
	own, err := servers.StartOpenSearch(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(own.Kill)
	index := unique(t)
	c.index(t, index, 2, "")
	other := cluster{own.URL}
	other.index(t, index, 2, "")
	docs := generated(40_000, 700)
	b.pack(t, "in/", "x", docs, 2000)
	sink := func(url string) string {
		return searchStage(slowly(t, url, 20*time.Millisecond).URL, index, "bulk: 500KiB", "retry: 4m")
	}
	j := newJob(t, "memory: 200MiB\n"+pipelines(fmt.Sprintf("  load:\n    source: %s\n    transforms: [{decompress: {}}, {lines: {}}]\n    sinks:\n      here: %s\n      there: %s\n    dead_letters: {file: {path: ./dead}}\n",
		b.stage(b.store.Endpoint, "prefix: in/"), sink(c.url), sink(other.url))))
	p := j.start(t, "run", "load")
	for end := time.Now().Add(30 * time.Second); other.count(t, index) == 0 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	own.Kill()
	away := time.Now()
	for end := time.Now().Add(60 * time.Second); c.count(t, index) < int64(len(docs)) && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	same(t, "the other cluster, meanwhile", c.documents(t, index), expected(t, docs))
	t.Logf("the other was complete after %v", time.Since(away))
	time.Sleep(time.Until(away.Add(time.Duration(number("SLUICE_TEST_AWAY", 30)) * time.Second)))
	if err := own.Start(ctx); err != nil {
		t.Fatal(err)
	}
	o := p.wait(t)
	if o.Status != 0 || len(o.Reports["load-there"].Retries) == 0 || len(o.Reports["load-here"].Retries) > 0 {
		t.Fatalf("exit status %d, %+v\n%s", o.Status, o.Reports, o.Stderr)
	}
	same(t, "the cluster that was away", other.documents(t, index), expected(t, docs))
	same(t, "the other cluster", c.documents(t, index), expected(t, docs))
}
