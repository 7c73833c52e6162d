package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"sluice/internal/kind"
	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sources/s3"
	"sluice/test/faultproxy"
)

// daily is a pipeline whose passes take what is new in a bucket.
type daily struct {
	config s3.Config
	env    kind.Env
	store  *pipelinetest.Store
	world  *pipelinetest.World
	giveUp bool
	stages []pipeline.Stage
	source pipeline.Source // nil: a new one for each run

	mu    sync.Mutex
	taken []string // in this pass: key=content
}

func newDaily(c s3.Config) *daily {
	w := &pipelinetest.World{}
	return &daily{config: c, env: kind.Env{New: true}, world: w, store: &pipelinetest.Store{World: w}}
}

// run makes one run.
func (d *daily) run(t *testing.T) (pipeline.Result, error) {
	t.Helper()
	src := d.source
	if src == nil {
		var err error
		if src, err = d.config.Build(d.env); err != nil {
			t.Fatal(err)
		}
	}
	d.taken = nil
	p := &pipeline.Pipeline{Name: "daily", Source: src, Sink: d, Store: d.store, New: d.env.New, GiveUp: d.giveUp, Lanes: 3, Stages: d.stages,
		Dead: &pipelinetest.Letters{World: &pipelinetest.World{}, Durable: map[string]string{}}}
	return p.Run(t.Context())
}

// pass makes a pass, and compares what it took with what is wanted.
func (d *daily) pass(t *testing.T, want ...string) pipeline.Result {
	t.Helper()
	res, err := d.run(t)
	slices.Sort(d.taken)
	slices.Sort(want)
	if err != nil || !res.Complete || !slices.Equal(d.taken, want) {
		t.Fatalf("took %q, complete %v, %v; want %q", d.taken, res.Complete, err, want)
	}
	return res
}

func (d *daily) known() map[string]string {
	known := map[string]string{}
	d.store.Range("source.known", "", func(k string, v []byte) error { known[k] = string(v); return nil })
	return known
}

// rows is the number of rows in a bucket of the state.
func (d *daily) rows(bucket string) (n int) {
	d.store.Range(bucket, "", func(string, []byte) error { n++; return nil })
	return n
}

func (d *daily) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return d, nil }
func (d *daily) Finish(context.Context) error                                  { return nil }
func (d *daily) Close() error                                                  { return nil }

func (d *daily) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		body, err := it.Body.Open(ctx)
		var content []byte
		if err == nil {
			content, err = io.ReadAll(body)
			body.Close()
		}
		if errors.Is(err, pipeline.ErrGone) {
			err = it.GiveUp(ctx, err)
		} else if err == nil {
			d.mu.Lock()
			d.taken = append(d.taken, it.Key+"="+string(content))
			d.mu.Unlock()
		}
		it.Release()
		if err == nil {
			err = it.Done()
		}
		if err != nil {
			return err
		}
	}
}

func TestANewObjectIsTakenOnceWhateverItsNameAndTime(t *testing.T) {
	b := objectstest.New(t)
	d := newDaily(s3.Config{Config: b.Config("")})
	d.pass(t)
	for _, k := range []string{"b", "d", "x/1", "é +%"} {
		b.Put(k, []byte("1"))
	}
	d.pass(t, "b=1", "d=1", "x/1=1", "é +%=1")
	if res := d.pass(t); res.Counts.Skipped != 4 {
		t.Errorf("%d objects were skipped, want the 4 that are known", res.Counts.Skipped)
	}
	b.Put("a", []byte("2")) // before all others
	b.Put("d", []byte("2"))
	b.Put("x/0", []byte("2"))
	d.pass(t, "a=2", "d=2", "x/0=2")
	b.Delete("b")
	d.pass(t)
	d.pass(t)
	want := []string{"a", "d", "x/0", "x/1", "é +%"}
	if got := slices.Sorted(maps.Keys(d.known())); !slices.Equal(got, want) {
		t.Errorf("remembered are %q, want %q", got, want)
	}
	b.Put("b", []byte("1"))
	d.pass(t, "b=1")
}

