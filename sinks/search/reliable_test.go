package search_test

import (
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/sinks/search"
)

// isPoison is what costs a whole request.
func isPoison(o op) bool { return o.ID == "poison" }

var malformed = &answer{400, `{"error":{"type":"illegal_argument_exception","reason":"Malformed action"},"status":400}`}

func TestPoisonAtAnyPositionCostsItselfAndFewRequests(t *testing.T) {
	const n = 33
	for at := range n {
		for _, applied := range []bool{false, true} { // what is before it, all the same
			c := newCluster(t)
			c.whole = func(bulk int, ops []op, _ int) *answer {
				i := slices.IndexFunc(ops, isPoison)
				if i < 0 {
					return nil
				}
				if applied {
					c.apply(bulk, ops[:i])
				}
				return malformed
			}
			l := newLoading(slices.Concat(some(0, at), []string{rec("logs", "poison", `{}`)}, some(at, n-1-at)))
			l.complete(t, config(c.URL), 1)
			c.expect(t, some(0, n-1))
			if got := l.letters.list[0]; got.Line != int64(at) || len(c.bulks) > 13 {
				t.Errorf("at %d: letter of line %d after %d requests, want its own after 13 at most", at, got.Line, len(c.bulks))
			}
		}
	}
}

// The last write to an _id wins, and what is created stays, though halves of
// refused requests were applied.
func TestARequestThatWasRefusedAndHalfAppliedEndsAsIfItWasNot(t *testing.T) {
	for applied := range 7 {
		c := newCluster(t)
		c.docs["logs/gone"] = `{}`
		c.whole = func(n int, ops []op, _ int) *answer {
			if n == 0 {
				c.apply(n, ops[:applied])
				return malformed
			}
			return nil
		}
		block := []string{
			rec("logs", "x", `{"v":1}`), `{"create":{"_index":"logs","_id":"y"}} {"v":1}` + "\n", `{"delete":{"_index":"logs","_id":"gone"}}` + "\n",
			rec("logs", "x", `{"v":2}`), `{"update":{"_index":"logs","_id":"x"}} {"doc":{"w":3}}` + "\n", `{"delete":{"_index":"logs","_id":"y"}}` + "\n",
		}
		newLoading(block).complete(t, config(c.URL), 0)
		c.expect(t, []string{rec("logs", "x", `{"v":2,"w":3}`)})
	}
}

func TestHalvesOfRecordsWithoutIDAreWarnedOf(t *testing.T) {
	for want, line := range map[bool]string{true: `{"_index":"logs","_source":{}}` + "\n", false: rec("logs", "x", `{}`)} {
		c := newCluster(t)
		c.whole = func(n int, _ []op, _ int) *answer {
			if n == 0 {
				return malformed
			}
			return nil
		}
		l, log := logged([]string{line, line})
		l.complete(t, config(c.URL), 0)
		if got := strings.Contains(log.String(), "refused as a whole"); got != want {
			t.Errorf("%s: log %q, want a warning: %v", line, log, want)
		}
	}
}

// items is the reply to a bulk request of many records that are all refused, as
// it is read.
type items struct {
	left int
	item string
	rest string
}

// Read implements io.Reader.
func (i *items) Read(p []byte) (int, error) {
	if i.rest == "" {
		switch i.left--; {
		case i.left > 0:
			i.rest = i.item
		case i.left == 0:
			i.rest = strings.TrimSuffix(i.item, ",") + "]}"
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, i.rest)
	i.rest = i.rest[n:]
	return n, nil
}

func TestAReplyOfFiftyMegabytesOfErrorsTakesLittleMemory(t *testing.T) {
	const records = 16 << 10 // as many as a request of 4 MiB may have
	item := `{"index":{"_index":"logs","_id":"1","status":400,"error":{"type":"mapper_parsing_exception","reason":"` + strings.Repeat("failed to parse ", 200) + `"}}},`
	if size := records * len(item); size < 50<<20 {
		t.Fatalf("%d bytes, want 50 MiB", size)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, refused, err := search.CountReply(io.MultiReader(strings.NewReader(`{"took":1,"errors":true,"items":[`), &items{left: records, item: item}))
	runtime.ReadMemStats(&after)
	if err != nil || n != records || refused != records {
		t.Errorf("%d items, %d refused, %v; want %d of each", n, refused, err, records)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 8<<20 {
		t.Errorf("%d bytes were allocated, want 8 MiB at most", took)
	}
}

func TestEveryRecordOfALongReplyOfErrorsIsALetter(t *testing.T) {
	c := newCluster(t)
	c.item = func(_ int, o op) outcome {
		if strings.HasSuffix(o.ID, "7") {
			return outcome{}
		}
		return outcome{400, mapping, "failed to parse " + strings.Repeat("x", 10_000)}
	}
	l := newLoading(some(0, 1000))
	l.complete(t, config(c.URL), 900)
	seen := map[int64]bool{}
	for _, letter := range l.letters.list {
		seen[letter.Line] = true
		if want := some(int(letter.Line), 1)[0]; string(letter.Record) != want {
			t.Errorf("letter %d: %s, want %s", letter.Line, letter.Record, want)
		}
	}
	if len(seen) != 900 || len(c.docs) != 100 {
		t.Errorf("%d letters and %d documents, want 900 and 100", len(seen), len(c.docs))
	}
}

// Rejections of records come with status 200: the cluster has too much to do all
// the same, and fewer lanes may send at the same time.
func TestRejectedRecordsLowerHowManyRequestsAreUnderWay(t *testing.T) {
	for refused, lower := range map[outcome]bool{
		queueFull: true, {503, "unavailable_shards_exception", "primary"}: true, {500, "node_closed_exception", "node"}: false,
	} {
		inFalseTime(t, func(t *testing.T, c *cluster, load func(...[]string) *loading) {
			var mu sync.Mutex
			now, most, answered := 0, 0, 0
			c.whole = func(int, []op, int) *answer {
				mu.Lock()
				if now++; answered >= 8 {
					most = max(most, now)
				}
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				now--
				answered++
				mu.Unlock()
				return nil
			}
			c.item = func(n int, _ op) outcome {
				if n < 8 {
					return refused
				}
				return outcome{}
			}
			l := load(long(0, 3))
			l.lanes = 8
			if res, err := l.run(t, config("http://memory")); err != nil || !res.Complete {
				t.Fatalf("complete %v, %v, want a complete pass", res.Complete, err)
			}
			if most < 8 != lower {
				t.Errorf("%d %s: %d of 8 requests at the same time, want fewer: %v", refused.status, refused.kind, most, lower)
			}
		})
	}
}
