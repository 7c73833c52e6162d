package s3_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"sluice/internal/kind"
	"sluice/internal/objects/objectstest"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	sinks3 "sluice/sinks/s3"
	"sluice/test/faultproxy"
)

// mirror is a pipeline that mirrors a bucket into another, below m/.
type mirror struct {
	from, to *objectstest.Bucket
	in, out  *faultproxy.Proxy
	store    *pipelinetest.Store
	options  sinks3.Config
	env      kind.Env
	want     map[string]string // at the source
}

func newMirror(t *testing.T) *mirror {
	m := &mirror{from: objectstest.New(t), to: objectstest.New(t), store: &pipelinetest.Store{World: &pipelinetest.World{}}, want: map[string]string{}}
	m.in, m.out = faultproxy.New(t, m.from.Store.Endpoint), faultproxy.New(t, m.to.Store.Endpoint)
	m.options = sinks3.Config{Config: m.to.Config(m.out.URL), Key: "m/{key}", Part: 5 << 20, Overwrite: "own"}
	m.options.Mirror, m.options.MaxDelete = true, unit.Percent(50)
	return m
}

// put changes the source, many at a time.
func (m *mirror) put(t *testing.T, files map[string]string) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(16)
	for key, content := range files {
		m.want[key] = content
		g.Go(func() error { m.from.Put(key, []byte(content)); return nil })
	}
	g.Wait()
}

func (m *mirror) delete(keys ...string) {
	for _, key := range keys {
		m.from.Delete(key)
		delete(m.want, key)
	}
}

func (m *mirror) run(t *testing.T) (pipeline.Result, error) {
	t.Helper()
	if p := m.options.Problems(m.env); len(p) > 0 {
		t.Fatal(p)
	}
	dst, err := m.options.Build(m.env)
	if err != nil {
		t.Fatal(err)
	}
	m.in.Clear()
	m.out.Clear()
	p := &pipeline.Pipeline{Name: "mirror", Log: slog.New(slog.DiscardHandler), Source: source(t, m.from, m.in.URL), Sink: dst, Lanes: 2, Store: m.store}
	return p.Run(t.Context())
}

func (m *mirror) must(t *testing.T) pipeline.Counts {
	t.Helper()
	res, err := m.run(t)
	if err != nil || !res.Complete {
		t.Fatalf("got %+v, %v, want a complete pass", res, err)
	}
	return res.Counts
}

