package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice/internal/check"
	"sluice/internal/kind"
	"sluice/internal/objects"
	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sources/s3"
	"sluice/test/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func build(t *testing.T, cfg objects.Config) pipeline.Source {
	t.Helper()
	return buildWith(t, s3.Config{Config: cfg})
}

// buildWith builds a source that reads ahead, if it is not said how far.
func buildWith(t *testing.T, cfg s3.Config) pipeline.Source {
	t.Helper()
	if cfg.ReadAhead == 0 {
		cfg.ReadAhead = 4 << 20
	}
	src, err := cfg.Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// fill puts some objects, of lines and of none.
func fill(b *objectstest.Bucket) map[string]string {
	want := map[string]string{}
	for i := range 12 {
		want[fmt.Sprintf("logs/%02d", i)] = strings.Repeat(fmt.Sprintf("line of %d\n", i), i*i*20)
	}
	for _, k := range []string{"logs/a b+c%20", "logs/é", "logs/q\"&<>'", "logs/sub/x"} {
		want[k] = k + "\n"
	}
	for k, v := range want {
		b.Put(k, []byte(v))
	}
	b.Put("other", []byte("not under the prefix\n"))
	return want
}

func TestSuite(t *testing.T) {
	b := objectstest.New(t)
	fill(b)
	b.Put("logs/dir/", nil)
	b.Put("logs/left/out", []byte("x\n"))
	cfg := s3.Config{Config: b.Config(""), Filter: s3.Filter{Exclude: []string{"left/*"}}}
	cfg.Prefix = "logs/"
	pipelinetest.TestSource(t, pipelinetest.SourceCase{
		Open: func(t *testing.T) pipeline.Source { return buildWith(t, cfg) }, Parallel: 3, Positions: 3,
	})
}

// collect is a sink that keeps the bytes of items by key, twice what comes twice.
type collect struct {
	objects map[string]string
	order   []string
}

func (c *collect) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return c, nil }
func (c *collect) Finish(context.Context) error                                  { return nil }
func (c *collect) Close() error                                                  { return nil }

func (c *collect) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
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
			c.objects[it.Key] += string(content)
			c.order = append(c.order, it.Key)
		}
		if err == nil {
			err = it.Done()
		}
		if err != nil {
			return err
		}
	}
}

// run runs one lane into a map.
func run(t *testing.T, cfg objects.Config, giveUp bool) (*collect, pipeline.Result, error) {
	t.Helper()
	sink := &collect{objects: map[string]string{}}
	p := &pipeline.Pipeline{
		Name: "t", Source: build(t, cfg), Sink: sink, Store: &pipelinetest.Store{World: &pipelinetest.World{}},
		Dead: &pipelinetest.Letters{World: &pipelinetest.World{}, Durable: map[string]string{}}, GiveUp: giveUp, Lanes: 1,
	}
	res, err := p.Run(t.Context())
	return sink, res, err
}

func TestAllObjectsUnderThePrefixAreReadInOrder(t *testing.T) {
	b := objectstest.New(t)
	want := fill(b)
	b.Put("logs/dir/", nil)
	cfg := b.Config("")
	cfg.Prefix = "logs/"
	sink, res, err := run(t, cfg, false)
	if diff := cmp.Diff(want, sink.objects); diff != "" || err != nil || !res.Complete {
		t.Errorf("complete %v, %v (-want +got):\n%s", res.Complete, err, diff)
	}
	if !slices.IsSorted(sink.order) {
		t.Errorf("got order %q", sink.order)
	}
	if c := res.Counts; c.Skipped != 1 || c.ObjectsRead != int64(len(want)) {
		t.Errorf("got %d skipped, %d read, want the directory marker and %d", c.Skipped, c.ObjectsRead, len(want))
	}
}

