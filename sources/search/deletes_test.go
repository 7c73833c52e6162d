package search_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/test/faultproxy"
)

// held is what a target holds: "index/id/routing" to version.
type held struct {
	name string // of the only index; "": each has one of its own name
	docs map[string]int64
}

func (h held) Target(index string) string { return cmp.Or(h.name, index) }

func (h held) List(_ context.Context, index string, yield func(id, routing []byte, version int64) error) error {
	for key, version := range h.docs {
		part := strings.Split(key, "/")
		if part[0] != h.Target(index) {
			continue
		}
		if err := yield([]byte(part[1]), []byte(part[2]), version); err != nil {
			return err
		}
	}
	return nil
}

// catching is a stage that keeps the deletes that come by.
type catching struct {
	mu      *sync.Mutex
	deletes *[]string
}

func (c catching) Run(ctx context.Context, in <-chan *pipeline.Item, out chan<- *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		if it.Delete {
			c.mu.Lock()
			*c.deletes = append(*c.deletes, fmt.Sprintf("%s/%s/%s@%s", it.Meta.Index, it.Key, it.Meta.Tags["routing"], it.Version))
			c.mu.Unlock()
			it = &pipeline.Item{Pos: it.Pos, Notes: it.Notes}
		}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
}

// deletes moves a pass and gives the deletes in it.
func (j *job) deletes(t *testing.T, target held) (list []string) {
	t.Helper()
	j.reconciling(t, target)
	j.complete(t, pipeline.Stage{Name: "catch", Transform: catching{new(sync.Mutex), &list}})
	slices.Sort(list)
	return list
}

func (j *job) reconciling(t *testing.T, target held) {
	t.Helper()
	j.config.Deletes, j.config.ReconcileEvery = "reconcile", 0
	j.env.Target, j.env.Scratch = target, t.TempDir()
}

const ours = 1 << 44 // the lowest version that following writes

func TestWhatTheSourceNoLongerHasIsDeleted(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 2, "")
	i.fill(t, 1200, 50)
	i.call(t, "PUT", "/_doc/routed?routing=r&refresh=true", `{"n":1}`)
	i.put(t, "new", `{"n":2}`) // and searches do not see it
	target := held{docs: map[string]int64{
		i.name + "/new/": ours, i.name + "/routed/r": ours,
		i.name + "/foreign/": 3, "other/gone/": ours,
	}}
	for n := range 1300 {
		target.docs[fmt.Sprintf("%s/%d/", i.name, n)] = ours + int64(n)
	}
	var want []string
	for n := range 8 { // some in the shard of the one that is there
		target.docs[fmt.Sprintf("%s/routed/s%d", i.name, n)] = ours + 7
		want = append(want, fmt.Sprintf("%s/routed/s%d@%d", i.name, n, ours+7))
	}
	for n := 1200; n < 1300; n++ {
		want = append(want, fmt.Sprintf("%s/%d/@%d", i.name, n, ours+n))
	}
	slices.Sort(want)
	j := following(i.url, i)
	if diff := gocmp.Diff(want, j.deletes(t, target)); diff != "" {
		t.Errorf("deletes (-want +got):\n%s", diff)
	}
	j.config.ReconcileEvery = unit.Duration(1 << 60)
	var again []string
	j.complete(t, pipeline.Stage{Name: "catch", Transform: catching{new(sync.Mutex), &again}})
	if len(again) != 0 {
		t.Errorf("got deletes %v before the next comparison is due", again)
	}
}

// Several indices may be written into one: a document of any of them stays.
func TestATargetOfSeveralIndicesIsComparedWithAllOfThem(t *testing.T) {
	t.Parallel()
	a, b := newIndex(t, "-a", 1, ""), newIndex(t, "-b", 1, "")
	a.put(t, "a", `{}`)
	b.put(t, "b", `{}`)
	a.call(t, "POST", "/_refresh", "")
	b.call(t, "POST", "/_refresh", "")
	got := following(a.url, a, b).deletes(t, held{"all", map[string]int64{"all/a/": ours, "all/b/": ours, "all/c/": ours}})
	if want := []string{min(a.name, b.name) + "/c/@" + strconv.Itoa(ours)}; !slices.Equal(got, want) {
		t.Errorf("got deletes %v, want %v", got, want)
	}
}

func TestADocumentThatComesBackStays(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.put(t, "there", `{}`)
	p := faultproxy.New(t, i.url)
	back := p.Add(&faultproxy.Rule{Path: "/_mget", Do: func() { i.put(t, "back", `{}`) }})
	got := following(p.URL, i).deletes(t, held{docs: map[string]int64{i.name + "/back/": ours, i.name + "/gone/": ours}})
	if want := []string{i.name + "/gone/@" + strconv.Itoa(ours)}; !slices.Equal(got, want) || back.Hits() != 1 {
		t.Errorf("got deletes %v, want %v", got, want)
	}
}

// A get that fails is no proof that a document is gone.
func TestADocumentIsDeletedOnlyIfAGetSaysSo(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	target := held{docs: map[string]int64{i.name + "/gone/": ours}}
	for name, rule := range map[string]*faultproxy.Rule{
		"an error of one": {Status: 200, Body: `{"docs":[{"_id":"gone","error":{"type":"no_shard_available_action_exception","reason":"r"}}]}`},
		"another":         {Status: 200, Body: `{"docs":[{"_id":"other","found":false}]}`},
		"nothing said":    {Status: 200, Body: `{"docs":[{"_id":"gone"}]}`},
		"two answers":     {Status: 200, Body: `{"docs":[{"_id":"gone","found":false},{"_id":"gone","found":false}]}`},
		"504":             {Status: 504},
		"late 504":        {Status: 504, Late: true},
		"lost":            {Cut: true, Late: true},
		"cut":             {CutAfter: 20},
		"noise":           {Status: 200, Body: `<html>`},
	} {
		p := faultproxy.New(t, i.url)
		rule.Path, rule.Method, rule.Times = "/_mget", http.MethodPost, 2
		p.Add(rule)
		got := following(p.URL, i).deletes(t, target)
		if want := []string{i.name + "/gone/@" + strconv.Itoa(ours)}; !slices.Equal(got, want) || rule.Hits() != 2 {
			t.Errorf("%s: got deletes %v, want %v", name, got, want)
		}
	}
}

// The listing of the source must be complete, or nothing is deleted.
func TestAListingThatFailsDeletesNothing(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 10, 50)
	p := faultproxy.New(t, i.url)
	p.Add(&faultproxy.Rule{Times: -1, Match: func(r *http.Request) bool {
		return strings.Contains(r.URL.Path, "/_search") && r.URL.Query().Get("request_cache") == "" && r.URL.Path != "/"+i.name+"/_search"
	}, Status: 403, Body: `{"error":{"type":"security_exception","reason":"no permissions"},"status":403}`})
	j := following(p.URL, i)
	j.reconciling(t, held{docs: map[string]int64{i.name + "/gone/": ours}})
	var got []string
	res, err := j.run(t.Context(), t, pipeline.Stage{Name: "catch", Transform: catching{new(sync.Mutex), &got}})
	if err == nil || res.Complete || len(got) > 0 {
		t.Errorf("got %+v, %v and deletes %v, want an error and no delete", res, err, got)
	}
}
