package search_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/check"
	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sinks/search"
	"sluice/test/faultproxy"
	"sluice/test/servers"
)

// real is an index of its own on a real engine.
type real struct {
	engine     servers.Engine
	t          testing.TB
	url, index string
}

func newReal(t testing.TB) *real {
	t.Helper()
	c := servers.Search(t)
	r := &real{c.Engine, t, c.URL, fmt.Sprintf("sink-search-%08x", rand.Uint32())}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	t.Cleanup(func() { r.call("DELETE", "/"+r.index, "") })
	return r
}

// call makes a request and returns the status and the body of the reply.
func (r *real) call(method, path, body string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (r *real) must(method, path, body string) string {
	r.t.Helper()
	status, reply := r.call(method, path, body)
	if status > 299 {
		r.t.Fatalf("%s %s: %d %s", method, path, status, reply)
	}
	return reply
}

// lines gives all documents, as records.
func (r *real) lines() (list []string) {
	r.t.Helper()
	if status, _ := r.call("POST", "/"+r.index+"/_refresh", ""); status == 404 {
		return nil
	}
	var reply struct {
		Hits struct {
			Hits []struct {
				Index   string          `json:"_index"`
				ID      string          `json:"_id"`
				Routing string          `json:"_routing"`
				Source  json.RawMessage `json:"_source"`
			}
		}
	}
	if err := json.Unmarshal([]byte(r.must("GET", "/"+r.index+"/_search?size=10000", "")), &reply); err != nil {
		r.t.Fatal(err)
	}
	for _, h := range reply.Hits.Hits {
		routing := ""
		if h.Routing != "" {
			routing = fmt.Sprintf(`,"_routing":%q`, h.Routing)
		}
		id, _ := json.Marshal(h.ID)
		list = append(list, fmt.Sprintf(`{"_index":"logs","_id":%s%s,"_source":%s}`+"\n", id, routing, h.Source))
	}
	slices.Sort(list)
	return list
}

// config writes to the index, whatever the records say.
func (r *real) config(url string) *search.Config {
	cfg := config(url)
	cfg.Index = r.index
	return cfg
}

func (r *real) expect(want ...[]string) {
	r.t.Helper()
	all := slices.Sorted(slices.Values(slices.Concat(want...)))
	if diff := cmp.Diff(all, r.lines()); diff != "" {
		r.t.Errorf("documents (-want +got):\n%s", diff)
	}
}

func TestOnARealEngineItKeepsWhatTheFrameReliesOn(t *testing.T) {
	servers.Search(t)
	pipelinetest.TestSink(t, func(t *testing.T) pipelinetest.SinkCase {
		r := newReal(t)
		return pipelinetest.SinkCase{
			Open: func(t *testing.T) pipeline.Sink {
				s, err := r.config(r.url).Build(kind.Env{Workers: 1, MaxRecord: 1 << 20})
				if err != nil {
					t.Fatal(err)
				}
				return s
			},
			Contents: func(*testing.T) []string {
				defer http.DefaultClient.CloseIdleConnections()
				return r.lines()
			},
			Index:   "logs",
			Refused: `{"_index":"logs","_id":"x","_source":{"text":{"an":"object"}}}` + "\n",
		}
	})
}

func TestDocumentsAreReadBackByteForByte(t *testing.T) {
	r := newReal(t)
	r.must("PUT", "/"+r.index, `{"mappings":{"enabled":false}}`)
	var block []string
	for i, source := range []string{
		`{"a":1.0}`, `{"a":1e400,"b":-0,"c":1E+2,"d":0.10000000000000000001}`, `{"a":9007199254740993}`, `{"b":1,"a":2}`,
		"{\"a\":\"\u2028 \\u2028 \\/ \\ud83d\\ude00 \\\" \\\\\"}", `{ "a" : [ 1 , { "b" : null } ] }`, `{"_id":"inner","_source":{"x":1}}`, `{}`,
		"{\"a\":\r\t1}", `{"text":"` + strings.Repeat("long ", 50000) + `"}`,
	} {
		block = append(block, fmt.Sprintf(`{"_index":"logs","_id":"%d","_source":%s}`+"\n", i, source))
	}
	block = append(block, `{"_index":"logs","_id":"routed","_routing":"a b","_source":{"n":1}}`+"\n",
		`{"_index":"logs","_id":"`+strings.Repeat("é", 256)+`","_source":{}}`+"\n",
		`{"_index":"logs","_id":"a/b?c \" \\ü","_source":{}}`+"\n")
	l := newLoading(block)
	l.complete(t, r.config(r.url), 0)
	r.expect(block)
}

func TestTheCountAgreesAtTheEnd(t *testing.T) {
	r := newReal(t)
	r.must("PUT", "/"+r.index, `{"settings":{"refresh_interval":"-1"}}`)
	newLoading(some(0, 500)).complete(t, r.config(r.url), 0)
	if got := r.must("GET", "/"+r.index+"/_count", ""); !strings.Contains(got, `"count":500,`) {
		t.Errorf("count %s, want 500 without a refresh of ours", got)
	}
}

func TestARealMappingErrorIsADeadLetter(t *testing.T) {
	r := newReal(t)
	r.must("PUT", "/"+r.index, `{"mappings":{"properties":{"n":{"type":"long"}}}}`)
	bad := `{"_index":"logs","_id":"bad","_source":{"n":"text"}}` + "\n"
	torn := `{"_index":"logs","_id":"torn","_source":{"n":tru}}` + "\n"
	l := newLoading(slices.Concat(some(0, 3), []string{bad, torn}, some(3, 3)))
	l.complete(t, r.config(r.url), 2)
	r.expect(some(0, 6))
	for i, want := range []string{bad, torn} {
		got := l.letters.list[i]
		if got.Refusal == nil || got.Refusal.Status != 400 || got.Refusal.Type != r.engine.MappingError() || !strings.Contains(got.Refusal.Reason, "failed to parse") || string(got.Record) != want || got.Line != int64(3+i) {
			t.Errorf("letter %+v with %+v, want that of record %d", got, got.Refusal, 3+i)
		}
	}
}

func TestRealIndicesThatTakeNothingAreErrorsAndNoLetters(t *testing.T) {
	for name, c := range map[string]struct{ method, path, body, want string }{
		"closed":         {"POST", "/_close", "", "index_closed_exception"},
		"write, no time": {"PUT", "/_settings", `{"index.blocks.write":true}`, "403 cluster_block_exception"},
		"read, no time":  {"PUT", "/_settings", `{"index.blocks.read_only":true}`, "403 cluster_block_exception"},
		"flood, no time": {"PUT", "/_settings", `{"index.blocks.read_only_allow_delete":true}`, "429 cluster_block_exception"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReal(t)
			r.must("PUT", "/"+r.index, "")
			r.must(c.method, "/"+r.index+c.path, c.body)
			cfg := r.config(r.url)
			cfg.Pause = 0
			newLoading(some(0, 1)).fails(t, cfg, "sink: lane a: ", c.want)
			r.must("PUT", "/"+r.index+"/_settings", `{"index.blocks.read_only":null}`) // engines take it away alone, and then let the index be deleted
		})
	}
}

