package search_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/pipeline"
	"sluice/sinks/search"
)

// ver is a record of logs with a version.
func ver(id string, version int64) string {
	return fmt.Sprintf(`{"_index":"logs","_id":%q,"_version":%d,"_source":{"v":%d}}`+"\n", id, version, version)
}

// is is the document that ver makes.
func is(id string, version int64) []string {
	return []string{rec("logs", id, fmt.Sprintf(`{"v":%d}`, version))}
}

// del is a delete in place of a block; version "": none.
func del(id, version string) []string { return []string{"\x00delete", "logs", id, version, ""} }

// routed adds a routing to a delete.
func routed(del []string, routing string) []string { return append(del[:4:4], routing) }

func isDelete(block []string) bool { return len(block) > 0 && block[0] == "\x00delete" }

// remove is the item of a delete.
func remove(block []string) *pipeline.Item {
	it := &pipeline.Item{Key: block[2], Version: block[3], Delete: true, Meta: &pipeline.Meta{Index: block[1]}}
	if block[4] != "" {
		it.Meta.Tags = map[string]string{search.Routing: block[4]}
	}
	return it
}

func TestTheNewestVersionStaysInWhateverOrderTheyCome(t *testing.T) {
	for name, blocks := range map[string][][]string{
		"ascending":                  {{ver("x", 5), ver("x", 6), ver("x", 7)}},
		"descending":                 {{ver("x", 7), ver("x", 6), ver("x", 5)}},
		"descending, in requests":    {{ver("x", 7)}, long(0, 300), {ver("x", 6), ver("x", 7)}},
		"of another, the same twice": {{ver("y", 9), ver("x", 7), ver("x", 7)}},
	} {
		c := newCluster(t)
		newLoading(blocks...).complete(t, config(c.URL), 0)
		if got := c.docs["logs/x"]; got != `{"v":7}` {
			t.Errorf("%s: the document is %s, want version 7", name, got)
		}
	}
}

func TestRecordsWithoutAVersionAreAsBefore(t *testing.T) {
	c := newCluster(t)
	newLoading([]string{ver("x", 7), rec("logs", "x", `{"v":"none"}`)}).complete(t, config(c.URL), 0)
	c.expect(t, []string{rec("logs", "x", `{"v":"none"}`)})
	if got := []string{c.bulks[0][0].Version, c.bulks[0][1].Version}; !slices.Equal(got, []string{"7", ""}) {
		t.Errorf("versions %q, want that of the first record alone", got)
	}
}

func TestVersionsAreIgnoredIfSoConfigured(t *testing.T) {
	for name, change := range map[string]func(*search.Config){
		"versions: false": func(c *search.Config) { c.Versions = false },
		"action: create":  func(c *search.Config) { c.Action = "create" },
	} {
		c := newCluster(t)
		cfg := config(c.URL)
		change(cfg)
		newLoading([]string{ver("x", 7), ver("y", 1), strings.Replace(ver("z", 1), "1,", `"no version",`, 1)}).complete(t, cfg, 0)
		for _, o := range c.bulks[0] {
			if o.Version != "" {
				t.Errorf("%s: %+v, want no version", name, o)
			}
		}
	}
	c := newCluster(t)
	newLoading([]string{`{"_index":"logs","_version":3,"_source":{}}` + "\n", `{"_index":"logs","_id":null,"_version":3,"_source":{}}` + "\n", `{"_index":"logs","_id":"x","_version":null,"_source":{}}` + "\n"}).complete(t, config(c.URL), 0)
	if len(c.docs) != 3 {
		t.Errorf("documents %v, want 3: a record without _id is new whatever its version", c.docs)
	}
}

