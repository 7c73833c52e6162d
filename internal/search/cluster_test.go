package search_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/search"
	"sluice/test/servers"
)

// answers of a cluster by path; else 404.
type answers map[string]answer

type answer struct {
	status int
	header string
	body   string
}

func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reply, ok := a[r.URL.Path]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if name, value, ok := strings.Cut(reply.header, ": "); ok {
		w.Header().Set(name, value)
	}
	w.WriteHeader(reply.status)
	io.WriteString(w, reply.body)
}

func TestTheEngineIsRecognized(t *testing.T) {
	const nodes = `{"nodes":{"x":{"version":"2.19.0","build_flavor":"default"}}}`
	const disguise = `{"version":{"number":"7.10.2"},"tagline":"The OpenSearch Project: https://opensearch.org/"}`
	for name, c := range map[string]struct {
		answers answers
		want    search.Engine
		says    string
	}{
		"opensearch":     {answers{"/": {200, "", `{"version":{"number":"3.8.0","distribution":"opensearch"}}`}}, search.Engine{Distribution: "opensearch", Version: "3.8.0"}, "OpenSearch 3.8.0"},
		"elasticsearch":  {answers{"/": {200, "X-Elastic-Product: Elasticsearch", `{"version":{"number":"9.2.4","build_flavor":"default"}}`}}, search.Engine{Distribution: "elasticsearch", Version: "9.2.4", Flavor: "default"}, "Elasticsearch 9.2.4"},
		"oss":            {answers{"/": {200, "", `{"version":{"number":"7.10.2","build_flavor":"oss"}}`}}, search.Engine{Distribution: "elasticsearch", Version: "7.10.2", Flavor: "oss"}, "Elasticsearch 7.10.2 (oss)"},
		"in disguise":    {answers{"/": {200, "X-OpenSearch-Version: OpenSearch/1.3.0 (opensearch)", disguise}}, search.Engine{Distribution: "opensearch", Version: "1.3.0"}, "OpenSearch 1.3.0"},
		"in disguise 2":  {answers{"/": {200, "", disguise}, "/_nodes/_local": {200, "", nodes}}, search.Engine{Distribution: "opensearch", Version: "2.19.0", Flavor: "default"}, "OpenSearch 2.19.0"},
		"in disguise 3":  {answers{"/": {200, "", disguise}, "/_nodes/_local": {403, "", ""}}, search.Engine{Distribution: "opensearch"}, "OpenSearch"},
		"root forbidden": {answers{"/": {403, "", ""}, "/_nodes/_local": {200, "X-OpenSearch-Version: OpenSearch/2.19.0 (opensearch)", nodes}}, search.Engine{Distribution: "opensearch", Version: "2.19.0", Flavor: "default"}, "OpenSearch 2.19.0"},
		"root missing":   {answers{"/_nodes/_local": {200, "X-Elastic-Product: Elasticsearch", strings.Replace(nodes, "2.19.0", "8.19.1", 1)}}, search.Engine{Distribution: "elasticsearch", Version: "8.19.1", Flavor: "default"}, "Elasticsearch 8.19.1"},
		"root 405":       {answers{"/": {405, "", ""}, "/_nodes/_local": {200, "", nodes}}, search.Engine{Version: "2.19.0", Flavor: "default"}, "unknown engine 2.19.0"},
		"nothing said":   {answers{}, search.Engine{}, "unknown engine"},
	} {
		got, err := client(t, to(cluster(t, c.answers.ServeHTTP))).Engine(t.Context())
		if err != nil || got != c.want || got.String() != c.says {
			t.Errorf("%s: got %+v (%s), %v, want %+v (%s)", name, got, got, err, c.want, c.says)
		}
	}
	for name, a := range map[string]answers{
		"credentials": {"/": {401, "", ""}},
		"no cluster":  {"/": {200, "", "<html>"}},
		"no rights":   {"/": {403, "", ""}, "/_nodes/_local": {401, "", ""}},
	} {
		if got, err := client(t, to(cluster(t, a.ServeHTTP))).Engine(t.Context()); err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
}

func TestVersionsCompareByNumber(t *testing.T) {
	for _, c := range []struct {
		version      string
		major, minor int
		want         bool
	}{{"2.4.0", 2, 4, true}, {"2.19.0", 2, 4, true}, {"2.3.9", 2, 4, false}, {"3.0.0-beta1", 2, 4, true}, {"1.9.0", 2, 4, false}, {"", 0, 0, false}, {"x", 0, 0, false}} {
		if got := (search.Engine{Version: c.version}).AtLeast(c.major, c.minor); got != c.want {
			t.Errorf("%q at least %d.%d: got %v, want %v", c.version, c.major, c.minor, got, c.want)
		}
	}
}

// settingsOf is the answer for indices of one shard.
func settingsOf(names ...string) string {
	var list []string
	for _, n := range names {
		list = append(list, `"`+n+`":{"settings":{"index":{"uuid":"u-`+n+`","number_of_shards":"1","blocks":{"write":"true"},"query":{"default_field":["a"]}}}}`)
	}
	return "{" + strings.Join(list, ",") + "}"
}

func TestIndicesAreWhatNamesStandFor(t *testing.T) {
	a := answers{
		"/*/_settings":       {200, "", settingsOf("b", "a")},
		"/b,alias/_settings": {200, "", settingsOf("b", ".behind")},
		"/none*/_settings":   {200, "", "{}"},
		"/odd/_settings":     {200, "", `{"odd":{"settings":{}}}`},
	}
	c := client(t, to(cluster(t, a.ServeHTTP)))
	for patterns, want := range map[string][]string{"*": {"a", "b"}, "b, alias": {".behind", "b"}, "none*": nil} {
		list, err := c.Indices(t.Context(), []string{patterns})
		var got []string
		for _, i := range list {
			got = append(got, i.Name)
			if i.UUID != "u-"+i.Name || i.Shards != 1 || i.Settings["index.blocks.write"] != "true" {
				t.Errorf("got %+v, want its UUID, one shard and its settings", i)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", patterns, err, diff)
		}
	}
	for _, bad := range []string{"missing", "odd"} {
		if list, err := c.Indices(t.Context(), []string{bad}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: got %v, %v, want an error that names it", bad, list, err)
		}
	}
}

func TestARealClusterIsRecognized(t *testing.T) {
	real := servers.Search(t)
	e, err := client(t, to(real.URL)).Engine(t.Context())
	if err != nil || !strings.HasPrefix(e.String(), real.String()) || !e.AtLeast(1, 0) || e.AtLeast(10, 0) {
		t.Errorf("got %+v (%s), %v, want %s", e, e, err, real)
	}
}
