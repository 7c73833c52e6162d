package search_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"sluice/internal/check"
	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/sources/search"
	"sluice/test/faultproxy"
)

// numbered has documents 0 to n-1 whose field n is a number.
func numbered(t *testing.T, suffix string, n int, settings string) *index {
	t.Helper()
	i := newIndex(t, suffix, 2, settings)
	i.fill(t, n, 60)
	return i
}

// keep leaves those documents of what a test wants whose id is a number below n.
func (i *index) keep(n int) *index {
	kept := *i
	kept.docs = maps.Clone(i.docs)
	maps.DeleteFunc(kept.docs, func(id, _ string) bool {
		var number int
		fmt.Sscanf(id, "%d/", &number)
		return number >= n
	})
	return &kept
}

// alias makes an alias of the index; more is added to the action.
func (i *index) alias(t *testing.T, more string) string {
	t.Helper()
	name := i.name + "-alias"
	root := index{url: i.url}
	root.call(t, "POST", "_aliases", fmt.Sprintf(`{"actions":[{"add":{"index":%q,"alias":%q%s}}]}`, i.name, name, more))
	return name
}

func TestTheFilterOfAnAliasApplies(t *testing.T) {
	t.Parallel()
	i := numbered(t, "", 100, "")
	name := i.alias(t, `,"filter":{"range":{"n":{"lt":30}}},"routing":"r"`)
	for _, read := range ways(t) {
		c := config(i.url)
		c.Index, c.Read = []string{name}, read
		j := newJob(c)
		j.complete(t)
		j.wants(t, i.keep(30))
		c.Query = `{"range":{"n":{"lt":10}}}`
		j = newJob(c)
		j.complete(t)
		j.wants(t, i.keep(10))
		c.Query, c.Index = "", []string{name, i.name}
		j = newJob(c)
		j.complete(t)
		j.wants(t, i)
	}
	c := config(i.url)
	c.Index = []string{name}
	got, err := checkOf(t, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`its filter {"range":{"n":{"lt":30}}} applies to ` + i.name, `its routing "r"`, "shards: 2, documents: 30\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want it to say %q", got, want)
		}
	}
}

// checkOf is what the source says, as text.
func checkOf(t *testing.T, c *search.Config) (string, error) {
	t.Helper()
	s, err := c.Build(newJob(nil).env)
	if err != nil {
		t.Fatal(err)
	}
	var rep check.Report
	err = s.(*search.Source).Check(t.Context(), &rep)
	return strings.Join(rep.Lines(), "\n"), err
}

func TestLanesOfAFilterHaveAnotherIdentity(t *testing.T) {
	t.Parallel()
	i := numbered(t, "", 10, "")
	ids := map[string]string{}
	plan := func(what string, c *search.Config) {
		s, err := c.Build(newJob(nil).env)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Open(t.Context(), &pipeline.Pass{Store: &newJob(nil).store})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		lanes, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if other := ids[lanes[0].ID]; other != "" {
			t.Errorf("got the same ID for %s and %s", what, other)
		}
		ids[lanes[0].ID] = what
	}
	c := config(i.url, i)
	plan("all", c)
	c.Query = `{"range":{"n":{"lt":10}}}`
	plan("a query", c)
	c.Fields.Include = []string{"n"}
	plan("fields", c)
	c.Index = []string{i.alias(t, `,"filter":{"range":{"n":{"lt":30}}}`)}
	plan("a filter", c)
	i.alias(t, `,"filter":{"range":{"n":{"lt":31}}}`)
	plan("another filter", c)
}

