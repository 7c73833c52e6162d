package search_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"sluice/internal/check"
	"sluice/internal/search"
)

// guarded is a cluster that answers what it is told to, and remembers what it
// was asked.
type guarded struct {
	*search.Client
	asked []string
}

func newGuarded(t *testing.T, answers map[string]string) *guarded {
	t.Helper()
	c := &guarded{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := r.Method + " " + r.URL.Path
		c.asked = append(c.asked, what)
		text, ok := answers[what]
		if !ok {
			text = "404 {}"
		}
		var status int
		fmt.Sscanf(text, "%d", &status)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, text[4:])
	}))
	t.Cleanup(s.Close)
	client, err := search.New(search.Config{URL: []string{s.URL}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	c.Client = client
	return c
}

var (
	elastic = search.Engine{Distribution: "elasticsearch", Version: "9.2.4"}
	open    = search.Engine{Distribution: "opensearch", Version: "3.8.0"}
)

// grantsOf is what a report says, a line each.
func grantsOf(r *check.Report) (list []string) {
	for _, g := range r.Grants {
		text := "may " + g.What
		switch {
		case g.Missing():
			text = "may not " + g.What + ": " + g.Err.Error()
		case g.Err != nil:
			text = "perhaps " + g.What
		}
		list = append(list, text)
	}
	return list
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestElasticsearchIsAskedForEachPrivilege(t *testing.T) {
	c := newGuarded(t, map[string]string{"POST /_security/user/_has_privileges": `200 {"index":{"logs":{"index":false,"create_index":true,"manage":false}}}`})
	var r check.Report
	c.MayWrite(t.Context(), elastic, search.Writing{Index: "logs", Action: "auto", Manage: true}, &r)
	const lacks = "the user lacks a permission: grant a role of it the index privilege "
	same(t, grantsOf(&r), "may not index logs: "+lacks+"index on logs", "may create_index logs", "may not manage logs: "+lacks+"manage on logs")
	same(t, c.asked, "POST /_security/user/_has_privileges")

	c = newGuarded(t, map[string]string{"POST /_security/user/_has_privileges": `200 {"index":{"a":{"read":true,"view_index_metadata":false},"b":{"read":false,"view_index_metadata":true}}}`})
	r = check.Report{}
	c.MayRead(t.Context(), elastic, []string{"a, b"}, &r)
	same(t, grantsOf(&r), "may not view_index_metadata a: "+lacks+"view_index_metadata on a", "may read a", "may view_index_metadata b", "may not read b: "+lacks+"read on b")
}

// The privilege on a whole wildcard is more than it takes.
func TestAWildcardIsTried(t *testing.T) {
	c := newGuarded(t, map[string]string{"GET /a*/_settings": "200 {}", "POST /a*/_search": "200 {}"})
	var r check.Report
	c.MayRead(t.Context(), elastic, []string{"a*"}, &r)
	same(t, grantsOf(&r), "may see indices", "may read documents")
}

func TestWithoutSecurityTheIndexIsTried(t *testing.T) {
	c := newGuarded(t, map[string]string{
		"POST /_security/user/_has_privileges": `405 {"error":"Incorrect HTTP method"}`,
		"POST /logs/_bulk":                     `200 {"errors":true,"items":[{"index":{"status":409,"error":{"type":"version_conflict_engine_exception"}}}]}`,
	})
	var r check.Report
	c.MayWrite(t.Context(), elastic, search.Writing{Index: "logs", Exists: true}, &r)
	same(t, grantsOf(&r), "may write to logs")
}

func TestWhatAProbeOfAnIndexMeans(t *testing.T) {
	const needs = "; this call needs indices:data/write/bulk and indices:data/write/index, and indices:admin/create where the index does not exist yet"
	item := func(status int, kind, reason string) string {
		return fmt.Sprintf(`200 {"errors":true,"items":[{"index":{"status":%d,"error":{"type":%q,"reason":%q}}}]}`, status, kind, reason)
	}
	for _, test := range []struct{ name, answer, action, want string }{
		{"conflict", item(409, "version_conflict_engine_exception", "no"), "", "may write to x"},
		{"refused request", `403 {"error":{"type":"security_exception","reason":"no"},"status":403}`, "", "may not write to x: POST "},
		{"refused item", item(403, "security_exception", "no"), "", "may not write to x: 403 security_exception: no: the user lacks a permission" + needs},
		{"block", item(403, "cluster_block_exception", "read only"), "", "may not write to x: 403 cluster_block_exception: read only: writes to it are blocked"},
		{"full disk", item(429, "cluster_block_exception", "flood stage"), "", "may not write to x: 429 cluster_block_exception: flood stage: writes to it are blocked"},
		{"data stream", item(400, "illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams"), "auto", "may not write to x: 400 illegal_argument_exception: only write ops with an op_type of create are allowed in data streams: set action: create"},
		{"data stream, create", item(400, "illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams"), "create", "may write to x"},
		{"something else", item(400, "routing_missing_exception", "routing"), "", "perhaps write to x"},
		{"no items", `200 {"items":[]}`, "", "perhaps write to x"},
	} {
		c := newGuarded(t, map[string]string{"GET /": `200 {"version":{"number":"3.8.0","distribution":"opensearch"}}`, "POST /x/_bulk": test.answer})
		e, err := c.Engine(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var r check.Report
		c.MayWrite(t.Context(), e, search.Writing{Index: "x", Exists: true, Action: test.action}, &r)
		if got := grantsOf(&r); len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestAnIndexIsAskedForThatCannotBeMade(t *testing.T) {
	for answer, want := range map[string]string{
		`400 {"error":{"type":"illegal_argument_exception","reason":"unknown setting [index.sluice_check]"},"status":400}`: "may make x",
		`403 {"error":{"type":"security_exception","reason":"no"},"status":403}`:                                           "may not make x: PUT ",
		`200 {"acknowledged":true}`: "perhaps make x",
	} {
		c := newGuarded(t, map[string]string{"PUT /x": answer})
		var r check.Report
		c.MayWrite(t.Context(), open, search.Writing{Index: "x"}, &r)
		if got := grantsOf(&r); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s: got %q, want %q", answer, got, want)
		}
	}
	c := newGuarded(t, nil)
	c.MayWrite(context.Background(), search.Engine{}, search.Writing{Index: "x"}, &check.Report{})
	if len(c.asked) > 0 {
		t.Errorf("an engine that nobody knows was asked %q, want nothing: it may make the index", c.asked)
	}
}

func TestAMissingIndexIsNoMissingPermission(t *testing.T) {
	c := newGuarded(t, map[string]string{"GET /x/_settings": `503 {"error":{"type":"no_master"},"status":400}`})
	var r check.Report
	c.MayRead(t.Context(), open, []string{"x"}, &r)
	same(t, grantsOf(&r), "perhaps see indices", "may read documents")
}
