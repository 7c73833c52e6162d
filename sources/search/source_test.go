package search_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sluice/internal/check"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sources/search"
	"sluice/test/faultproxy"
)

func TestSourceKeepsTheContractsOfSources(t *testing.T) {
	i := newIndex(t, "", 2, "")
	i.fill(t, 6000, 900)
	for _, read := range ways(t) {
		if read == "scroll" { // it cannot be gone on with
			continue
		}
		t.Run(read, func(t *testing.T) {
			pipelinetest.TestSource(t, pipelinetest.SourceCase{Positions: 2, Open: func(t *testing.T) pipeline.Source {
				c := config(i.url, i)
				c.Read = read
				s, err := c.Build(newJob(nil).env)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}})
		})
	}
}

func TestEveryShardOfEveryIndexIsRead(t *testing.T) {
	t.Parallel()
	a, b, empty := newIndex(t, "-a", 3, ""), newIndex(t, "-b", 1, ""), newIndex(t, "-c", 2, "")
	a.fill(t, 2500, 300)
	b.fill(t, 700, 4000)
	for _, read := range append(ways(t), "auto") {
		t.Run(read, func(t *testing.T) {
			c := config(a.url, a, b, empty)
			c.Read = read
			j := newJob(c)
			res := j.complete(t)
			j.wants(t, a, b)
			if res.Counts.Read != 3200 || res.Counts.Written != 3200 {
				t.Errorf("got counts %+v, want 3200 read and written", res.Counts)
			}
			s, _ := j.last.Status()
			var records int64
			for _, l := range s.Lanes {
				records += l.Records
			}
			if len(s.Lanes) != 6 || records != 3200 {
				t.Errorf("got %d lanes that expect %d records, want 6 and 3200", len(s.Lanes), records)
			}
			if n := contexts(t, a); n != 0 {
				t.Errorf("got %d contexts left open, want none", n)
			}
		})
	}
}

// contexts counts what is open at an index: scrolls and points in time.
func contexts(t *testing.T, i *index) (n int) {
	t.Helper()
	var reply struct {
		Indices map[string]struct {
			Primaries struct {
				Search struct {
					OpenContexts  int `json:"open_contexts"`
					ScrollCurrent int `json:"scroll_current"`
					PIT           int `json:"point_in_time_current"`
				}
			}
		}
	}
	if err := json.Unmarshal(i.call(t, "GET", "/_stats/search", ""), &reply); err != nil {
		t.Fatal(err)
	}
	s := reply.Indices[i.name].Primaries.Search
	if i.engine.Elasticsearch() {
		return s.OpenContexts
	}
	return s.ScrollCurrent + s.PIT
}

func TestPatternsLeaveOutWhatIsExcluded(t *testing.T) {
	t.Parallel()
	a, b := newIndex(t, "-a", 1, ""), newIndex(t, "-b", 1, "")
	a.fill(t, 10, 100)
	b.fill(t, 10, 100)
	c := config(a.url)
	c.Index, c.Exclude = []string{strings.TrimSuffix(a.name, "-a") + "*", b.name[:20] + "*"}, []string{"*-b"}
	j := newJob(c)
	j.complete(t)
	j.wants(t, a)

	c.Index, c.Exclude = []string{"source-search-none-*"}, nil
	newJob(c).failing(t, "no open index matches", "source-search-none-*")
	c.Index = []string{"source-search-none"}
	newJob(c).failing(t, "missing: source-search-none", "ignore: [missing]")
}

func TestAQueryChoosesDocuments(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 2, "")
	i.fill(t, 100, 50)
	for id, source := range i.docs {
		var d struct{ N int }
		json.Unmarshal([]byte(source), &d)
		if d.N >= 40 {
			delete(i.docs, id)
		}
	}
	for _, read := range ways(t) {
		c := config(i.url, i)
		c.Query, c.Read = `{ "range": {"n": {"lt": 40}} }`, read
		j := newJob(c)
		j.complete(t)
		j.wants(t, i)
	}
	c := config(i.url, i)
	c.Query = `{"nonsense": {}}`
	newJob(c).failing(t, "source: plan: query: 400", "nonsense")
}