func TestEachKeyIsInOneLane(t *testing.T) {
	b := objectstest.New(t)
	want := slices.Sorted(maps.Keys(fill(b)))
	cfg := b.Config("")
	cfg.Prefix = "logs/"
	lanes := lanesOf(t, build(t, cfg), 3)
	if len(lanes) != 3 {
		t.Fatalf("got %d lanes, want 3", len(lanes))
	}
	var got []string
	for i, items := range lanes {
		if len(items) == 0 {
			t.Errorf("lane %d has nothing of %d keys", i, len(want))
		}
		for _, it := range items {
			got = append(got, it.Key)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// lanesOf gives the items of each lane of a pass, unopened.
func lanesOf(t *testing.T, source pipeline.Source, parallel int) (lanes [][]*pipeline.Item) {
	t.Helper()
	r, err := source.Open(t.Context(), &pipeline.Pass{Pipeline: "t", Parallel: parallel})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	plan, err := r.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, lane := range plan {
		out := make(chan *pipeline.Item, 1000)
		if err := r.Read(t.Context(), lane, pipeline.Position{}, out); err != nil {
			t.Fatal(err)
		}
		close(out)
		var items []*pipeline.Item
		for it := range out {
			items = append(items, it)
		}
		lanes = append(lanes, items)
	}
	return lanes
}

func TestAnObjectThatVanishesAfterItWasListedIsReported(t *testing.T) {
	b := objectstest.New(t)
	want := fill(b)
	p := faultproxy.New(t, b.Store.Endpoint)
	cfg := b.Config(p.URL)
	cfg.Prefix = "logs/"
	vanish := &faultproxy.Rule{Method: "GET", Path: "logs/00", Do: func() { b.Delete("logs/05") }}
	p.Add(vanish)
	_, res, err := run(t, cfg, false)
	if err == nil || res.Complete || !strings.Contains(err.Error(), b.Name+"/logs/05: vanished") {
		t.Errorf("stop: got complete %v, %v, want an error that names the object", res.Complete, err)
	}
	b.Put("logs/05", []byte(want["logs/05"]))
	p.Clear()
	p.Add(&faultproxy.Rule{Method: "GET", Path: "logs/00", Do: func() { b.Delete("logs/05") }})
	sink, res, err := run(t, cfg, true)
	delete(want, "logs/05")
	if diff := cmp.Diff(want, sink.objects); diff != "" || err != nil || !res.Complete || res.Counts.GivenUp != 1 {
		t.Errorf("dead letter: complete %v, %d given up, %v (-want +got):\n%s", res.Complete, res.Counts.GivenUp, err, diff)
	}
}

func TestABadNetworkChangesNothing(t *testing.T) {
	b := objectstest.New(t)
	want := fill(b)
	p := faultproxy.New(t, b.Store.Endpoint)
	cfg := b.Config(p.URL)
	cfg.Prefix = "logs/"
	p.Add(&faultproxy.Rule{Query: "list-type", Status: 503, Body: "<Error><Code>SlowDown</Code></Error>"})
	p.Add(&faultproxy.Rule{Query: "list-type", CutAfter: 500})
	for _, at := range []int64{1, 1000, 20_000} {
		p.Add(&faultproxy.Rule{Path: "/logs/11", CutAfter: at})
		p.Add(&faultproxy.Rule{Path: "/logs/0", Skip: 3, CutAfter: at})
	}
	p.Add(&faultproxy.Rule{Path: "/logs/", Late: true, Status: 504})
	sink, res, err := run(t, cfg, false)
	if diff := cmp.Diff(want, sink.objects); diff != "" || err != nil || !res.Complete {
		t.Errorf("complete %v, %v (-want +got):\n%s", res.Complete, err, diff)
	}
}

func TestAnObjectThatNeverBecomesReadableIsReported(t *testing.T) {
	b := objectstest.New(t)
	fill(b)
	p := faultproxy.New(t, b.Store.Endpoint)
	cfg := b.Config(p.URL)
	cfg.Retry /= 20
	p.Add(&faultproxy.Rule{Path: "/logs/07", Status: 500, Times: -1})
	_, res, err := run(t, cfg, false)
	if err == nil || res.Complete || !strings.Contains(err.Error(), b.Name+"/logs/07: 500") {
		t.Errorf("got complete %v, %v, want an error that names the object", res.Complete, err)
	}
	if _, res, err = run(t, cfg, true); err != nil || !res.Complete || res.Counts.GivenUp != 1 {
		t.Errorf("dead letter: got complete %v, %d given up, %v, want one that was given up", res.Complete, res.Counts.GivenUp, err)
	}
}

// crashes runs s3 to lines to a sink that crashes at each of its operations,
// and goes on, until the pass is complete.
func TestACrashAtAnyOperationLosesNothing(t *testing.T) {
	b := objectstest.New(t)
	var want strings.Builder
	for i := range 3 {
		var body strings.Builder
		for j := range 40 {
			fmt.Fprintf(&body, "%d-%d %s\n", i, j, strings.Repeat("x", j))
		}
		b.Put(fmt.Sprint(i), []byte(body.String()))
		want.WriteString(body.String())
	}
	try := func(at int) (string, int) {
		world := &pipelinetest.World{At: at}
		store, sink := &pipelinetest.Store{World: world}, &pipelinetest.Sink{World: world, Roll: 3, Objects: map[string]string{}}
		for range 3 {
			p := &pipeline.Pipeline{Name: "t", Source: build(t, b.Config("")), Sink: sink, Store: store, Lanes: 1,
				Stages: []pipeline.Stage{{Name: "lines", Transform: pipeline.Lines{Size: 256}}}}
			res, err := p.Run(t.Context())
			if res.Complete && err == nil {
				break
			}
			if !errors.Is(err, pipelinetest.ErrCrash) {
				t.Fatalf("crash at %d: got %v", at, err)
			}
			world.Restart()
		}
		var got bytes.Buffer
		for i := range len(sink.Objects) {
			got.WriteString(sink.Objects[fmt.Sprintf("%s-0/%d", b.Name, i)])
		}
		return got.String(), world.Ops()
	}
	got, ops := try(0)
	if got != want.String() || ops < 10 {
		t.Fatalf("without a crash: %d operations, got %q", ops, got)
	}
	for at := 1; at <= ops; at++ {
		if got, _ := try(at); got != want.String() {
			t.Errorf("crash at %d: got %d bytes, want the %d", at, len(got), want.Len())
		}
	}
}

func TestALaneGoesOnInsideAnObject(t *testing.T) {
	b := objectstest.New(t)
	fill(b)
	cfg := b.Config("")
	cfg.Prefix = "logs/"
	r, err := build(t, cfg).Open(t.Context(), &pipeline.Pass{Pipeline: "t", Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	first := func(key string) string {
		out := make(chan *pipeline.Item, 100)
		from := pipeline.Position{Token: "logs/04", Inner: "10", Key: key, Version: "v"}
		if err := r.Read(t.Context(), pipeline.Lane{Spec: `{"Keys": "\"\" \"\""}`}, from, out); err != nil {
			t.Fatal(err)
		}
		return (<-out).Key + " " + (<-out).Key
	}
	b.Put("logs/045", []byte("new"))
	for key, want := range map[string]string{
		"logs/05":  "logs/05 logs/06", // what appeared before it waits for the next pass
		"logs/055": "logs/06 logs/07", // gone
	} {
		if got := first(key); got != want {
			t.Errorf("inside %s: got %s first, want %s", key, got, want)
		}
	}
}

func TestCheckSaysWhatIsThere(t *testing.T) {
	b := objectstest.New(t)
	fill(b)
	cfg := b.Config("")
	cfg.Prefix = "logs/"
	var rep check.Report
	err := build(t, cfg).(*s3.Source).Check(t.Context(), &rep)
	got := rep.Found
	if want := fmt.Sprintf("bucket %s: 16 objects with prefix \"logs/\"; ranges of keys: 4, for 4 lanes", b.Name); err != nil || len(got) != 4 || got[0] != want || !strings.HasPrefix(got[1], "store: other") {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	cfg.Bucket = "sluice-none"
	if err := build(t, cfg).(*s3.Source).Check(t.Context(), check.NewReport()); err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("got %v, want NoSuchBucket", err)
	}
	if _, err := build(t, cfg).Open(t.Context(), &pipeline.Pass{Parallel: 1}); err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("open: got %v, want NoSuchBucket", err)
	}
}