func TestADataStreamIsReadWhole(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	name, root := i.name+"-stream", index{url: i.url}
	if i.engine.Elasticsearch() {
		t.Skipf("%s has no data streams here", i.engine)
	}
	root.call(t, "PUT", "_index_template/"+name, fmt.Sprintf(`{"index_patterns":[%q],"data_stream":{},"template":{"settings":{"number_of_shards":1,"number_of_replicas":0}}}`, name))
	t.Cleanup(func() { root.call(t, "DELETE", "_index_template/"+name, "") })
	root.call(t, "PUT", "_data_stream/"+name, "")
	t.Cleanup(func() { root.call(t, "DELETE", "_data_stream/"+name, "") })
	want := []string{}
	for n := range 3 {
		root.call(t, "POST", name+"/_doc?refresh=true", fmt.Sprintf(`{"@timestamp":"2026-01-0%dT00:00:00Z","n":%d}`, n+1, n))
		want = append(want, fmt.Sprintf(`"n":%d}`, n))
		root.call(t, "POST", name+"/_rollover", "")
	}
	for _, pattern := range []string{name, i.name + "-*"} {
		c := config(i.url)
		c.Index = []string{pattern}
		j := newJob(c)
		j.lanes = 1
		if res := j.complete(t); res.Counts.Read != 3 {
			t.Errorf("%s: got %d records, want 3", pattern, res.Counts.Read)
		}
		s, _ := j.last.Status()
		if len(s.Lanes) != 4 {
			t.Fatalf("%s: got %d lanes, want those of 4 indices", pattern, len(s.Lanes))
		}
		for n, l := range s.Lanes {
			if !strings.Contains(l.Name, name) || !strings.HasSuffix(l.Name, fmt.Sprintf("-00000%d-0", n+1)) {
				t.Errorf("%s: got lane %s as number %d, want the order of the data stream", pattern, l.Name, n)
			}
		}
		all := strings.Join(slices.Collect(maps.Values(j.sink.Objects)), "")
		for _, w := range want {
			if !strings.Contains(all, w) {
				t.Errorf("%s: got %q, want a document %s", pattern, all, w)
			}
		}
	}
}

func TestHiddenIndicesAreReadByName(t *testing.T) {
	t.Parallel()
	a := numbered(t, "-a", 10, "")
	hidden := newIndex(t, "-a-hidden", 1, "")
	hidden.fill(t, 5, 60)
	hidden.call(t, "PUT", "/_settings", `{"index.hidden":true}`)
	c := config(a.url)
	c.Index = []string{a.name + "*", hidden.name[:len(hidden.name)-4] + "*"}
	j := newJob(c)
	j.complete(t)
	j.wants(t, a)
	c.Index = []string{a.name + "*", hidden.name}
	j = newJob(c)
	j.complete(t)
	j.wants(t, a, hidden)
}

func TestClosedAndMissingIndicesAreAnErrorUnlessIgnored(t *testing.T) {
	t.Parallel()
	open, one, two := numbered(t, "", 10, ""), newIndex(t, "-x1", 1, ""), newIndex(t, "-x2", 1, "")
	one.call(t, "POST", "/_close", "")
	two.call(t, "POST", "/_close", "")
	c := config(open.url)
	c.Index = []string{open.name, one.name[:len(one.name)-1] + "*", two.name, open.name + "-no", open.name + "-never"}
	newJob(c).failing(t, "closed: ", one.name, two.name, "missing: "+open.name+"-no, "+open.name+"-never", "ignore: [closed, missing]")
	if _, err := checkOf(t, c); err == nil || !strings.Contains(err.Error(), one.name+"; missing: ") && !strings.Contains(err.Error(), two.name+"; missing: ") {
		t.Errorf("check: got %v, want the same error", err)
	}
	c.Ignore = []string{"missing"}
	newJob(c).failing(t, "closed: ", one.name, two.name, "ignore: [closed]")

	c.Ignore = []string{"missing", "closed"}
	j := newJob(c)
	var log bytes.Buffer
	j.log = slog.New(slog.NewTextHandler(&log, nil))
	j.complete(t)
	j.wants(t, open)
	if n := strings.Count(log.String(), "left out as ignore says"); n != 1 || !strings.Contains(log.String(), open.name+"-never") || !strings.Contains(log.String(), one.name) {
		t.Errorf("got log %s, want one line that names all", &log)
	}
	got, err := checkOf(t, c)
	if err != nil || !strings.Contains(got, "because they are closed: ") || !strings.Contains(got, one.name) || !strings.Contains(got, "because they do not exist: "+open.name+"-no") {
		t.Errorf("check: got %q, %v, want what is left out", got, err)
	}
	c.Index = []string{one.name}
	newJob(c).failing(t, "no open index matches")
}

