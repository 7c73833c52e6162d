package search_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const mapping = "mapper_parsing_exception"

// some is n records of logs, with _ids from first on.
func some(first, n int) (list []string) {
	for i := first; i < first+n; i++ {
		list = append(list, rec("logs", fmt.Sprint(i), fmt.Sprintf(`{"n":%d}`, i)))
	}
	return list
}

// long is n records of logs of 350 bytes, with _ids from first on.
func long(first, n int) (list []string) {
	for i := first; i < first+n; i++ {
		list = append(list, rec("logs", fmt.Sprint(i), `{"text":"`+strings.Repeat("x", 300)+`"}`))
	}
	return list
}

// expect checks that the cluster holds the records, and nothing else.
func (c *cluster) expect(t *testing.T, want ...[]string) {
	t.Helper()
	all := slices.Sorted(slices.Values(slices.Concat(want...)))
	if diff := cmp.Diff(all, c.lines()); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
}

func TestItKeepsWhatTheFrameReliesOn(t *testing.T) {
	pipelinetest.TestSink(t, func(t *testing.T) pipelinetest.SinkCase {
		c := newCluster(t)
		return pipelinetest.SinkCase{
			Open: func(t *testing.T) pipeline.Sink {
				s, err := config(c.URL).Build(kind.Env{Workers: 1, MaxRecord: 1 << 20})
				if err != nil {
					t.Fatal(err)
				}
				return s
			},
			Contents: func(*testing.T) []string { return c.lines() },
			Refused:  "no envelope\n",
			Ignore:   []goleak.Option{goleak.IgnoreAnyFunction("net/http.(*conn).serve"), goleak.IgnoreAnyFunction("net/http.(*connReader).backgroundRead")},
		}
	})
}

func TestRecordsOfABlockGoIntoSeveralRequests(t *testing.T) {
	c := newCluster(t)
	want := slices.Concat(some(0, 1000), long(1000, 1000))
	cfg := config(c.URL)
	newLoading(want[:1900], want[1900:]).complete(t, cfg, 0)
	c.expect(t, want)
	if len(c.bulks) < 3 {
		t.Errorf("%d requests, want several", len(c.bulks))
	}
	for i, size := range c.sizes {
		if size > int(cfg.Bulk) {
			t.Errorf("request %d: %d bytes, want at most %s", i, size, cfg.Bulk)
		}
	}
	if !slices.Contains(c.paths, "POST /logs/_refresh") {
		t.Errorf("requests %q, want a refresh of logs", c.paths)
	}
}

func TestARecordLargerThanARequestGoesAlone(t *testing.T) {
	c := newCluster(t)
	large := rec("logs", "large", `{"text":"`+strings.Repeat("x", 300<<10)+`"}`)
	blocks := [][]string{some(0, 3), {large}, some(3, 3)}
	newLoading(blocks...).complete(t, config(c.URL), 0)
	c.expect(t, blocks...)
	if got := c.ids(1); got != "large" {
		t.Errorf("the second request holds %q, want only the large record", got)
	}
}

func TestOnlyWhatWasRejectedIsSentAgain(t *testing.T) {
	c := newCluster(t)
	c.item = func(n int, o op) outcome {
		if n < 2 && (o.ID == "2" || o.ID == "4") {
			return outcome{429, "es_rejected_execution_exception", "queue is full"}
		}
		return outcome{}
	}
	blocks := [][]string{some(0, 6), some(6, 2)}
	newLoading(blocks...).complete(t, config(c.URL), 0)
	c.expect(t, blocks...)
	if got := [2]string{c.ids(1), c.ids(2)}; got != [2]string{"2 4", "2 4"} {
		t.Errorf("sent again: %q, want 2 and 4, twice", got)
	}
}

func TestTransientItemErrorsAreTriedAgain(t *testing.T) {
	for _, o := range []outcome{
		{429, "circuit_breaking_exception", "too large"}, {503, "unavailable_shards_exception", "primary"},
		{503, "process_cluster_event_timeout_exception", "put-mapping"}, {500, "node_closed_exception", "node"},
		{502, "", ""}, {504, "x", ""}, {507, "x", ""}, {408, "x", ""}, {400, "node_closed_exception", "whatever the status"},
	} {
		c := newCluster(t)
		c.item = func(n int, _ op) outcome {
			if n == 0 {
				return o
			}
			return outcome{}
		}
		newLoading(some(0, 2)).complete(t, config(c.URL), 0)
		c.expect(t, some(0, 2))
	}
}

func TestTheLastWriteToAnIDWinsAlsoWhenOneIsTriedAgain(t *testing.T) {
	for _, rejected := range []string{`{"v":1}`, `{"v":2}`, `{"v":3}`} {
		c := newCluster(t)
		first := true
		c.item = func(_ int, o op) outcome {
			if o.Source == rejected && first {
				first = false
				return outcome{429, "es_rejected_execution_exception", "queue is full"}
			}
			return outcome{}
		}
		block := []string{rec("logs", "x", `{"v":1}`), rec("logs", "y", `{}`), rec("logs", "x", `{"v":2}`), rec("logs", "x", `{"v":3}`)}
		newLoading(block).complete(t, config(c.URL), 0)
		if got := c.docs["logs/x"]; got != `{"v":3}` {
			t.Errorf("rejected %s: the document is %s, want the last one", rejected, got)
		}
		if strings.Contains(c.ids(1), "y") {
			t.Errorf("sent again: %s, want only x", c.ids(1))
		}
	}
}

