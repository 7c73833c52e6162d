package search_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/internal/unit"
	"sluice/test/faultproxy"
)

func TestEveryActionIsCarriedOutByARealEngine(t *testing.T) {
	r := newReal(t)
	cfg := r.config(r.url)
	newLoading([]string{
		`{"index":{"_index":"any","_id":"a","_type":"_doc"}} {"n":1.0}` + "\n",
		`{"create":{"_id":"b","version":3,"version_type":"external"}} {"n":2}` + "\n",
		`{"index":{"_id":7,"routing":8,"require_alias":false,"pipeline":"_none"}} {"n":7}` + "\n",
		rec("logs", "c", `{"n":3,"m":"kept"}`), rec("logs", "d", `{"n":4}`),
		`{"update":{"_id":"c","retry_on_conflict":2,"version":9}} {"doc":{"n":33}}` + "\n",
		`{"update":{"_id":"e"}} {"doc":{"n":5},"doc_as_upsert":true}` + "\n",
		`{"delete":{"_id":"d"}}` + "\n", `{"delete":{"_id":"never there"}}` + "\n",
	}).complete(t, cfg, 0)
	seven := `{"_index":"logs","_id":"7","_routing":"8","_source":{"n":7}}` + "\n"
	rest := []string{rec("logs", "a", `{"n":1.0}`), rec("logs", "b", `{"n":2}`), rec("logs", "e", `{"n":5}`), seven}
	r.expect(rest, []string{rec("logs", "c", `{"n":33,"m":"kept"}`)})

	cfg.Action = "create"
	newLoading([]string{rec("logs", "a", `{"n":-1}`), rec("logs", "f", `{"n":6}`), rec("logs", "f", `{"n":-2}`)}).complete(t, cfg, 0)
	cfg.Action = "update"
	l := newLoading([]string{rec("logs", "f", `{"o":1}`), rec("logs", "missing", `{"n":8}`)})
	l.complete(t, cfg, 1)
	if got := l.letters.list[0].Refusal; got.Status != 404 || got.Type != "document_missing_exception" {
		t.Errorf("letter of %+v, want one of a document that is missing", got)
	}
	cfg.Upsert = true
	newLoading([]string{rec("logs", "g", `{"n":9}`)}).complete(t, cfg, 0)
	cfg.Action, cfg.Upsert = "delete", false
	newLoading([]string{rec("logs", "c", `{}`), rec("logs", "missing", `{}`)}).complete(t, cfg, 0)
	r.expect(rest, []string{rec("logs", "f", `{"n":6,"o":1}`), rec("logs", "g", `{"n":9}`)})
}

