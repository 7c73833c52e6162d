package search_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/search"
	"sluice/test/faultproxy"
	"sluice/test/servers"
)

// shelf is a fake that speaks the protocols of points in time and of scrolls. It
// has an index logs; document n is in shard n mod shards.
type shelf struct {
	docs, shards int
	pit          string                                    // where points in time are opened; "": it has none
	page         func(n int, reply map[string]any)         // edits page number n, from 0
	refuse       func(n int) (status int, body string)     // instead of page number n
	settings     func(n int, settings map[string]any) bool // edits them, and says whether the index is there

	mu    sync.Mutex
	open  map[string]*context1 // by id
	pages int
	asked int // for settings
}

// context1 is a point in time or a scroll of one shard.
type context1 struct{ shard, next int }

func newShelf(docs, shards int, pit string) *shelf {
	return &shelf{docs: docs, shards: shards, pit: pit, open: map[string]*context1{}}
}

func id(n int) string { return fmt.Sprintf("id %d \"é\"", n) }

// ServeHTTP implements http.Handler.
func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var q struct {
		Size   int
		Scroll string `json:"scroll_id"`
		After  []int  `json:"search_after"`
		PIT    struct{ ID string }
		Source *bool `json:"_source"`
		Total  bool  `json:"track_total_hits"`
	}
	json.NewDecoder(r.Body).Decode(&q)
	shard, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("preference"), "_shards:"))
	switch {
	case r.URL.Path == "/logs/_settings":
		s.giveSettings(w)
	case r.Method == http.MethodDelete:
		s.close(w, r)
	case s.pit != "" && r.URL.Path == "/logs"+s.pit:
		s.giveContext(w, shard)
	case r.URL.Path == "/_search" && s.open[q.PIT.ID] != nil:
		c := *s.open[q.PIT.ID]
		if q.After != nil {
			c.next = q.After[0] + 1
		}
		s.give(w, &c, q.Size, q.Total, map[string]any{"pit_id": q.PIT.ID})
	case r.URL.Path == "/logs/_search" && r.URL.Query().Get("scroll") != "":
		name := fmt.Sprintf("scroll-%d", len(s.open)+s.pages)
		s.open[name] = &context1{shard: shard, next: q.Size << 32}
		s.giveScroll(w, name, q.Total)
	case r.URL.Path == "/_search/scroll" && s.open[q.Scroll] != nil:
		s.giveScroll(w, q.Scroll, false)
	case r.URL.Path == "/_search" || r.URL.Path == "/_search/scroll":
		w.WriteHeader(404)
		io.WriteString(w, `{"error":{"type":"search_phase_execution_exception","reason":"x","root_cause":[{"type":"search_context_missing_exception","reason":"No search context found"}]},"status":404}`)
	default:
		w.WriteHeader(400)
		io.WriteString(w, `{"error":{"type":"parse_exception","reason":"request body is required"},"status":400}`)
	}
}

func (s *shelf) giveSettings(w http.ResponseWriter) {
	settings := map[string]any{"index.uuid": "u", "index.number_of_shards": strconv.Itoa(s.shards), "index.max_result_window": "7"}
	s.asked++
	if s.settings != nil && !s.settings(s.asked-1, settings) {
		w.WriteHeader(404)
		io.WriteString(w, `{"error":{"type":"index_not_found_exception","reason":"no such index [logs]"},"status":404}`)
		return
	}
	json.NewEncoder(w).Encode(map[string]any{"logs": map[string]any{"settings": settings}})
}

func (s *shelf) giveContext(w http.ResponseWriter, shard int) {
	name := fmt.Sprintf("pit-%d", len(s.open)+s.pages)
	s.open[name] = &context1{shard: shard}
	key := map[string]string{"/_pit": "id", "/_search/point_in_time": "pit_id"}[s.pit]
	json.NewEncoder(w).Encode(map[string]any{key: name, "_shards": map[string]int{"total": 1, "successful": 1}})
}

// giveScroll gives the next page of a scroll, which remembers its size.
func (s *shelf) giveScroll(w http.ResponseWriter, name string, total bool) {
	c := s.open[name]
	at := context1{c.shard, c.next & (1<<32 - 1)}
	s.give(w, &at, c.next>>32, total, map[string]any{"_scroll_id": name})
	c.next = c.next>>32<<32 | at.next
}