func TestTheFirstPassMayTakeNothing(t *testing.T) {
	b := objectstest.New(t)
	b.Put("old", []byte("1"))
	c := s3.Config{Config: b.Config(""), Start: "now"}
	d := newDaily(c)
	d.pass(t)
	b.Put("new", []byte("1"))
	b.Put("old2", []byte("1"))
	d.pass(t, "new=1", "old2=1")
}

func TestWhatAFirstPassDoesNotTakeIsNotCounted(t *testing.T) {
	b := objectstest.New(t)
	b.Put("old", []byte("1"))
	for start, want := range map[string]int64{"now": 0, "all": 1} {
		p := &pipeline.Pass{Number: 1, Parallel: 1, Store: &pipelinetest.Store{World: &pipelinetest.World{}}}
		cfg := s3.Config{Config: b.Config(""), Start: start}
		source, err := cfg.Build(kind.Env{New: true})
		if err != nil {
			t.Fatal(err)
		}
		r, err := source.Open(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		lanes, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n, _, ok, err := r.(pipeline.Counter).Count(t.Context(), lanes[0], pipeline.Position{})
		if err != nil || n != want || ok != (want > 0) {
			t.Errorf("start: %s: got %d objects, %t, %v, want %d", start, n, ok, err, want)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestAnObjectThatCannotBeHadIsTakenByALaterPass: nothing remembers it.
func TestAnObjectThatCannotBeHadIsTakenByALaterPass(t *testing.T) {
	b := objectstest.New(t)
	for _, k := range []string{"a", "b", "c"} {
		b.Put(k, []byte("1"))
	}
	proxy := faultproxy.New(t, b.Store.Endpoint)
	for range 2 {
		proxy.Add(&faultproxy.Rule{Match: func(r *http.Request) bool {
			return r.Method == "GET" && strings.HasSuffix(r.URL.Path, "/b") && !strings.Contains(r.URL.RawQuery, "list")
		}, Status: 404, Body: "<Error><Code>NoSuchKey</Code></Error>"})
	}
	d := newDaily(s3.Config{Config: b.Config(proxy.URL)})
	if _, err := d.run(t); err == nil || !strings.Contains(err.Error(), "vanished") {
		t.Fatalf("got %v, want the error that b vanished", err)
	}
	d.giveUp = true
	d.run(t)
	if _, known := d.known()["b"]; known {
		t.Errorf("b is remembered, though nobody had it")
	}
	d.pass(t, "b=1")
}

// TestALaneGoesOnInTheMiddleOfANewObject stops a run inside an object.
func TestALaneGoesOnInTheMiddleOfANewObject(t *testing.T) {
	b := objectstest.New(t)
	var lines strings.Builder
	for i := range 40 {
		fmt.Fprintf(&lines, "line %d\n", i)
	}
	b.Put("a", []byte("first\n"))
	b.Put("big", []byte(lines.String()))
	b.Put("c", []byte("last\n"))
	try := func(at int) int {
		d := newDaily(s3.Config{Config: b.Config("")})
		d.world.At = at
		d.stages = []pipeline.Stage{{Name: "lines", Transform: pipeline.Lines{Size: 50}}}
		all := map[string]bool{}
		for complete := false; !complete; d.world.Restart() {
			res, err := d.run(t)
			if (err == nil) != res.Complete {
				t.Fatalf("crash at %d: complete %v, %v", at, res.Complete, err)
			}
			for _, s := range d.taken {
				k, content, _ := strings.Cut(s, "=")
				for line := range strings.Lines(content) {
					all[k+" "+line] = true
				}
			}
			complete = res.Complete
		}
		if known := d.known(); len(all) != 42 || len(known) != 3 {
			t.Errorf("crash at %d: %d lines, %d objects are remembered, want 42 and 3", at, len(all), len(known))
		}
		ops := d.world.Ops()
		d.world.At = 0
		d.pass(t)
		return ops
	}
	for at := range try(0) {
		try(at + 1)
	}
}