func TestShardsThatCannotBeReadAreNamedAndTheOthersAreRead(t *testing.T) {
	t.Parallel()
	good := numbered(t, "-good", 20, "")
	red := &index{engine: good.engine, url: good.url, name: good.name + "-red"}
	red.call(t, "PUT", "?wait_for_active_shards=0", `{"settings":{"number_of_shards":2,"number_of_replicas":0,"index.routing.allocation.include._name":"nobody"}}`)
	t.Cleanup(func() { red.call(t, "DELETE", "", "") })
	c := config(good.url)
	c.Index, c.Retry = []string{good.name + "*"}, 1
	const want = "-red: no active primary of shard 0, 1"
	got, err := checkOf(t, c)
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(got, "indices: 2, shards: 4") {
		t.Errorf("check: got %q, %v, want an error that says %q", got, err, want)
	}
	j := newJob(c)
	j.failing(t, red.name+"-0: ", red.name+"-1: ")
	j.wants(t, good)

	p := faultproxy.New(t, good.url) // the same without the privilege to look
	p.Add(&faultproxy.Rule{Path: "/_cluster/health", Times: -1, Status: 403, Body: `{"error":{"type":"security_exception","reason":"no"},"status":403}`})
	c.URL = []string{p.URL}
	if _, err := checkOf(t, c); err != nil {
		t.Errorf("check without the privilege monitor: got %v, want no error", err)
	}
	j = newJob(c)
	j.failing(t, red.name+"-0: ", red.name+"-1: ")
	j.wants(t, good)
}

func TestAnErrorOfTheQueryIsSaidOnceBeforeAnythingIsRead(t *testing.T) {
	t.Parallel()
	i := numbered(t, "", 10, "")
	for query, want := range map[string]string{
		`{"range":{"n":{"unknown":1}}}`:               "unknown",
		`{"bool":{"filter":[{"term":{"n":"text"}}]}}`: "text",
	} {
		p := faultproxy.New(t, i.url)
		c := config(p.URL, i)
		c.Query = query
		if _, err := checkOf(t, c); err == nil || !strings.HasPrefix(err.Error(), "query: 400 ") || !strings.Contains(err.Error(), want) {
			t.Errorf("check: got %v, want what the engine says", err)
		}
		_, err := newJob(c).run(t.Context(), t)
		if err == nil || !strings.HasPrefix(err.Error(), "source: plan: query: 400 ") || strings.Count(err.Error(), want) > 2 {
			t.Errorf("got %v, want what the engine says, once", err)
		}
	}
}

func TestFieldsAreChosen(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.call(t, "PUT", "/_doc/1?refresh=true", `{"a":1.50,"b":{"c":1,"d":2},"e":3}`)
	for _, x := range []struct {
		include, exclude []string
		want             string
	}{
		{[]string{"a", "b.*"}, []string{"b.d"}, `{"a":1.5,"b":{"c":1}}`},
		{[]string{"e"}, nil, `{"e":3}`},
		{nil, []string{"a", "b"}, `{"e":3}`},
		{[]string{"none"}, nil, `{}`},
	} {
		for _, read := range ways(t) {
			c := config(i.url, i)
			c.Read, c.Fields = read, search.Fields{Include: x.include, Exclude: x.exclude}
			j := newJob(c)
			j.complete(t)
			i.docs = map[string]string{"1/": x.want}
			j.wants(t, i)
			if got, err := checkOf(t, c); err != nil || !strings.Contains(got, "fields: only some fields") {
				t.Errorf("check: got %q, %v, want a warning", got, err)
			}
		}
	}
}

func TestAQueryWhoseDatesMoveIsAnnounced(t *testing.T) {
	t.Parallel()
	i := numbered(t, "", 1, "")
	for query, want := range map[string]bool{
		`{"range":{"@timestamp":{"gte":"now-30d"}}}`:   true,
		`{"range":{"@timestamp":{"gte":"now-30d/d"}}}`: false,
		`{"term":{"state":"nowhere"}}`:                 false,
		`{"term":{"state":"unknown"}}`:                 false,
	} {
		c := config(i.url, i)
		c.Query = query
		if got, err := checkOf(t, c); err != nil || strings.Contains(got, "query: now is another moment") != want {
			t.Errorf("%s: got %q, %v, want a warning: %v", query, got, err, want)
		}
	}
}

func TestWhatIsIgnoredIsNotDeletedAtTheSink(t *testing.T) {
	c := config("http://h", &index{name: "a"})
	c.Deletes, c.Ignore = "reconcile", []string{"closed"}
	list := c.Problems(kind.Env{New: true, Versions: true, Target: struct{ kind.Lister }{}})
	if len(list) != 1 || list[0].Option != "ignore" || !strings.Contains(list[0].Message, "would be deleted") {
		t.Errorf("got %v, want one of ignore", list)
	}
}