// same compares the target with the source, and with what else is to be there.
func (m *mirror) same(t *testing.T, what string, more map[string]string) {
	t.Helper()
	want := maps.Clone(more)
	if want == nil {
		want = map[string]string{}
	}
	for key, content := range m.want {
		want["m/"+key] = content
	}
	if diff := cmp.Diff(want, m.to.Objects()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestABucketBecomesWhatAnotherIs(t *testing.T) {
	m := newMirror(t)
	foreign := map[string]string{"m/theirs": "x", "other/key": "y", "m.txt": "z"}
	for key, content := range foreign {
		m.to.Put(key, []byte(content))
	}
	large := strings.Repeat("0123456789abcdef", 400_000) // uploaded in parts, if it is not copied
	m.put(t, map[string]string{"a": "1", "a-b/c": "2", "b/c +%é/d": "3", "e": "", "large": large})
	if c := m.must(t); c.ObjectsWritten != 5 {
		t.Errorf("first pass: got %+v, want 5 written", c)
	}
	m.same(t, "first pass", foreign)

	if c := m.must(t); c.Skipped != 5 || c.ObjectsWritten+c.ObjectsRead+c.Deleted != 0 {
		t.Errorf("nothing new: got %+v, want 5 skipped", c)
	}
	for _, what := range []string{"GET /" + m.from.Name + "/", "PUT", "DELETE", "POST"} {
		if got := append(m.in.Requests(what), m.out.Requests(what)...); len(got) > 0 {
			t.Errorf("nothing new: %d requests, as %s", len(got), got[0])
		}
	}
	if got := m.out.Requests("HEAD", "/m/"); len(got) > 0 {
		t.Errorf("nothing new: got %q", got)
	}

	m.put(t, map[string]string{"a": "changed", "new": "n"})
	m.delete("b/c +%é/d", "e")
	m.to.Delete("m/large")                  // by somebody
	m.to.Put("m/a-b/c", []byte("tampered")) // our metadata is gone with it
	_, err := m.run(t)
	if err == nil || !strings.Contains(err.Error(), "/m/a-b/c exists and was not written by pipeline mirror") {
		t.Errorf("an object of ours that is another's by now: got %v, want that it is not replaced", err)
	}
	m.to.Delete("m/a-b/c")
	if c := m.must(t); c.Deleted != 2 {
		t.Errorf("second pass: got %+v, want 2 deleted", c)
	}
	m.same(t, "second pass", foreign)
}

func TestAMirrorSurvivesABadNetwork(t *testing.T) {
	m := newMirror(t)
	files := map[string]string{}
	for i := range 30 {
		files[fmt.Sprintf("%02d", i)] = fmt.Sprint(i)
	}
	m.put(t, files)
	m.must(t)
	m.put(t, map[string]string{"05": "changed", "n": "new"})
	m.delete("00", "11", "22", "29")
	dst, err := m.options.Build(m.env)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		m.in.Add(&faultproxy.Rule{Skip: 3 * i, Status: 503})
		m.out.Add(&faultproxy.Rule{Skip: 4 * i, Cut: true})
		m.out.Add(&faultproxy.Rule{Skip: i, Method: "PUT", Late: true, Status: 504})
		m.out.Add(&faultproxy.Rule{Skip: i, Method: "DELETE", Late: true, Cut: true})
	}
	p := &pipeline.Pipeline{Name: "mirror", Log: slog.New(slog.DiscardHandler), Source: source(t, m.from, m.in.URL), Sink: dst, Lanes: 2, Store: m.store}
	if res, err := p.Run(context.Background()); err != nil || !res.Complete {
		t.Fatalf("got %+v, %v", res, err)
	}
	m.same(t, "target", nil)
}

// TestACrashOfAMirrorAnywhereLosesNothing crashes at each Put of the state.
func TestACrashOfAMirrorAnywhereLosesNothing(t *testing.T) {
	m := newMirror(t)
	m.put(t, map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"})
	m.must(t)
	for at := 1; ; at++ {
		m.put(t, map[string]string{"b": fmt.Sprint("changed ", at), "n": fmt.Sprint("new ", at)})
		m.delete(fmt.Sprintf("gone-%d", at-1))
		m.put(t, map[string]string{fmt.Sprintf("gone-%d", at): "x"})
		m.store.World.At = m.store.World.Ops() + at
		_, err := m.run(t)
		m.store.World.At = 0
		m.store.World.Restart()
		if err == nil {
			if at < 8 {
				t.Errorf("a pass puts %d times, want more", at)
			}
			return
		}
		m.must(t)
		m.same(t, fmt.Sprint("crash at ", at), nil)
	}
}

// TestAnObjectThatIsReplacedBeforeItIsDeletedStays: somebody puts another one
// between the listing of the target and the deletion.
func TestAnObjectThatIsReplacedBeforeItIsDeletedStays(t *testing.T) {
	m := newMirror(t)
	m.put(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	m.must(t)
	m.delete("b")
	rule := &faultproxy.Rule{Path: "/m/b", Do: func() { m.to.Put("m/b", []byte("just put")) }}
	m.out.Add(rule)
	dst, err := m.options.Build(m.env)
	if err != nil {
		t.Fatal(err)
	}
	p := &pipeline.Pipeline{Name: "mirror", Log: slog.New(slog.DiscardHandler), Source: source(t, m.from, m.in.URL), Sink: dst, Lanes: 2, Store: m.store}
	res, err := p.Run(t.Context())
	if err != nil || !res.Complete || res.Counts.Deleted != 0 || rule.Hits() == 0 {
		t.Errorf("got %+v, %v, want nothing deleted", res, err)
	}
	m.same(t, "target", map[string]string{"m/b": "just put"})
}

func TestADryRunOfAMirrorWritesNothing(t *testing.T) {
	m := newMirror(t)
	m.put(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	m.must(t)
	m.put(t, map[string]string{"b": "changed"})
	m.delete("c")
	said := map[string]int{}
	all := make(chan string, 100)
	m.env.DryRun = func(c kind.Change) { all <- string(c.What) + " " + strings.TrimPrefix(c.Name, m.to.Name+"/") }
	m.must(t)
	close(all)
	for s := range all {
		said[s]++
	}
	if diff := cmp.Diff(map[string]int{"same m/a": 1, "changed m/b": 1, "gone m/c": 1}, said); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, method := range []string{"PUT", "POST", "DELETE"} {
		if got := m.out.Requests(method); len(got) > 0 {
			t.Errorf("got %q", got)
		}
	}
}