func TestIDsOfRecordsOnARealEngine(t *testing.T) {
	for name, c := range map[string]struct {
		id, field string
		want      string // of the documents that are there in the end
	}{"keep": {"keep", "", "3"}, "generate": {"generate", "", "6"}, "hash": {"hash", "", "2"}, "field": {"keep", "user.id", "1"}} {
		t.Run(name, func(t *testing.T) {
			r := newReal(t)
			cfg := r.config(r.url)
			cfg.ID, cfg.IDField = c.id, c.field
			block := []string{rec("logs", "1", `{"user":{"id":5},"n":1}`), rec("logs", "2", `{"user":{"id":5},"n":1}`), rec("logs", "3", `{"user":{"id":5},"n":2}`)}
			newLoading(block, block).complete(t, cfg, 0)
			if got := r.must("GET", "/"+r.index+"/_count", ""); !strings.Contains(got, `"count":`+c.want+`,`) {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
		})
	}
}

func TestARealDataStreamTakesCreateAndSaysSo(t *testing.T) {
	r := newReal(t)
	if status, text := r.call("PUT", "/_index_template/"+r.index, fmt.Sprintf(`{"index_patterns":[%q],"priority":900,"data_stream":{}}`, r.index)); status > 299 {
		t.Skipf("the engine has no data streams: %s", text)
	}
	if status, text := r.call("PUT", "/_data_stream/"+r.index, ""); status > 299 {
		r.call("DELETE", "/_index_template/"+r.index, "")
		t.Skipf("the engine has no data streams: %s", text)
	}
	t.Cleanup(func() {
		r.call("DELETE", "/_data_stream/"+r.index, "")
		r.call("DELETE", "/_index_template/"+r.index, "")
	})
	cfg := r.config(r.url)
	block := []string{rec("logs", "a", `{"@timestamp":"2026-11-22T00:00:00Z"}`), rec("logs", "b", `{"@timestamp":"2026-11-22T00:00:01Z"}`)}
	newLoading(block).fails(t, cfg, "allowed in data streams: set action: create")
	cfg.Action = "create"
	p := faultproxy.New(t, r.url)
	p.Add(&faultproxy.Rule{Path: "/_bulk", Late: true, Cut: true})
	cfg.URL = []string{p.URL}
	l := newLoading(block, []string{rec("logs", "c", `{"no":"time"}`)})
	l.complete(t, cfg, 1)
	r.expect(block)
}

func TestRequireAliasRefusesARealIndex(t *testing.T) {
	r := newReal(t)
	cfg := r.config(r.url)
	cfg.RequireAlias = true
	newLoading(some(0, 2)).fails(t, cfg, "404 index_not_found_exception", "is not an alias")
	if status, _ := r.call("GET", "/"+r.index, ""); status != http.StatusNotFound {
		t.Errorf("the index: %d, want that none was made", status)
	}
	r.must("PUT", "/"+r.index, "")
	r.must("PUT", "/"+r.index+"/_alias/"+r.index+"-alias", "")
	cfg.Index += "-alias"
	newLoading(some(0, 2)).complete(t, cfg, 0)
	r.expect(some(0, 2))
}

func TestARealIngestPipelineIsGoneThrough(t *testing.T) {
	r := newReal(t)
	if status, text := r.call("PUT", "/_ingest/pipeline/"+r.index, `{"processors":[]}`); status > 299 {
		t.Skipf("the engine has no ingest pipelines: %s", text)
	}
	t.Cleanup(func() { r.call("DELETE", "/_ingest/pipeline/"+r.index, "") })
	if status, text := r.call("POST", "/"+r.index+"/_doc/probe?pipeline="+r.index, "{}"); status > 299 {
		t.Skipf("the engine has no ingest node: %s", text)
	}
	r.must("DELETE", "/"+r.index+"/_doc/probe", "")
	cfg := r.config(r.url)
	cfg.Pipeline = r.index
	newLoading(some(0, 2)).complete(t, cfg, 0)
	r.expect(some(0, 2))
	cfg.Pipeline += "-missing"
	newLoading(some(2, 2)).fails(t, cfg, "pipeline with id [", "does not exist")
}

func TestRealBlocksOfWritesAreWaitedFor(t *testing.T) {
	for _, block := range []string{"read_only_allow_delete", "write", "read_only"} {
		t.Run(block, func(t *testing.T) {
			r := newReal(t)
			r.must("PUT", "/"+r.index, "")
			r.must("PUT", "/"+r.index+"/_settings", `{"index.blocks.`+block+`":true}`)
			p := faultproxy.New(t, r.url)
			p.Add(&faultproxy.Rule{Path: "/_bulk", Skip: 2, Delay: 1, Do: func() { // the third attempt finds the block lifted
				r.must("PUT", "/"+r.index+"/_settings", `{"index.blocks.`+block+`":null}`)
			}})
			cfg := r.config(p.URL)
			cfg.Retry, cfg.Pause = 0, unit.Duration(time.Minute)
			newLoading(some(0, 5)).complete(t, cfg, 0)
			r.expect(some(0, 5))
			if n := len(p.Requests("/_bulk")); n != 3 {
				t.Errorf("%d requests, want 3", n)
			}
		})
	}
}

func TestDeletesWithVersionsOnARealEngine(t *testing.T) {
	r := newReal(t)
	newLoading([]string{ver("x", 5), `{"delete":{"_id":"x","version":4}}` + "\n", ver("y", 5), `{"delete":{"_id":"y","version":6}}` + "\n", ver("y", 5)}).complete(t, r.config(r.url), 0)
	r.expect(is("x", 5))
}