// odd is documents whose bytes an eager reader would change.
var odd = map[string]string{
	"1/":      `{"a":1.0,"b":1e3,"c":-0,"d":1E+2,"e":1.50}`,
	"2/":      `{"big":9007199254740993,"huge":1e400,"long":123456789012345678901234567890,"f":0.10000000000000000001}`,
	"3/":      "{\n  \"pretty\" : [ 1,\r\n\t\t2 ],\r\n  \"x\" : {\"y\" : \"z\"  }\n}",
	"4/":      "{\"raw\":\"\u2028\u2029 é 🎉\",\"escaped\":\"\\u2028 \\ud83d\\ude00 \\/ \\n\\r\\t \\\\ \\\"\"}",
	"5/r":     `{"routed":true}`,
	`6"\/é r`: ` {"blanks" : "around" ,"e":"\\\\\"},{\""}  `,
	"7/":      `{"_id":"x","_source":{"_index":"y","sort":[1]},"hits":{"hits":[{"_id":"no"}]},"deep":[[[{"}":"{"}]]]}`,
	"8/":      `{}`,
}

func oddIndex(t *testing.T) *index {
	i := newIndex(t, "", 2, `,"mappings":{"enabled":false}`)
	i.putOdd(t)
	return i
}

// putOdd adds these documents.
func (i *index) putOdd(t *testing.T) {
	t.Helper()
	for key, source := range odd {
		n := strings.LastIndexByte(key, '/')
		id, routing := key[:n], key[n+1:]
		path := fmt.Sprintf("/_doc/%s", escape(id))
		if routing != "" {
			path += "?routing=" + escape(routing)
		}
		i.call(t, "PUT", path, source)
		i.docs[key] = strings.TrimSpace(source)
	}
	i.call(t, "POST", "/_refresh", "")
}

func TestDocumentsKeepTheirBytes(t *testing.T) {
	t.Parallel()
	i := oddIndex(t)
	for _, read := range ways(t) {
		c := config(i.url, i)
		c.Read = read
		j := newJob(c)
		j.complete(t)
		j.wants(t, i)
	}
}

// Four shards of many segments, with documents that were deleted, changed, or
// routed by hand, and those whose bytes an eager reader would change.
func TestEveryWayOfReadingGivesTheExactSet(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 4, `,"mappings":{"enabled":false}`)
	for round := range 8 {
		var b strings.Builder
		for n := range 500 {
			id, routing, source := fmt.Sprintf("%d-%d", round, n), "", fmt.Sprintf(`{"round":%d,"n":%d.0}`, round, n)
			if n%7 == 0 {
				routing = fmt.Sprint("r", n%5)
			}
			fmt.Fprintf(&b, "{\"index\":{\"_id\":%q,\"routing\":%q}}\n%s\n", id, cmp.Or(routing, id), source)
			i.docs[id+"/"+cmp.Or(routing, id)] = source
			if round == 0 {
				continue
			}
			old, was := fmt.Sprintf("%d-%d", round-1, n), cmp.Or(routing, fmt.Sprintf("%d-%d", round-1, n))
			switch n % 10 {
			case 3:
				fmt.Fprintf(&b, "{\"delete\":{\"_id\":%q,\"routing\":%q}}\n", old, was)
				delete(i.docs, old+"/"+was)
			case 4:
				fmt.Fprintf(&b, "{\"index\":{\"_id\":%q,\"routing\":%q}}\n{\"changed\":%d}\n", old, was, round)
				i.docs[old+"/"+was] = fmt.Sprintf(`{"changed":%d}`, round)
			}
		}
		i.bulk(t, b.String())
		i.call(t, "POST", "/_refresh", "")
	}
	i.putOdd(t)
	for _, read := range ways(t) {
		c := config(i.url, i)
		c.Read, c.Page = read, 64<<10
		j := newJob(c)
		j.complete(t)
		j.wants(t, i)
	}
}

func TestTheSnapshotDoesNotChangeWhileItIsRead(t *testing.T) {
	t.Parallel()
	for _, read := range snapshots(t) {
		i := newIndex(t, "", 1, "")
		i.fill(t, 4000, 1000)
		p := faultproxy.New(t, i.url)
		changed := p.Add(&faultproxy.Rule{Path: "/_search", Match: isPage, Skip: 2, Do: func() {
			i.remove(t, 3000, 4000)
			i.call(t, "PUT", "/_doc/1?refresh=true", `{"n":-1}`)
			i.call(t, "PUT", "/_doc/new?refresh=true", `{"n":5}`)
			i.call(t, "POST", "/_forcemerge?max_num_segments=1", "")
		}})
		c := config(p.URL, i)
		c.Read = read
		j := newJob(c)
		if read == "scroll" {
			c.Page = 64 << 10
		}
		j.complete(t)
		j.wants(t, i)
		if changed.Hits() != 1 {
			t.Error("the index did not change while it was read")
		}
	}
}