// give gives a page, and moves c behind it.
func (s *shelf) give(w http.ResponseWriter, c *context1, size int, total bool, reply map[string]any) {
	hits := []any{}
	for ; c.shard+c.next*s.shards < s.docs && len(hits) < size; c.next++ {
		n := c.shard + c.next*s.shards
		hit := map[string]any{"_index": "logs", "_id": id(n), "_version": n, "_score": nil, "sort": []int{c.next}}
		if n%3 == 0 {
			hit["_routing"] = "r" + strconv.Itoa(n)
		}
		hits = append(hits, hit)
	}
	h := map[string]any{"hits": hits}
	if total {
		h["total"] = map[string]any{"value": (s.docs - c.shard + s.shards - 1) / s.shards, "relation": "eq"}
	}
	reply["timed_out"], reply["_shards"], reply["hits"] = false, map[string]int{"total": 1, "successful": 1, "failed": 0}, h
	n := s.pages
	s.pages++
	if s.refuse != nil {
		if status, body := s.refuse(n); status != 0 {
			w.WriteHeader(status)
			io.WriteString(w, body)
			return
		}
	}
	if s.page != nil {
		s.page(n, reply)
	}
	json.NewEncoder(w).Encode(reply)
}

func (s *shelf) close(w http.ResponseWriter, r *http.Request) {
	for name := range s.open {
		kind, _, _ := strings.Cut(name, "-")
		if kind == "pit" && r.URL.Path == s.pit || kind == "scroll" && r.URL.Path == "/_search/scroll" {
			delete(s.open, name)
		}
	}
	io.WriteString(w, `{}`)
}

// listed is a document.
type listed struct {
	ID, Routing string
	Version     int64
}

// list gives what IDs gives, in order and once.
func list(t *testing.T, cfg search.Config, index string) ([]listed, error) {
	t.Helper()
	c := client(t, cfg)
	found, err := c.Indices(t.Context(), []string{index})
	if err != nil || len(found) != 1 {
		t.Fatalf("index %s: got %v, %v", index, found, err)
	}
	var got []listed
	err = c.IDs(t.Context(), found[0], func(id, routing []byte, version int64) error {
		got = append(got, listed{string(id), string(routing), version})
		return nil
	})
	slices.SortFunc(got, func(a, b listed) int { return strings.Compare(a.ID+"\x00"+a.Routing, b.ID+"\x00"+b.Routing) })
	return slices.Compact(got), err
}

// want is what a shelf holds.
func (s *shelf) want() (all []listed) {
	for n := range s.docs {
		d := listed{ID: id(n), Version: int64(n)}
		if n%3 == 0 {
			d.Routing = "r" + strconv.Itoa(n)
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b listed) int { return strings.Compare(a.ID, b.ID) })
	return all
}

var engines = []string{"/_search/point_in_time", "/_pit", ""}

func TestAllIDsAreListed(t *testing.T) {
	for _, pit := range engines {
		for _, docs := range []int{0, 1, 7, 14, 100} {
			for _, shards := range []int{1, 3} {
				s := newShelf(docs, shards, pit)
				got, err := list(t, to(cluster(t, s.ServeHTTP)), "logs")
				if diff := cmp.Diff(s.want(), got); err != nil || diff != "" {
					t.Errorf("%q, %d documents in %d shards: %v (-want +got):\n%s", pit, docs, shards, err, diff)
				}
				if len(s.open) > 0 {
					t.Errorf("%q: %d contexts are left open", pit, len(s.open))
				}
			}
		}
	}
}

// damages are pages that are not complete, and what is said of them in the end.
func damages() map[string]struct {
	do   func(reply map[string]any)
	want string
} {
	hits := func(r map[string]any) map[string]any { return r["hits"].(map[string]any) }
	type damage = struct {
		do   func(reply map[string]any)
		want string
	}
	return map[string]damage{
		"a shard failed":     {func(r map[string]any) { r["_shards"] = map[string]int{"total": 1, "successful": 1, "failed": 1} }, "1 of 1 answered, 1 failed"},
		"no shard is there":  {func(r map[string]any) { r["_shards"] = map[string]int{} }, "0 of 0 answered"},
		"a shard is missing": {func(r map[string]any) { r["_shards"] = map[string]int{"total": 1} }, "0 of 1 answered"},
		"nothing of shards":  {func(r map[string]any) { delete(r, "_shards") }, "malformed reply"},
		"timed out":          {func(r map[string]any) { r["timed_out"] = true }, "timed_out"},
		"nothing of time":    {func(r map[string]any) { delete(r, "timed_out") }, "malformed reply"},
		"ended early": {func(r map[string]any) {
			r["terminated_early"] = true
			hits(r)["hits"] = hits(r)["hits"].([]any)[:0]
		}, "terminated_early"},
		"hits are lost": {func(r map[string]any) { hits(r)["hits"] = []any{} }, "hold"},
	}
}

