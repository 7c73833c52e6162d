package search_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/check"
	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sources/search"
	"sluice/test/faultproxy"
)

// describing is a pipeline from a source to documents in memory.
type describing struct {
	config *search.Config
	env    kind.Env
	store  pipelinetest.Store
	last   *pipeline.Pipeline

	mu        sync.Mutex
	documents map[string]string
	records   int64
}

func newDescribing(c *search.Config, take ...string) *describing {
	c.Take = take
	return &describing{config: c, env: kind.Env{Pipeline: "p", Workers: 1, MaxRecord: 8 << 20},
		store: pipelinetest.Store{World: &pipelinetest.World{}}, documents: map[string]string{}}
}

func (d *describing) run(t *testing.T) (pipeline.Result, error) {
	t.Helper()
	source, err := d.config.Build(d.env)
	if err != nil {
		t.Fatal(err)
	}
	d.last = &pipeline.Pipeline{Name: "p", Source: source, Sink: d, Store: &d.store, Lanes: 1, New: d.env.New, Log: slog.New(slog.DiscardHandler)}
	return d.last.Run(t.Context())
}

func (d *describing) complete(t *testing.T) map[string]string {
	t.Helper()
	if res, err := d.run(t); err != nil || !res.Complete {
		t.Fatalf("got %+v, %v, want a complete pass", res, err)
	}
	return d.documents
}

// failing runs and wants the lane of metadata alone to fail, with an error that
// says all of want.
func (d *describing) failing(t *testing.T, want ...string) {
	t.Helper()
	_, err := d.run(t)
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("got error %v, want one that says %q", err, w)
		}
	}
	s, _ := d.last.Status()
	for _, l := range s.Lanes {
		if l.State.Ended == l.Aside {
			t.Errorf("lane %s: ended: %v, want it to go on unless it is that of metadata", l.Name, l.State.Ended)
		}
	}
}

// Open implements [pipeline.Sink].
func (d *describing) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return d, nil }

// Write implements [pipeline.Writer].
func (d *describing) Write(ctx context.Context, lane pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		d.mu.Lock()
		d.records += it.Records
		if lane.Aside {
			d.documents[it.Key] = string(it.Body.(*pipeline.Block).B())
		}
		d.mu.Unlock()
		if err := it.Done(); err != nil {
			return err
		}
	}
}

// Finish implements [pipeline.Writer].
func (d *describing) Finish(context.Context) error { return nil }

// Close implements [pipeline.Writer].
func (d *describing) Close() error { return nil }