// isPage says whether a request asks for hits.
func isPage(r *http.Request) bool {
	if r.Method != "POST" || r.ContentLength <= 0 {
		return false
	}
	ofPIT := r.URL.Path == "/_search" && r.URL.Query().Has("allow_partial_search_results")
	return ofPIT || r.URL.Path == "/_search/scroll" || r.URL.Query().Get("request_cache") != ""
}

func TestAnIndexWithoutSourcesIsAnErrorAndOneWithPartsOfThemAWarning(t *testing.T) {
	t.Parallel()
	none := newIndex(t, "", 1, `,"mappings":{"_source":{"enabled":false}}`)
	newJob(config(none.url, none)).failing(t, none.name, "keeps no _source", "exclude")

	parts := newIndex(t, "", 1, `,"mappings":{"_source":{"excludes":["secret"]}}`)
	if got := parts.check(t); !strings.Contains(got, "index "+parts.name+": its mapping keeps only parts") {
		t.Errorf("got %q, want a warning", got)
	}
}

func TestSourcesInAnotherFormAreAnnounced(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	settings := map[string][]string{
		"elasticsearch-8": {`"mapping.source.mode":"synthetic"`, `"mode":"logsdb"`},
		"elasticsearch-9": {`"mapping.source.mode":"synthetic"`, `"mode":"logsdb"`},
		"opensearch-3":    {`"derived_source.enabled":true`},
	}[i.engine.Name]
	if settings == nil {
		t.Skipf("%s keeps each _source as it is", i.engine)
	}
	if got := i.check(t); strings.Contains(got, "another form") {
		t.Errorf("got %q, want no warning about an index without such settings", got)
	}
	for _, s := range settings {
		i.call(t, "DELETE", "", "")
		i.call(t, "PUT", "", `{"settings":{"index":{`+s+`}}}`)
		if got := i.check(t); !strings.Contains(got, "index "+i.name+": _source is ") || !strings.Contains(got, "another form") {
			t.Errorf("%s: got %q, want a warning", s, got)
		}
	}
}

// check is what the source says of the index, as text.
func (i *index) check(t *testing.T) string {
	t.Helper()
	s, err := config(i.url, i).Build(newJob(nil).env)
	if err != nil {
		t.Fatal(err)
	}
	var rep check.Report
	if err := s.(*search.Source).Check(t.Context(), &rep); err != nil {
		t.Fatal(err)
	}
	return strings.Join(rep.Lines(), "\n")
}

func TestCheckSaysWhatWouldBeRead(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 2, "")
	i.fill(t, 12, 100)
	text := i.check(t)
	by := map[string]string{"pit": "points in time (one could be opened)", "scroll": "scrolls (the engine opens no points in time)"}[ways(t)[0]]
	for _, want := range []string{i.engine.String(), i.url, "indices: 1, shards: 2, documents: about 12; they are read by " + by, "index " + i.name + ": shards: 2, documents: about 12"} {
		if !strings.Contains(text, want) {
			t.Errorf("got %q, want it to say %q", text, want)
		}
	}
}

// A sample is not gone on with: what it had open is closed.
func TestWhatIsForgottenIsClosed(t *testing.T) {
	i := newIndex(t, "", 1, "")
	p := faultproxy.New(t, i.url)
	closing := p.Add(&faultproxy.Rule{Method: "DELETE", Times: -1, Status: 200, Body: "{}"})
	s, err := config(p.URL, i).Build(newJob(nil).env)
	if err != nil {
		t.Fatal(err)
	}
	store := &newJob(nil).store
	if err := store.Put(pipeline.Row{Bucket: "source.contexts", Key: "x-0", Value: []byte(`{"Way":"_search/point_in_time","Context":"left"}`)}); err != nil {
		t.Fatal(err)
	}
	if err := s.(*search.Source).Forget(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	if n := closing.Hits(); n != 1 {
		t.Errorf("%d contexts were closed, want the one that was left", n)
	}
}