func TestEveryVersionThatEnginesTakeIsSent(t *testing.T) {
	c := newCluster(t)
	versions := []int64{0, 1, 10, 1<<44 + 7, 999999999999999999, 1000000000000000000, math.MaxInt64 - 1, math.MaxInt64}
	var block, want, got []string
	for _, v := range versions {
		block = append(block, ver("x", v))
		want = append(want, fmt.Sprint(v))
	}
	newLoading(block).complete(t, config(c.URL), 0)
	for _, o := range c.bulks[0] {
		got = append(got, o.Version)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
}

func TestOnlyAConflictOfAVersionIsHarmless(t *testing.T) {
	conflict := outcome{409, "version_conflict_engine_exception", "conflict"}
	for name, c := range map[string]struct {
		record string
		outcome
		dead int64
	}{
		"a record with a version":    {ver("0", 7), conflict, 0},
		"a record without a version": {rec("logs", "0", `{}`), conflict, 1},
		"another conflict":           {ver("0", 7), outcome{409, "alias_conflict", "odd"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newCluster(t)
			fake.item = func(_ int, o op) outcome {
				if o.ID == "0" {
					return c.outcome
				}
				return outcome{}
			}
			newLoading([]string{c.record}, some(1, 2)).complete(t, config(fake.URL), c.dead)
		})
	}
}

func TestWhatWasOlderIsSaidAtDebugOnly(t *testing.T) {
	for level, want := range map[slog.Level]bool{slog.LevelDebug: true, slog.LevelInfo: false} {
		c := newCluster(t)
		c.is["logs/x"], c.is["logs/y"] = 100, 100
		var log bytes.Buffer
		l := newLoading([]string{ver("x", 7), ver("y", 8), ver("z", 9)})
		l.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level}))
		l.complete(t, config(c.URL), 0)
		if got := strings.Contains(log.String(), "newer versions and keeps them") && strings.Contains(log.String(), "records=2"); got != want {
			t.Errorf("at %v: log %q, want it to speak of 2 records: %v", level, log.String(), want)
		}
	}
}

func TestALostReplyIsSentAgainWithTheSameVersions(t *testing.T) {
	c := newCluster(t)
	c.lost = func(n int) bool { return n == 0 }
	newLoading([]string{ver("x", 5), ver("x", 7), ver("y", 3)}, del("y", "4"), []string{ver("x", 6)}).complete(t, config(c.URL), 0)
	c.expect(t, is("x", 7))
	if diff := cmp.Diff(c.bulks[0], c.bulks[1]); diff != "" {
		t.Errorf("sent again (-first +second):\n%s", diff)
	}
}

func TestDeletesTakeTheirTurnAmongTheRecords(t *testing.T) {
	c := newCluster(t)
	l := newLoading([]string{ver("a", 1), ver("b", 1)}, del("a", "2"), []string{ver("b", 2), rec("logs", "c", `{}`)}, routed(del("c", ""), "r 1"), del("never there", "9"),
		del("b", "1"), []string{ver("a", 3)}, del(`odd "<id>"\ é`, ""))
	l.complete(t, config(c.URL), 0)
	c.expect(t, is("a", 3), is("b", 2))
	want := [][]op{{
		{"index", "logs", "a", "", `{"v":1}`, "1"}, {"index", "logs", "b", "", `{"v":1}`, "1"}, {"delete", "logs", "a", "", "", "2"},
		{"index", "logs", "b", "", `{"v":2}`, "2"}, {"index", "logs", "c", "", `{}`, ""}, {"delete", "logs", "c", "r 1", "", ""}, {"delete", "logs", "never there", "", "", "9"},
		{"delete", "logs", "b", "", "", "1"}, {"index", "logs", "a", "", `{"v":3}`, "3"}, {"delete", "logs", `odd "<id>"\ é`, "", "", ""},
	}}
	if diff := cmp.Diff(want, c.bulks); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if !slices.Equal(c.paths, []string{"POST /logs/_refresh"}) {
		t.Errorf("requests %q, want a refresh of logs", c.paths)
	}
}

func TestDeletesGoToTheIndexOfTheOption(t *testing.T) {
	c := newCluster(t)
	c.docs["other/x"], c.docs["logs/x"] = `{}`, `{}`
	cfg := config(c.URL)
	cfg.Index, cfg.Versions = "other", false
	newLoading(del("x", "9")).complete(t, cfg, 0)
	c.expect(t, []string{rec("logs", "x", `{}`)})
	if got := c.bulks[0][0].Version; got != "" {
		t.Errorf("version %s, want none with versions: false", got)
	}
}