// fields is a mapping of many.
func fields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"field_%05d":{"type":"keyword","ignore_above":%d}`, i, 10+i)
	}
	return b.String()[1:]
}

// made is indices as they are created.
var made = map[string]string{
	"plain": `{}`,
	"settings": `{"settings":{"number_of_shards":3,"number_of_replicas":0,"number_of_routing_shards":6,"refresh_interval":"-1","codec":"best_compression",
		"max_result_window":20000,"routing_partition_size":2,"mapping":{"ignore_malformed":true,"depth.limit":30},"max_ngram_diff":7,
		"default_pipeline":"_none","blocks.read_only_allow_delete":false,"priority":3,"hidden":true},"mappings":{"_routing":{"required":true}}}`,
	"analysis": `{"settings":{"analysis":{"analyzer":{"mine":{"type":"custom","tokenizer":"standard","filter":["lowercase","stops"]}},
		"filter":{"stops":{"type":"stop","stopwords":["a","é\"x","\ud83d\ude00"]}},
		"normalizer":{"low":{"type":"custom","filter":["lowercase"]}}},"similarity":{"flat":{"type":"BM25","b":0.30}},
		"sort.field":["when","name"],"sort.order":["desc","asc"]},
		"mappings":{"properties":{"text":{"type":"text","analyzer":"mine","similarity":"flat"},"name":{"type":"keyword","normalizer":"low"},"when":{"type":"date"}}}}`,
	"mapping": `{"mappings":{"dynamic":"strict","_meta":{"big":9007199254740993,"f":1.50,"text":"\u2028 \" \\ é","z":[{"b":1,"a":2}]},"date_detection":false,
		"dynamic_templates":[{"z":{"match":"z*","mapping":{"type":"keyword"}}},{"a":{"match_mapping_type":"long","mapping":{"type":"double"}}}],
		"properties":{"o":{"properties":{"deep":{"properties":{"er":{"type":"nested","properties":{"n":{"type":"long","null_value":-1}}}}}}},"off":{"type":"object","enabled":false}}}}`,
	"aliases": `{"mappings":{"properties":{"n":{"type":"long"}}},"aliases":{"NAME-write":{"is_write_index":true},"NAME-routed":{"routing":"1"},
		"NAME-apart":{"index_routing":"a","search_routing":"a,b"},"NAME-filtered":{"filter":{"range":{"n":{"gte":9007199254740993,"lt":1.50}}}}}}`,
	"10,000 fields": `{"settings":{"index.mapping.total_fields.limit":10000},"mappings":{"properties":{` + fields(10_000) + `}}}`,
}

func TestWhatIsWrittenOfAnIndexMakesItAgain(t *testing.T) {
	t.Parallel()
	for name, body := range made {
		t.Run(name, func(t *testing.T) {
			i := newIndex(t, "", 1, "")
			i.call(t, "DELETE", "", "")
			i.call(t, "PUT", "", strings.ReplaceAll(body, "NAME", i.name))
			before := i.look(t)
			documents := newDescribing(config(i.url, i), "indices").complete(t)
			doc := documents[i.name+"/_index.json"]
			if len(documents) != 1 || !strings.HasSuffix(doc, "}\n") || !json.Valid([]byte(doc)) {
				t.Fatalf("got %d documents, of the index %.200q", len(documents), doc)
			}
			i.call(t, "DELETE", "", "")
			i.call(t, "PUT", "", doc)
			if diff := cmp.Diff(before, i.look(t)); diff != "" {
				t.Errorf("made again (-before +after):\n%.3000s", diff)
			}
			if again := newDescribing(config(i.url, i), "indices").complete(t); again[i.name+"/_index.json"] != doc {
				t.Errorf("of the index that was made again: got other bytes\n%s\nwant\n%.3000s", cmp.Diff(doc, again[i.name+"/_index.json"]), doc)
			}
		})
	}
}

// look is the index as the cluster tells it, without what no two indices have
// alike, and what is left out on purpose.
func (i *index) look(t *testing.T) map[string]any {
	t.Helper()
	var all map[string]struct{ Settings, Mappings, Aliases map[string]any }
	d := json.NewDecoder(bytes.NewReader(i.call(t, "GET", "?flat_settings=true", "")))
	d.UseNumber()
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	one := all[i.name]
	for _, s := range []string{"uuid", "creation_date", "priority", "blocks.read_only_allow_delete"} {
		delete(one.Settings, "index."+s)
	}
	return map[string]any{"settings": one.Settings, "mappings": one.Mappings, "aliases": one.Aliases}
}

// at asks the cluster, and reports whether it did what it was asked.
func (i *index) at(t *testing.T, method, path, body string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, i.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Logf("%s %s: %s %v %.300s", method, path, resp.Status, err, b)
	}
	return err == nil && resp.StatusCode < 300
}

// provide makes something at the cluster that goes with the test.
func (i *index) provide(t *testing.T, path, body string) {
	t.Helper()
	if !i.at(t, "PUT", path, body) {
		t.FailNow()
	}
	t.Cleanup(func() {
		i.at(t, "DELETE", "/"+i.name+"?ignore_unavailable=true", "") // it may use it
		i.at(t, "DELETE", path, "")
	})
}

// paths of things that are not indices, by the last segment of their keys.
var paths = map[string]string{
	"_index_template.json": "/_index_template/", "_template.json": "/_template/", "_component_template.json": "/_component_template/",
	"_ingest_pipeline.json": "/_ingest/pipeline/", "_data_stream.json": "/_data_stream/",
}

// again makes things of a form again out of their documents.
func (i *index) again(t *testing.T, documents map[string]string, file string) {
	t.Helper()
	for key, doc := range documents {
		name, last, _ := strings.Cut(key, "/")
		if last == file && !i.at(t, "PUT", paths[file]+name, doc) {
			t.Errorf("%s: refused:\n%s", key, doc)
		}
	}
}

// keysOf gives the keys that name something of the test: an engine has templates
// of its own.
func keysOf(documents map[string]string, prefix string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(documents)), func(k string) bool { return !strings.HasPrefix(k, prefix) })
}

func TestWhatConcernsIndicesIsTakenAndNothingElse(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	n := i.name
	for _, p := range []string{"default", "final", "component", "legacy", "unused"} {
		i.provide(t, "/_ingest/pipeline/"+n+"-"+p, `{"description":"é \"a\"","version":7,"processors":[]}`)
	}
	i.provide(t, "/_template/"+n+"-l", fmt.Sprintf(`{"index_patterns":["%s"],"order":4,"settings":{"index.final_pipeline":"%s-legacy"}}`, n, n))
	i.provide(t, "/_component_template/"+n+"-c", fmt.Sprintf(`{"template":{"settings":{"index.default_pipeline":"%s-component"}},"version":3,"_meta":{"b":1,"a":[2]}}`, n))
	i.provide(t, "/_component_template/"+n+"-unused", `{"template":{}}`)
	i.provide(t, "/_index_template/"+n+"-t", fmt.Sprintf(`{"index_patterns":["nothing-*","%s*"],"composed_of":["%s-c"],"priority":917,"template":{"mappings":{"properties":{"a":{"type":"keyword"}}}}}`, n, n))
	i.provide(t, "/_index_template/"+n+"-other", fmt.Sprintf(`{"index_patterns":["%s-other*"],"composed_of":["%s-unused"],"priority":918}`, n, n))
	i.call(t, "PUT", "/_settings", fmt.Sprintf(`{"index.default_pipeline":"%s-default","index.final_pipeline":"%s-final"}`, n, n))
	d := newDescribing(config(i.url, i), "data", "indices", "templates", "pipelines", "data_streams")
	got := maps.Clone(d.complete(t))
	want := []string{n + "-c/_component_template.json", n + "-component/_ingest_pipeline.json", n + "-default/_ingest_pipeline.json", n + "-final/_ingest_pipeline.json",
		n + "-l/_template.json", n + "-legacy/_ingest_pipeline.json", n + "-t/_index_template.json", n + "/_index.json"}
	if diff := cmp.Diff(want, keysOf(got, n)); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	for _, name := range []string{"-t", "-other"} { // one that is there forbids legacy ones beside it
		i.at(t, "DELETE", "/_index_template/"+n+name, "")
	}
	for _, file := range []string{"_ingest_pipeline.json", "_component_template.json", "_template.json", "_index_template.json"} {
		i.again(t, got, file)
	}
	if diff := cmp.Diff(got, d.complete(t)); diff != "" {
		t.Errorf("made again (-before +after):\n%s", diff)
	}
	if few := newDescribing(config(i.url, i), "pipelines").complete(t); len(few) != 2 {
		t.Errorf("pipelines alone: got %q, want those of the index", slices.Sorted(maps.Keys(few)))
	}
}

func TestDataStreamsAreTakenWithTheirTemplates(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	n := i.name + "-stream"
	if !i.at(t, "GET", "/_data_stream/*", "") {
		t.Skipf("%s, as it is run here, has no data streams", i.engine)
	}
	i.provide(t, "/_ingest/pipeline/"+n+"-p", `{"processors":[]}`)
	i.provide(t, "/_index_template/"+n+"-t", fmt.Sprintf(`{"index_patterns":["%s*"],"data_stream":{},"priority":919,"template":{"settings":{"index.default_pipeline":"%s-p","number_of_replicas":0},
		"mappings":{"properties":{"@timestamp":{"type":"date"},"a":{"type":"keyword"}}}}}`, n, n))
	if !i.at(t, "PUT", "/_data_stream/"+n, "") {
		t.FailNow()
	}
	t.Cleanup(func() { i.at(t, "DELETE", "/_data_stream/"+n, "") })
	if !i.at(t, "POST", "/"+n+"/_doc?refresh=true&pipeline=_none", `{"@timestamp":"2026-01-01","a":"b"}`) || !i.at(t, "POST", "/"+n+"/_rollover", "") {
		t.FailNow()
	}
	d := newDescribing(config(i.url, &index{name: n}), "data", "indices", "templates", "pipelines", "data_streams")
	got := d.complete(t)
	var indices []string
	for key := range got {
		if name, ok := strings.CutSuffix(key, "/_index.json"); ok {
			indices = append(indices, name)
		}
	}
	want := []string{n + "-p/_ingest_pipeline.json", n + "-t/_index_template.json", n + "/_data_stream.json"}
	if keys := keysOf(got, n); !slices.Equal(keys, want) || len(indices) != 2 || d.records != 1 {
		t.Errorf("got %d records, indices %q and %q, want 1, two and %q", d.records, indices, keys, want)
	}
	if doc := got[n+"/_data_stream.json"]; !strings.Contains(doc, indices[0]) || !strings.Contains(doc, indices[1]) || strings.Contains(doc, "uuid") || !strings.Contains(doc, `"generation": 2`) {
		t.Errorf("got of the data stream\n%s", doc)
	}
	for _, path := range []string{"/_data_stream/" + n, "/_index_template/" + n + "-t", "/_ingest/pipeline/" + n + "-p"} {
		i.at(t, "DELETE", path, "")
	}
	for _, file := range []string{"_ingest_pipeline.json", "_index_template.json"} {
		i.again(t, got, file)
	}
	if !i.at(t, "PUT", "/_data_stream/"+n, "") || !i.at(t, "POST", "/"+n+"/_doc?pipeline=_none", `{"@timestamp":"2026-01-01","a":"b"}`) {
		t.Error("the data stream was not made again")
	}
}

// ofIndex matches the request for the metadata of one index.
func ofIndex(i *index) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.URL.Path == "/"+i.name }
}

func TestACallThatFailsFailsTheLaneOfMetadataAlone(t *testing.T) {
	t.Parallel()
	a, b := newIndex(t, "-a", 2, ""), newIndex(t, "-b", 1, "")
	a.fill(t, 20, 300)
	b.fill(t, 30, 300)
	p := faultproxy.New(t, a.url)
	for name, c := range map[string]struct {
		rule *faultproxy.Rule
		want []string
	}{
		"forbidden": {&faultproxy.Rule{Match: ofIndex(b), Status: 403, Body: `{"error":{"type":"security_exception","reason":"no permissions for [indices:admin/get]"},"status":403}`},
			[]string{"source: lane _metadata: metadata of index " + b.name, "GET", "/" + b.name + ": 403", "permission"}},
		"no answer to the list of templates": {&faultproxy.Rule{Path: "/_index_template", Status: 403, Body: `{"error":{"type":"security_exception","reason":"no"},"status":403}`},
			[]string{"source: lane _metadata: metadata: ", "/_index_template: 403"}},
		"no JSON": {&faultproxy.Rule{Match: ofIndex(a), Status: 200, Body: `{"a":`}, []string{"metadata of index " + a.name, "no JSON"}},
		"another index": {&faultproxy.Rule{Match: ofIndex(a), Status: 200, Body: `{"another":{"settings":{},"mappings":{},"aliases":{}}}`},
			[]string{"metadata of index " + a.name, "not in the reply"}},
	} {
		d := newDescribing(config(p.URL, a, b), "data", "indices", "templates")
		p.Add(c.rule)
		d.failing(t, c.want...)
		if d.records != 50 {
			t.Errorf("%s: got %d records, want all of them", name, d.records)
		}
		d.complete(t)
		want := []string{a.name + "/_index.json", b.name + "/_index.json"}
		slices.Sort(want)
		if !slices.Equal(keysOf(d.documents, "source-search"), want) || d.records != 50 {
			t.Errorf("%s: the next run: got %q and %d records, want %q and those of the first", name, keysOf(d.documents, "source-search"), d.records, want)
		}
	}
}

func TestAnIndexThatVanishesIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	a, b := newIndex(t, "-a", 1, ""), newIndex(t, "-b", 1, "")
	p := faultproxy.New(t, a.url)
	p.Add(&faultproxy.Rule{Match: ofIndex(a), Do: func() { a.call(t, "DELETE", "", "") }})
	d := newDescribing(config(p.URL, a, b), "indices")
	d.failing(t, "metadata of index "+a.name, "404", "deleted since this pass was planned", "checkpoint reset")
}

func TestMetadataIsTriedAgainAndCutRepliesAreNoEnd(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	want := newDescribing(config(i.url, i), "indices").complete(t)
	for name, rule := range map[string]*faultproxy.Rule{
		"503": {Match: ofIndex(i), Status: 503, Times: 2}, "429": {Match: ofIndex(i), Status: 429}, "cut": {Match: ofIndex(i), CutAfter: 100},
	} {
		p := faultproxy.New(t, i.url)
		p.Add(rule)
		got := newDescribing(config(p.URL, i), "indices").complete(t)
		if diff := cmp.Diff(want, got); diff != "" || rule.Hits() == 0 {
			t.Errorf("%s, %d times (-want +got):\n%s", name, rule.Hits(), diff)
		}
	}
}

func TestTheLaneOfMetadataGoesOnAfterTheLastDocument(t *testing.T) {
	t.Parallel()
	list := []*index{newIndex(t, "", 1, ""), newIndex(t, "", 1, ""), newIndex(t, "", 1, "")}
	slices.SortFunc(list, func(a, b *index) int { return strings.Compare(a.name, b.name) })
	a, b, c := list[0], list[1], list[2]
	want := newDescribing(config(a.url, a, b, c), "indices").complete(t)
	p := faultproxy.New(t, a.url)
	d := newDescribing(config(p.URL, a, b, c), "indices")
	done := func() bool {
		s, ok := d.last.Status()
		return ok && s.Lanes[0].State.Pos.Token == "0 "+b.name
	}
	p.Add(&faultproxy.Rule{Match: ofIndex(c), Status: 403, Do: func() {
		for limit := time.Now().Add(5 * time.Second); !done() && time.Now().Before(limit); { // a failure gives up what is on its way
			<-time.After(time.Millisecond)
		}
	}})
	d.failing(t, "metadata of index "+c.name)
	first := maps.Clone(d.documents)
	clear(d.documents)
	got := d.complete(t)
	if want := []string{c.name + "/_index.json"}; !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
		t.Errorf("the second run: got %q, want %q alone", slices.Sorted(maps.Keys(got)), want)
	}
	maps.Copy(got, first)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("both runs together (-want +got):\n%s", diff)
	}
	clear(d.documents)
	if diff := cmp.Diff(want, d.complete(t)); diff != "" {
		t.Errorf("the next pass (-want +got):\n%s", diff)
	}
}

func TestAPassThatTakesWhatIsNewTakesAllMetadata(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 10, 300)
	d := newDescribing(config(i.url, i), "data", "indices")
	d.env.New = true
	for range 2 {
		clear(d.documents)
		if got := d.complete(t); len(got) != 1 || d.records != 10 {
			t.Errorf("got %d documents and %d records so far, want the one of the index in each pass, and 10", len(got), d.records)
		}
	}
}

func TestMetadataAloneNeedsNoSearch(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 2, `,"mappings":{"_source":{"enabled":false}}`)
	i.fill(t, 5, 300)
	p := faultproxy.New(t, i.url)
	d := newDescribing(config(p.URL, i), "indices")
	d.complete(t)
	if n := len(p.Requests("POST")); n != 0 || d.records != 0 || len(d.documents) != 1 {
		t.Errorf("got %d searches, %d records, %d documents, want the document alone", n, d.records, len(d.documents))
	}
	if got := d.config.Gives(); got != kind.Metadata {
		t.Errorf("got that it gives %s", got)
	}
}

func TestMetadataThatIsTooLargeIsAnErrorThatNamesTheOption(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, fmt.Sprintf(`,"mappings":{"_meta":{"a":%q}}`, strings.Repeat("x", 600<<10)))
	d := newDescribing(config(i.url, i), "indices")
	d.env.MaxRecord = 1 << 20
	d.failing(t, i.name, "max_record")
	d = newDescribing(config(i.url, i), "indices")
	d.env.MaxRecord = 1 << 20
	i.call(t, "PUT", "/_mapping", `{"_meta":{"a":[`+strings.Repeat("1,", 200<<10)+`1]}}`) // short, but long once it is indented
	d.failing(t, i.name, "max_record")
	d.env.MaxRecord = 8 << 20
	d.complete(t)
}

func TestCheckSaysWhatMetadataThereIs(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.call(t, "PUT", "/_settings", `{"index.default_pipeline":"`+i.name+`-p"}`)
	i.provide(t, "/_ingest/pipeline/"+i.name+"-p", `{"processors":[]}`)
	p := faultproxy.New(t, i.url)
	check := func(take ...string) (string, error) {
		c := config(p.URL, i)
		c.Take = take
		s, err := c.Build(kind.Env{Workers: 1, MaxRecord: 8 << 20})
		if err != nil {
			t.Fatal(err)
		}
		var rep check.Report
		err = s.(check.Checker).Check(t.Context(), &rep)
		return strings.Join(rep.Lines(), "\n"), err
	}
	for _, c := range []struct {
		take     []string
		says     []string
		saysNone string
	}{
		{nil, []string{"documents: about 0"}, "metadata"},
		{[]string{"data", "indices", "pipelines"}, []string{"documents: about 0", "metadata: 1 of {name}/_index.json (index)", "metadata: 1 of {name}/_ingest_pipeline.json (ingest pipeline)"}, "no documents"},
		{[]string{"indices"}, []string{i.engine.String()[:4], "no documents are taken", "metadata: 1 of {name}/_index.json (index)"}, "pipeline"},
	} {
		got, err := check(c.take...)
		for _, want := range c.says {
			if err != nil || !strings.Contains(got, want) {
				t.Errorf("take %q: got %q, %v, want %q", c.take, got, err, want)
			}
		}
		if strings.Contains(got, c.saysNone) {
			t.Errorf("take %q: got %q, want nothing of %q", c.take, got, c.saysNone)
		}
	}
	p.Add(&faultproxy.Rule{Match: ofIndex(i), Status: 403, Body: `{"error":{"type":"security_exception","reason":"no"},"status":403}`})
	if _, err := check("data", "indices"); err == nil || !strings.Contains(err.Error(), "metadata of index "+i.name) {
		t.Errorf("got %v, want the error of the index", err)
	}
}

func TestWhatIsTakenIsPartOfTheIdentity(t *testing.T) {
	c := config("http://h:9200", &index{name: "a"})
	plain := c.Identity()
	for _, same := range [][]string{{"data"}, {}, {"data", "data"}} {
		if c.Take = same; c.Identity() != plain {
			t.Errorf("take %q: got %q, want %q", same, c.Identity(), plain)
		}
	}
	c.Take = []string{"templates", "data"}
	want := plain + " taking data,templates"
	if got := c.Identity(); got != want || !c.Describes() {
		t.Errorf("got %q, describes %v, want %q", got, c.Describes(), want)
	}
	c.Take = []string{}
	if list := c.Problems(kind.Env{}); len(list) != 1 || list[0].Option != "take" {
		t.Errorf("got %v, want a problem of take", list)
	}
}