func TestAPageThatIsNotCompleteIsAskedForAgain(t *testing.T) {
	for name, d := range damages() {
		for _, pit := range engines {
			for _, at := range []int{0, 3, 5} { // 5: the last one
				s := newShelf(35, 1, pit)
				s.page = func(n int, reply map[string]any) {
					if n == at && (n < 5 || name != "hits are lost") {
						d.do(reply)
					}
				}
				got, err := list(t, to(cluster(t, s.ServeHTTP)), "logs")
				if diff := cmp.Diff(s.want(), got); err != nil || diff != "" {
					t.Errorf("%s, page %d, %q: %v (-want +got):\n%s", name, at, pit, err, diff)
				}
			}
		}
	}
}

func TestAPageThatIsNeverCompleteIsAnErrorThatNamesTheShard(t *testing.T) {
	for name, d := range damages() {
		for _, pit := range engines {
			s := newShelf(35, 1, pit)
			s.page = func(n int, reply map[string]any) {
				if n >= 2 {
					d.do(reply)
				}
			}
			cfg := to(cluster(t, s.ServeHTTP))
			cfg.Retry = 1
			got, err := list(t, cfg, "logs")
			if err == nil || !strings.Contains(err.Error(), d.want) || !strings.Contains(err.Error(), "index logs, shard 0") {
				t.Errorf("%s, %q: got %d documents and %v, want an error with %q", name, pit, len(got), err, d.want)
			}
		}
	}
}

func TestAScrollsPageIsNeverAskedForTwice(t *testing.T) {
	for _, status := range []int{500, 503, 429} {
		s := newShelf(35, 1, "")
		s.refuse = func(n int) (int, string) {
			if n == 2 {
				return status, "{}" // the scroll has moved on
			}
			return 0, ""
		}
		got, err := list(t, to(cluster(t, s.ServeHTTP)), "logs")
		if diff := cmp.Diff(s.want(), got); err != nil || diff != "" || s.pages != 3+6 {
			t.Errorf("%d: %v, %d pages, want 3 and all 6 from the beginning (-want +got):\n%s", status, err, s.pages, diff)
		}
	}
}

func TestAContextThatIsLostIsOpenedAnew(t *testing.T) {
	for _, pit := range engines {
		s := newShelf(35, 1, pit)
		s.page = func(n int, _ map[string]any) {
			if n == 2 {
				clear(s.open)
			}
		}
		got, err := list(t, to(cluster(t, s.ServeHTTP)), "logs")
		if diff := cmp.Diff(s.want(), got); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", pit, err, diff)
		}
		s.page = func(n int, _ map[string]any) {
			if n%4 == 2 {
				clear(s.open)
			}
		}
		if _, err := list(t, to(cluster(t, s.ServeHTTP)), "logs"); err == nil || !strings.Contains(err.Error(), "begun again 3 times") {
			t.Errorf("%q: got %v, want an error when every context is lost", pit, err)
		}
	}
}

func TestFullPagesOfAScrollMayEndEarly(t *testing.T) {
	s := newShelf(38, 1, "")
	s.page = func(n int, reply map[string]any) { reply["terminated_early"] = 0 < n && n < 5 }
	got, err := list(t, to(cluster(t, s.ServeHTTP)), "logs")
	if diff := cmp.Diff(s.want(), got); err != nil || diff != "" || s.pages != 7 {
		t.Errorf("%v, %d pages, want 7 (-want +got):\n%s", err, s.pages, diff)
	}
}

func TestTheNewestNameOfAContextIsUsed(t *testing.T) {
	for _, pit := range engines {
		s := newShelf(35, 1, pit)
		s.page = func(n int, reply map[string]any) {
			for _, key := range []string{"pit_id", "_scroll_id"} {
				if old, ok := reply[key].(string); ok {
					fresh := fmt.Sprintf("%s-%d", old, n)
					s.open[fresh] = s.open[old]
					delete(s.open, old)
					reply[key] = fresh
				}
			}
		}
		got, err := list(t, to(cluster(t, s.ServeHTTP)), "logs")
		if diff := cmp.Diff(s.want(), got); err != nil || diff != "" || s.pages != 6 {
			t.Errorf("%q: %v, %d pages (-want +got):\n%s", pit, err, s.pages, diff)
		}
	}
}