// Whatever is rejected for now, no write to a document comes after a later one.
func TestRejectedWritesAndDeletesOfADocumentStayInOrder(t *testing.T) {
	for _, versions := range []bool{true, false} {
		for rejected := range 5 {
			c := newCluster(t)
			n := 0
			c.item = func(bulk int, o op) outcome {
				if n++; bulk == 0 && n-1 == rejected {
					return outcome{429, "es_rejected_execution_exception", "queue is full"}
				}
				return outcome{}
			}
			cfg := config(c.URL)
			cfg.Versions = versions
			odd := strings.Replace(ver("x", 3), `"x"`, `"\u0078"`, 1)
			newLoading([]string{ver("x", 1)}, del("x", "2"), []string{odd, ver("y", 1)}, del("x", "4")).complete(t, cfg, 0)
			c.expect(t, is("y", 1))
			if got := c.order[len(c.order)-1]; rejected != 3 && got != "logs/x=" {
				t.Errorf("rejected %d: the last operation is %s, want the delete of x", rejected, got)
			}
		}
	}
}

func TestADeleteThatIsRefusedForGoodIsAnErrorAndNoLetter(t *testing.T) {
	for name, c := range map[string]struct {
		delete []string
		cfg    func(*search.Config)
		want   string
	}{
		"by the engine":    {del("x", "7"), nil, `{"delete":{"version":7,"version_type":"external_gte","_index":"logs","_id":"x"}}: 400 routing_missing_exception: routing is required`},
		"without version":  {del("conflict", ""), nil, "409 version_conflict_engine_exception"},
		"long id":          {del(strings.Repeat("x", 513), ""), nil, "400 invalid_id: "},
		"not UTF-8":        {del("a\xff", ""), nil, "400 invalid_id: "},
		"version":          {del("x", "-7"), nil, "400 invalid_version: "},
		"routing":          {routed(del("x", ""), "\xff"), nil, "400 invalid_routing: "},
		"index":            {append([]string{"\x00delete", "lo*"}, del("x", "")[2:]...), nil, "400 invalid_index: "},
		"no index":         {append([]string{"\x00delete", ""}, del("x", "")[2:]...), nil, "400 invalid_index: "},
		"nothing replaced": {del("x", "7"), func(c *search.Config) { c.Action = "create" }, "delete x: action create leaves documents as they are"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newCluster(t)
			fake.item = func(_ int, o op) outcome {
				switch {
				case o.Verb == "delete" && o.ID == "conflict":
					return outcome{409, "version_conflict_engine_exception", "conflict"}
				case o.Verb == "delete":
					return outcome{400, "routing_missing_exception", "routing is required"}
				}
				return outcome{}
			}
			cfg := config(fake.URL)
			if c.cfg != nil {
				c.cfg(cfg)
			}
			newLoading(some(0, 2), c.delete).fails(t, cfg, "sink: lane a: ", c.want)
		})
	}
}

func TestAWholeRequestWithDeletesIsHalvedDownToTheRecord(t *testing.T) {
	c := newCluster(t)
	for i := range 40 {
		c.docs["logs/"+fmt.Sprint(100+i)] = `{}`
	}
	c.whole = func(_ int, ops []op, _ int) *answer {
		if slices.ContainsFunc(ops, func(o op) bool { return o.ID == "poison" }) {
			return &answer{400, `{"error":{"type":"illegal_argument_exception","reason":"Malformed action"},"status":400}`}
		}
		return nil
	}
	blocks := [][]string{some(0, 10)}
	for i := range 40 {
		blocks = append(blocks, del(fmt.Sprint(100+i), fmt.Sprint(i)))
	}
	blocks = append(blocks, []string{rec("logs", "poison", `{}`)}, some(10, 10))
	l := newLoading(blocks...)
	l.complete(t, config(c.URL), 1)
	c.expect(t, some(0, 20))
}
