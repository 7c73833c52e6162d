package search_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"sluice/test/faultproxy"
)

// version is that of a document; 0 if it is not there.
func (r *real) version(id string) int64 {
	r.t.Helper()
	var doc struct {
		Version int64 `json:"_version"`
	}
	_, text := r.call("GET", "/"+r.index+"/_doc/"+id+"?_source=false", "")
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		r.t.Fatal(err)
	}
	return doc.Version
}

func TestARealEngineKeepsTheNewestVersion(t *testing.T) {
	for name, blocks := range map[string][][]string{
		"ascending":               {{ver("x", 5), ver("x", 6), ver("x", 1<<44+7)}},
		"descending":              {{ver("x", 1<<44+7), ver("x", 6), ver("x", 5)}},
		"descending, in requests": {{ver("x", 1<<44+7)}, long(0, 300), {ver("x", 6), ver("x", 1<<44+7)}},
		"deletes of older ones":   {{ver("x", 1<<44+7)}, del("x", "6"), del("y", "6")},
		"a delete in between":     {{ver("x", 5)}, del("x", "6"), {ver("x", 4), ver("x", 1<<44+7)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReal(t)
			newLoading(blocks...).complete(t, r.config(r.url), 0)
			newLoading(blocks...).complete(t, r.config(r.url), 0)
			if got := r.version("x"); got != 1<<44+7 {
				t.Errorf("version %d, want %d", got, 1<<44+7)
			}
		})
	}
}

func TestARealEngineTakesEveryVersion(t *testing.T) {
	r := newReal(t)
	newLoading([]string{ver("a", 0), ver("b", 1), ver("c", 1<<44), ver("d", math.MaxInt64), ver("d", math.MaxInt64)}).complete(t, r.config(r.url), 0)
	r.expect(is("a", 0), is("b", 1), is("c", 1<<44), is("d", math.MaxInt64))
	if got := r.version("d"); got != math.MaxInt64 {
		t.Errorf("version %d, want %d", got, int64(math.MaxInt64))
	}
}

func TestARealEngineDeletes(t *testing.T) {
	r := newReal(t)
	r.must("PUT", "/"+r.index, `{"settings":{"number_of_shards":3}}`)
	routed1 := strings.Replace(ver("routed", 3), `"_source"`, `"_routing":"r 1","_source"`, 1)
	odd := `odd "<id>"\ é/?`
	blocks := [][]string{
		{ver("a", 1), ver("b", 5), routed1, rec("logs", "c", `{}`), rec("logs", odd, `{}`)},
		del("a", "2"), del("b", "4"), routed(del("routed", "3"), "r 1"), del("c", ""), del(odd, ""), del("never there", "7"), del("nor this", ""),
	}
	for range 2 { // the second time finds what it did the first time
		newLoading(blocks...).complete(t, r.config(r.url), 0)
		r.expect(is("b", 5))
	}
	r.must("POST", "/"+r.index+"/_refresh", "")
	if got := r.must("GET", "/"+r.index+"/_count", ""); !strings.Contains(got, `"count":1,`) {
		t.Errorf("count %s, want 1", got)
	}
}

func TestDeletesOfAnIndexThatIsNotThereAreDone(t *testing.T) {
	r := newReal(t)
	newLoading(del("x", ""), del("y", "7")).complete(t, r.config(r.url), 0)
	r.expect(nil)
}

// The request that meets with a fault repeats and continues what the one before
// it did.
func TestFaultsOnTheWayKeepTheNewestVersions(t *testing.T) {
	for name, rule := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReal(t)
			p := faultproxy.New(t, r.url)
			rule.Path, rule.Skip = "/_bulk", 1
			p.Add(rule)
			first := []string{ver("up", 1), ver("down", 9), ver("gone", 3), ver("back", 1), rec("logs", "fill", `{"text":"`+strings.Repeat("x", 65000)+`"}`)}
			newLoading(first, []string{ver("up", 1), ver("up", 2), ver("down", 9), ver("down", 8)}, del("gone", "4"), del("back", "2"), del("down", "7"),
				[]string{ver("gone", 3), ver("back", 3), ver("late", 5), ver("late", 5)}, del("late", "6")).complete(t, r.config(p.URL), 0)
			r.expect(is("up", 2), is("down", 9), is("back", 3), first[4:])
			if rule.Hits() == 0 {
				t.Error("nothing happened on the way")
			}
		})
	}
}