func TestRequestsOfALaneDoNotOvertake(t *testing.T) {
	c := newCluster(t)
	c.item = func(n int, o op) outcome {
		if n == 0 && o.ID == "x" {
			return outcome{503, "unavailable_shards_exception", "primary"}
		}
		return outcome{}
	}
	var blocks [][]string
	for v := range 5 { // each makes a request of its own
		blocks = append(blocks, []string{rec("logs", "x", fmt.Sprintf(`{"v":%d}`, v)), rec("logs", fmt.Sprint("fill", v), `{"text":"`+strings.Repeat("x", 60<<10)+`"}`)})
	}
	newLoading(blocks...).complete(t, config(c.URL), 0)
	var got []string
	for _, w := range c.order {
		if v, ok := strings.CutPrefix(w, "logs/x="); ok {
			got = append(got, v)
		}
	}
	if want := []string{`{"v":0}`, `{"v":1}`, `{"v":2}`, `{"v":3}`, `{"v":4}`}; !slices.Equal(got, want) {
		t.Errorf("writes %q, want %q", got, want)
	}
}

func TestAWholeRequestIsSentAgain(t *testing.T) {
	for _, status := range []int{429, 500, 502, 503, 504, 507, 408} {
		c := newCluster(t)
		c.whole = func(n int, _ []op, _ int) *answer {
			if n == 0 {
				return &answer{status: status}
			}
			return nil
		}
		newLoading(some(0, 5)).complete(t, config(c.URL), 0)
		c.expect(t, some(0, 5))
		if len(c.bulks) != 2 {
			t.Errorf("%d: %d requests, want 2", status, len(c.bulks))
		}
	}
}

func TestALostReplyDoublesNothing(t *testing.T) {
	for _, action := range []string{"index", "create"} {
		c := newCluster(t)
		c.lost = func(n int) bool { return n == 0 }
		cfg := config(c.URL)
		cfg.Action = action
		newLoading(some(0, 5), some(5, 5)).complete(t, cfg, 0)
		c.expect(t, some(0, 10))
		if c.ids(0) != c.ids(1) {
			t.Errorf("%s: %q, then %q, want the same again", action, c.ids(0), c.ids(1))
		}
	}
}

func TestARetryThatTakesTooLongIsAnError(t *testing.T) {
	c := newCluster(t)
	c.item = func(int, op) outcome { return outcome{429, "es_rejected_execution_exception", "queue is full"} }
	cfg := config(c.URL)
	cfg.Retry = 0
	l := newLoading(some(0, 2))
	l.fails(t, cfg, "sink: lane a: ", "2 of 2 records", "429 es_rejected_execution_exception: queue is full")
	c.item = nil
	l.complete(t, cfg, 0)
	c.expect(t, some(0, 2))
}

// Of the requests of all lanes, one at a time is larger than the limit, and the
// next one may be as soon as it was delivered.
func TestRecordsLargerThanARequestFollowEachOther(t *testing.T) {
	c := newCluster(t)
	cfg := config(c.URL)
	var blocks [][]string
	for n := range 4 {
		blocks = append(blocks, some(10*n, 10), []string{rec("logs", fmt.Sprint("large", n), `{"text":"`+strings.Repeat("x", 2*int(cfg.Bulk))+`"}`)})
	}
	l := newLoading(blocks...)
	l.complete(t, cfg, 0)
	c.expect(t, blocks...)
}

func TestARequestThatIsTooLargeIsHalved(t *testing.T) {
	c := newCluster(t)
	const most = 20 << 10
	c.whole = func(_ int, _ []op, size int) *answer {
		if size > most {
			return &answer{status: http.StatusRequestEntityTooLarge}
		}
		return nil
	}
	large := rec("logs", "large", `{"text":"`+strings.Repeat("x", 2*most)+`"}`)
	blocks := [][]string{long(0, 300), {large}, long(300, 300)}
	l := newLoading(blocks...)
	l.complete(t, config(c.URL), 1)
	c.expect(t, blocks[0], blocks[2])
	got := l.letters.list[0]
	if got.Refusal == nil || got.Refusal.Status != 413 || !strings.Contains(got.Reason, "a request of 41") || string(got.Record) != large {
		t.Errorf("letter %+v, want one that says 413 and the size, with the record", got)
	}
	tooLarge := 0
	for i, size := range c.sizes {
		if size > most && !strings.Contains(c.ids(i), "large") {
			tooLarge++
		}
	}
	if tooLarge > 4 {
		t.Errorf("%d requests were too large without the large record, want no more after the first two or three", tooLarge)
	}
}