func TestAnIndexThatIsReplacedWhileItIsListedIsAnError(t *testing.T) {
	s := newShelf(10, 1, "/_pit")
	s.settings = func(n int, settings map[string]any) bool {
		settings["index.uuid"] = strconv.Itoa(n)
		return true
	}
	if _, err := list(t, to(cluster(t, s.ServeHTTP)), "logs"); err == nil || !strings.Contains(err.Error(), "created again") {
		t.Errorf("got %v, want an error", err)
	}
	s = newShelf(10, 1, "/_pit")
	s.settings = func(n int, _ map[string]any) bool { return n == 0 }
	if _, err := list(t, to(cluster(t, s.ServeHTTP)), "logs"); !search.NotFound(err) {
		t.Errorf("got %v, want that it was not found", err)
	}
}

func TestAnErrorOfTheCallerEndsTheListing(t *testing.T) {
	s := newShelf(35, 3, "/_pit")
	c := client(t, to(cluster(t, s.ServeHTTP)))
	found, err := c.Indices(t.Context(), []string{"logs"})
	if err != nil {
		t.Fatal(err)
	}
	enough, calls := errors.New("enough"), 0
	err = c.IDs(t.Context(), found[0], func([]byte, []byte, int64) error { calls++; return enough })
	if !errors.Is(err, enough) || calls != 1 || len(s.open) != 0 {
		t.Errorf("got %v after %d calls with %d open contexts, want %v after one, and none", err, calls, len(s.open), enough)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	err = c.IDs(ctx, found[0], func([]byte, []byte, int64) error { cancel(enough); return nil })
	if !errors.Is(err, enough) {
		t.Errorf("got %v, want the cause of the end of the context", err)
	}
}

// A real index of several pages a shard, by points in time and by scrolls, with
// faults on the way.
func TestARealIndexIsListed(t *testing.T) {
	real := servers.Search(t)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	index := fmt.Sprintf("internal-search-%08x", rand.Uint32())
	call := func(method, path, body string) {
		t.Helper()
		req, err := http.NewRequest(method, real.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if text, _ := io.ReadAll(resp.Body); resp.StatusCode > 299 || strings.Contains(string(text), `"errors":true`) {
			t.Fatalf("%s %s: %d %.300s", method, path, resp.StatusCode, text)
		}
	}
	t.Cleanup(func() { call("DELETE", "/"+index, "") })
	call("PUT", "/"+index, `{"settings":{"number_of_shards":3,"number_of_replicas":0,"max_result_window":300}}`)
	var want []listed
	var bulk strings.Builder
	for n := range 2000 {
		d := listed{ID: id(n), Version: 1<<44 + int64(n)}
		routing := ""
		if n%3 == 0 {
			d.Routing = fmt.Sprintf(`r "%d`, n)
			routing = fmt.Sprintf(`"routing":%q,`, d.Routing)
		}
		fmt.Fprintf(&bulk, `{"index":{%s"_id":%q,"version":%d,"version_type":"external_gte"}}`+"\n{\"n\":%d}\n", routing, d.ID, d.Version, n)
		if n%10 == 0 {
			fmt.Fprintf(&bulk, `{"delete":{%s"_id":%q,"version":%d,"version_type":"external_gte"}}`+"\n", routing, d.ID, d.Version+1)
			continue
		}
		want = append(want, d)
	}
	slices.SortFunc(want, func(a, b listed) int { return strings.Compare(a.ID, b.ID) })
	call("POST", "/"+index+"/_bulk?refresh=true", bulk.String())

	noPIT := &faultproxy.Rule{Method: "POST", Status: 400, Times: -1, Match: func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/point_in_time") || strings.HasSuffix(r.URL.Path, "/_pit")
	}}
	for name, rules := range map[string][]*faultproxy.Rule{
		"undisturbed":           nil,
		"a page is cut":         {{Method: "POST", Path: "/_search", Skip: 4, CutAfter: 5000}},
		"a page is late":        {{Method: "POST", Path: "/_search", Skip: 5, Late: true, Status: 504, Times: 2}},
		"by scroll":             {noPIT},
		"a scroll page is cut":  {noPIT, {Path: "/_search/scroll", Skip: 2, CutAfter: 3000}},
		"a scroll page is lost": {noPIT, {Path: "/_search/scroll", Skip: 2, Late: true, Cut: true}},
	} {
		p := faultproxy.New(t, real.URL)
		for _, r := range rules {
			p.Add(r)
		}
		got, err := list(t, to(p.URL), index)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%.2000s", name, err, diff)
		}
		noPIT = &faultproxy.Rule{Method: noPIT.Method, Status: noPIT.Status, Times: -1, Match: noPIT.Match}
	}
}