// faults is what may happen to a bulk request on the way.
func faults() map[string]*faultproxy.Rule {
	return map[string]*faultproxy.Rule{
		"429":                        {Status: 429, Times: 2},
		"503":                        {Status: 503, Body: "<html>"},
		"reply lost":                 {Late: true, Cut: true},
		"504 after it was applied":   {Late: true, Status: 504},
		"reply cut":                  {CutAfter: 40},
		"reply cut at its last byte": {Edit: func(r *http.Response) { r.Body = io.NopCloser(io.LimitReader(r.Body, r.ContentLength-1)) }},
		"connection closed":          {Cut: true},
		"items dropped from the reply": {Edit: func(r *http.Response) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(`{"items":[]}`)), 12
			r.Header.Del("Content-Length")
		}},
		"413 of what would be too large": {Status: 413},
	}
}

func TestFaultsOnTheWayLoseAndDoubleNothing(t *testing.T) {
	for name, rule := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReal(t)
			p := faultproxy.New(t, r.url)
			rule.Path = "/_bulk"
			p.Add(rule)
			// A document that is written twice by the source, in two requests.
			fill := []string{rec("logs", "fill", `{"text":"`+strings.Repeat("x", 60<<10)+`"}`)}
			again := []string{rec("logs", "0", `{"n":0,"last":true}`)}
			newLoading(some(0, 100), fill, again).complete(t, r.config(p.URL), 0)
			r.expect(some(1, 99), fill, again)
			if rule.Hits() == 0 {
				t.Error("nothing happened on the way")
			}
		})
	}
}

func TestVersionsOfADocumentComeInOrder(t *testing.T) {
	r := newReal(t)
	var block []string
	for v := range 300 {
		block = append(block, rec("logs", "x", fmt.Sprintf(`{"v":%d}`, v)), rec("logs", fmt.Sprint(v), `{}`))
	}
	newLoading(block[:200], block[200:]).complete(t, r.config(r.url), 0)
	var doc struct {
		Version int64           `json:"_version"`
		Source  json.RawMessage `json:"_source"`
	}
	json.Unmarshal([]byte(r.must("GET", "/"+r.index+"/_doc/x", "")), &doc)
	if doc.Version != 300 || string(doc.Source) != `{"v":299}` {
		t.Errorf("version %d is %s, want 300 and the last one", doc.Version, doc.Source)
	}
}

func TestCheckSaysWhatIsThere(t *testing.T) {
	r := newReal(t)
	check := func() []string {
		t.Helper()
		s, err := r.config(r.url).Build(kind.Env{})
		if err != nil {
			t.Fatal(err)
		}
		var rep check.Report
		if err := s.(*search.Sink).Check(t.Context(), &rep); err != nil {
			t.Fatal(err)
		}
		if len(rep.Grants) != 1 || rep.Grants[0].Err != nil {
			t.Errorf("got %v, want that writing is allowed", rep.Grants)
		}
		return rep.Found
	}
	if got, want := check(), "index "+r.index+" does not exist: the first record creates it"; len(got) != 2 || !strings.HasPrefix(got[0], r.engine.String()) || !strings.HasSuffix(got[0], " at "+r.url) || got[1] != want {
		t.Errorf("%q, want %s at %s and %q", got, r.engine, r.url, want)
	}
	r.must("PUT", "/"+r.index, `{"settings":{"number_of_shards":2}}`)
	if got, want := check()[1], "index "+r.index+": exists, shards: 2"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAnUnreachableClusterIsAnError(t *testing.T) {
	cfg := config("http://127.0.0.1:1")
	cfg.Retry = unit.Duration(1)
	newLoading(some(0, 1)).fails(t, cfg, "sink: lane a: POST http://127.0.0.1:1/_bulk: ", "connection refused")
}
