package search_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/search"
	"sluice/test/servers"
)

// selected is a selection as a test sees it: names, and behind them the filter.
type selected struct{ Indices, Closed, Missing []string }

func selection(t *testing.T, c *search.Client, patterns, exclude []string) (selected, *search.Selection) {
	t.Helper()
	s, err := c.Select(t.Context(), patterns, exclude)
	if err != nil {
		t.Fatalf("%q without %q: %v", patterns, exclude, err)
	}
	got := selected{Closed: s.Closed, Missing: s.Missing}
	for _, i := range s.Indices {
		if i.UUID == "" || i.Shards == 0 {
			t.Errorf("got %+v, want its UUID and shards", i)
		}
		got.Indices = append(got.Indices, strings.TrimSpace(i.Name+" "+i.Filter))
	}
	return got, s
}

// a is what a fresh prefix holds on a real cluster.
type real struct{ url, prefix string }

func (r real) call(t *testing.T, method, path, body string) (status int) {
	t.Helper()
	req, err := http.NewRequest(method, r.url+strings.ReplaceAll(path, "P", r.prefix), strings.NewReader(strings.ReplaceAll(body, "P", r.prefix)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func (r real) must(t *testing.T, method, path, body string) {
	t.Helper()
	if status := r.call(t, method, path, body); status != 200 {
		t.Fatalf("%s %s: got status %d", method, path, status)
	}
}

// all puts the prefix where P stands.
func (r real) all(list ...string) []string {
	var out []string
	for _, s := range list {
		out = append(out, strings.ReplaceAll(s, "P", r.prefix))
	}
	return out
}

// newReal makes indices of every sort.
func newReal(t *testing.T) real {
	t.Helper()
	r := real{servers.Search(t).URL, fmt.Sprintf("select-%08x", rand.Uint32())}
	for name, more := range map[string]string{"P-a": "", "P-b": "", "P-hid": `,"index.hidden":true`, ".P-dot": "", "P-shut": "", "P-shut2": ""} {
		r.must(t, "PUT", "/"+name, `{"settings":{"number_of_shards":1,"number_of_replicas":0`+more+`}}`)
		t.Cleanup(func() { r.call(t, "DELETE", "/"+name, "") })
	}
	r.must(t, "POST", "/_aliases", `{"actions":[
		{"add":{"index":"P-a","alias":"P-part","filter":{"term":{"x":1}},"routing":"r"}},
		{"add":{"index":"P-b","alias":"P-part"}},
		{"add":{"index":"P-a","alias":"P-other","filter":{"term":{"x":2}}}},
		{"add":{"index":"P-hid","alias":"P-behind"}},
		{"add":{"index":"P-a","alias":"P-veiled","is_hidden":true}},
		{"add":{"index":"P-shut","alias":"P-closing"}},{"add":{"index":"P-b","alias":"P-closing"}}]}`)
	r.must(t, "POST", "/P-shut,P-shut2/_close", "")
	return r
}

func TestASelectionIsWhatNamesStandForAndHowTheyAreAskedFor(t *testing.T) {
	r := newReal(t)
	c := client(t, to(r.url))
	const one, two = ` {"term":{"x":1}}`, ` {"term":{"x":2}}`
	closed := r.all("P-shut", "P-shut2")
	for name, x := range map[string]struct {
		patterns, exclude []string
		want              selected
	}{
		"names":                            {[]string{"P-a", "P-b"}, nil, selected{Indices: r.all("P-a", "P-b")}},
		"a list with commas":               {[]string{"P-b , P-a,,"}, nil, selected{Indices: r.all("P-a", "P-b")}},
		"hidden and dotted ones by name":   {[]string{"P-hid", ".P-dot"}, nil, selected{Indices: r.all(".P-dot", "P-hid")}},
		"a wildcard of what is not hidden": {[]string{"*P-*"}, nil, selected{Indices: r.all("P-a", "P-b", "P-hid"), Closed: closed}}, // the last through its alias
		"a wildcard without its alias":     {[]string{"P-*"}, []string{"P-behind"}, selected{Indices: r.all("P-a", "P-b"), Closed: closed}},
		"a wildcard with a dot":            {[]string{".P-*"}, nil, selected{Indices: r.all(".P-dot")}},
		"closed ones by wildcard":          {[]string{"P-s*"}, nil, selected{Closed: closed}},
		"closed ones by name":              {[]string{"P-shut2", "P-a"}, nil, selected{Indices: r.all("P-a"), Closed: r.all("P-shut2")}},
		"closed ones by alias":             {[]string{"P-closing"}, nil, selected{Indices: r.all("P-b"), Closed: r.all("P-shut")}},
		"closed ones left out":             {[]string{"P-s*", "P-a", "P-b"}, []string{"P-shut*", "P-b"}, selected{Indices: r.all("P-a")}},
		"missing ones":                     {[]string{"P-no", "P-a", "P-never"}, nil, selected{Indices: r.all("P-a"), Missing: r.all("P-no", "P-never")}},
		"missing ones left out":            {[]string{"P-no", "P-a"}, []string{"P-n*"}, selected{Indices: r.all("P-a")}},
		"a wildcard for nothing":           {[]string{"P-none-*"}, nil, selected{}},
		"a filter":                         {[]string{"P-part"}, nil, selected{Indices: r.all("P-a"+one, "P-b")}},
		"a filter by wildcard":             {[]string{"P-o*"}, nil, selected{Indices: r.all("P-a" + two)}},
		"two filters": {[]string{"P-other", "P-part"}, nil, selected{Indices: r.all(
			`P-a {"bool":{"should":[{"term":{"x":1}},{"term":{"x":2}}],"minimum_should_match":1}}`, "P-b")}},
		"a filter and the index itself":     {[]string{"P-part", "P-a"}, nil, selected{Indices: r.all("P-a", "P-b")}},
		"a filter and a wildcard":           {[]string{"P-*"}, []string{"P-s*", "P-behind"}, selected{Indices: r.all("P-a", "P-b")}},
		"a filter and an alias without one": {[]string{"P-part", "P-veiled"}, nil, selected{Indices: r.all("P-a", "P-b")}},
		"a hidden index behind an alias":    {[]string{"P-behind"}, nil, selected{Indices: r.all("P-hid")}},
		"a hidden alias by wildcard":        {[]string{"P-v*"}, nil, selected{}},
	} {
		got, _ := selection(t, c, r.all(x.patterns...), r.all(x.exclude...))
		if diff := cmp.Diff(x.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, x := range []struct {
		patterns []string
		want     []string
	}{
		{[]string{"P-part"}, []string{`alias P-part: its filter {"term":{"x":1}} applies to P-a`, `alias P-part: its routing "r" is not looked at: every shard is read of P-a`}},
		{[]string{"P-other", "P-a"}, []string{`alias P-other: its filter {"term":{"x":2}} applies to P-a`, "read whole, because they are asked for in another way too than by an alias with a filter: P-a"}},
		{[]string{"P-a"}, nil},
	} {
		_, s := selection(t, c, r.all(x.patterns...), nil)
		for _, want := range r.all(x.want...) {
			if !strings.Contains(strings.Join(s.Notes, "\n"), want) {
				t.Errorf("%q: got notes %q, want one that says %q", x.patterns, s.Notes, want)
			}
		}
		if len(x.want) != len(s.Notes) {
			t.Errorf("%q: got notes %q, want %d", x.patterns, s.Notes, len(x.want))
		}
	}
}

func TestADataStreamIsItsIndices(t *testing.T) {
	r := real{servers.Search(t).URL, fmt.Sprintf("select-%08x", rand.Uint32())}
	r.call(t, "PUT", "/_index_template/P", `{"index_patterns":["P-ds"],"data_stream":{},"template":{"settings":{"number_of_shards":1,"number_of_replicas":0}}}`)
	t.Cleanup(func() { r.call(t, "DELETE", "/_index_template/P", "") })
	if status := r.call(t, "PUT", "/_data_stream/P-ds", ""); status != 200 {
		t.Skipf("this engine has no data streams: status %d", status)
	}
	t.Cleanup(func() { r.call(t, "DELETE", "/_data_stream/P-ds", "") })
	r.must(t, "POST", "/P-ds/_rollover", "")
	c := client(t, to(r.url))
	for _, x := range []struct{ patterns, exclude []string }{{[]string{"P-ds"}, nil}, {[]string{"P-*"}, nil}, {[]string{".ds-P*"}, nil}, {[]string{".ds-P*", "*P-ds*"}, []string{"other"}}} {
		got, _ := selection(t, c, r.all(x.patterns...), r.all(x.exclude...))
		if len(got.Indices) != 2 || len(got.Missing)+len(got.Closed) > 0 || !strings.HasSuffix(got.Indices[0], "-000001") || !strings.HasSuffix(got.Indices[1], "-000002") {
			t.Errorf("%q: got %+v, want the first and the second index of the data stream", x.patterns, got)
		}
	}
	for _, exclude := range []string{"P-ds", ".ds-*"} {
		if got, _ := selection(t, c, r.all("P-*"), r.all(exclude)); got.Indices != nil {
			t.Errorf("without %s: got %+v, want nothing", exclude, got)
		}
	}
	got, _ := selection(t, c, r.all("P-ds"), r.all("*-000001"))
	if len(got.Indices) != 1 || !strings.HasSuffix(got.Indices[0], "-000002") {
		t.Errorf("without the first one: got %+v, want the second index", got)
	}
}

func TestADataStreamKeepsItsOrderBehindAnAlias(t *testing.T) {
	a := answers{
		"/_resolve/index/m,z": {200, "", `{"indices":[{"name":"m","attributes":["open"]}],"aliases":[{"name":"z","indices":["k"]}]}`},
		"/_alias/z":           {200, "", `{"k":{"aliases":{"z":{"filter":{"term": {"a": 1}}}}}}`},
		"/_resolve/index/k":   {200, "", `{"data_streams":[{"name":"k","backing_indices":["shrunk-9",".ds-k-2",".ds-k-3"]}]}`},
		"/_resolve/index/.ds-k-2,.ds-k-3,shrunk-9": {200, "", `{"indices":[{"name":".ds-k-2","attributes":["open"]},{"name":".ds-k-3","attributes":["closed"]},{"name":"shrunk-9","attributes":["open"]}]}`},
		"/m,z/_settings": {200, "", settingsOf("m", "shrunk-9", ".ds-k-2", ".ds-k-3")},
	}
	c := client(t, to(cluster(t, a.ServeHTTP)))
	got, _ := selection(t, c, []string{"m", "z"}, nil)
	const filter = ` {"term":{"a":1}}`
	if diff := cmp.Diff(selected{Indices: []string{"shrunk-9" + filter, ".ds-k-2" + filter, "m"}, Closed: []string{".ds-k-3"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	a["/_resolve/index/m,z"] = answer{200, "", `{"indices":[{"name":"m","attributes":["open"]}],"aliases":[{"name":"z","indices":[".ds-k-2","shrunk-9"]}]}`}
	a["/_resolve/index/.ds-k-2,shrunk-9"] = answer{200, "", `{"indices":[{"name":".ds-k-2","data_stream":"k"},{"name":"shrunk-9","data_stream":"k"}]}`}
	if got, _ := selection(t, c, []string{"m", "z"}, nil); !slices.Equal(got.Indices, []string{".ds-k-2" + filter, "m", "shrunk-9" + filter}) {
		t.Errorf("of an alias that names indices: got %+v, want the filter of the data stream", got)
	}
	for name, body := range map[string]string{"says nothing of it": `{}`, "says half of it": `{"other":{"aliases":{"z":{}}}}`} {
		a["/_alias/z"] = answer{200, "", body}
		if _, err := c.Select(t.Context(), []string{"m", "z"}, nil); err == nil || !strings.Contains(err.Error(), "alias z") {
			t.Errorf("the cluster %s: got %v, want an error: the alias may have a filter", name, err)
		}
	}
}

func TestListsFitIntoAnAddress(t *testing.T) {
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("index-é-%d", i))
	}
	names[500] = strings.Repeat("x", 5000)
	var got []string
	for part := range search.Lists(names) {
		if n := len(search.Path(part)); n > 3100 && part != names[500] {
			t.Errorf("got a list of %d bytes, want at most about 3000", n)
		}
		got = append(got, strings.Split(part, ",")...)
	}
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
