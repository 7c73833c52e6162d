package generate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sources/generate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(n int64) *generate.Config {
	return &generate.Config{Records: n, Bytes: 700, Seed: 1, Index: "generated"}
}

func build(t testing.TB, c *generate.Config) pipeline.Source {
	t.Helper()
	if p := c.Problems(kind.Env{MaxRecord: 1 << 20}); len(p) > 0 {
		t.Fatalf("problems: %+v", p)
	}
	s, err := c.Build(kind.Env{Workers: 1})
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	return s
}

func TestSource(t *testing.T) {
	for _, parallel := range []int{1, 3} {
		t.Run(fmt.Sprint(parallel, " lanes"), func(t *testing.T) {
			pipelinetest.TestSource(t, pipelinetest.SourceCase{Parallel: parallel,
				Open: func(t *testing.T) pipeline.Source { return build(t, config(7000)) }})
		})
	}
}

func TestRecordsAreEnvelopesOfDocumentsOfTheSizeAskedFor(t *testing.T) {
	for _, size := range []int{generate.MinBytes, 700, 100_000} {
		for _, n := range []int64{0, 1, 2, 3, 41, 999_999, 999_999_999_998} {
			r := generate.Records{Index: "logs", Seed: 7, Bytes: size}
			line := r.Append([]byte("before"), n)[len("before"):]
			var got struct {
				Index  string          `json:"_index"`
				ID     string          `json:"_id"`
				Source json.RawMessage `json:"_source"`
			}
			d := json.NewDecoder(bytes.NewReader(line))
			d.DisallowUnknownFields()
			if err := d.Decode(&got); err != nil {
				t.Fatalf("%d of %d bytes: %v: %s", n, size, err, line)
			}
			if want := fmt.Sprintf("%012d", n); got.Index != "logs" || got.ID != want || len(got.Source) != size || len(line) != r.Len() {
				t.Errorf("index %s, id %s, %d bytes in a line of %d, want logs, %s, %d in %d", got.Index, got.ID, len(got.Source), len(line), want, size, r.Len())
			}
			if bytes.IndexByte(line, '\n') != len(line)-1 {
				t.Errorf("%d: not one line: %q", n, line)
			}
		}
	}
}

func TestDocumentsHaveWhatACopyMustNotChange(t *testing.T) {
	var all []byte
	r := generate.Records{Index: "logs", Seed: 1, Bytes: 700}
	for n := range int64(200) {
		all = r.Append(all, n)
	}
	for _, want := range []string{`"user":900`, `"weight":1.0`, `"load":0.10`, `\u2028`, `\"`, `→`, `é`, `\\data`, `"parent":null`} {
		if !bytes.Contains(all, []byte(want)) {
			t.Errorf("no %s in 200 documents", want)
		}
	}
}

func TestAnotherSeedGivesOtherDocuments(t *testing.T) {
	seen := map[string]bool{}
	for seed := range int64(10) {
		for n := range int64(100) {
			r := generate.Records{Index: "i", Seed: seed, Bytes: 700}
			_, doc, _ := strings.Cut(string(r.Append(nil, n)), "_source")
			seen[doc] = true
		}
	}
	if len(seen) != 1000 {
		t.Errorf("%d different documents, want 1000", len(seen))
	}
}

// TestRecordsStayTheSame pins the content: positions of older runs hold.
func TestRecordsStayTheSame(t *testing.T) {
	const want = `{"_index":"generated","_id":"000000000041","_source":{"@timestamp":"2026-01-01T00:00:05.617Z","level":"INFO","service":"mail","host":"node-53","trace":"e60bb9617aa6ed705f8f570b5d4e3726","user":9007248064788262,"status":400,"sent":387739,"seconds":8.615,"load":0.15,"weight":1.0,"retried":false,"parent":null,"message":"C:\\data\\spool full: key from retry timeout key retry by batch finished upstream queue while user depth miss session exceeded limit"}}` + "\n"
	got := string(generate.Records{Index: "generated", Seed: 1, Bytes: generate.MinBytes}.Append(nil, 41))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record 41 (-want +got):\n%s", diff)
	}
}

func TestLanesShareTheRecords(t *testing.T) {
	for _, c := range []struct {
		records  int64
		parallel int
		want     string
	}{
		{10, 1, "0-10"}, {10, 3, "0-4 4-7 7-10"}, {2, 4, "0-1 1-2"}, {1, 1, "0-1"}, {8, 0, "0-8"},
	} {
		r, err := build(t, config(c.records)).Open(t.Context(), &pipeline.Pass{Parallel: c.parallel})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var specs []string
		var records, size int64
		for i, l := range plan {
			specs = append(specs, l.Spec)
			records, size = records+l.Records, size+l.Bytes
			if l.Name != fmt.Sprint("generated-", i) || l.Part != i || l.Parts != len(plan) {
				t.Errorf("lane %d: %+v", i, l)
			}
		}
		one := generate.Records{Index: "generated", Bytes: 700}.Len()
		if got := strings.Join(specs, " "); got != c.want || records != c.records || size != c.records*int64(one) {
			t.Errorf("%d records in %d lanes: %s, %d records, %d bytes; want %s", c.records, c.parallel, got, records, size, c.want)
		}
	}
}

func TestALaneNeedsItsBlocksAndAllOfThemOneThatIsLarge(t *testing.T) {
	c := config(10)
	for size, want := range map[unit.Bytes]int64{700: 0, 4 << 20: 4 << 20} {
		c.Bytes = size
		s, _ := c.Build(kind.Env{})
		if got, shared := s.(pipeline.Sized).Need(); got > 3<<20 || shared < want || shared > want+1<<20 {
			t.Errorf("documents of %s: %d and %d bytes, want blocks and about %d", size, got, shared, want)
		}
	}
}

func TestPositionsOutsideTheLaneAreErrors(t *testing.T) {
	r, _ := build(t, config(10)).Open(t.Context(), &pipeline.Pass{Parallel: 1})
	for _, token := range []string{"11", "-1", "x", "999999999999999999999"} {
		if err := r.Read(t.Context(), pipeline.Lane{Spec: "0-10"}, pipeline.Position{Token: token}, nil); err == nil {
			t.Errorf("position %q: no error", token)
		}
	}
	if err := r.Read(t.Context(), pipeline.Lane{Spec: "ten"}, pipeline.Position{}, nil); err == nil {
		t.Error("plan \"ten\": no error")
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct {
		change func(*generate.Config)
		want   string
	}{
		{func(*generate.Config) {}, ""},
		{func(c *generate.Config) { c.Bytes = 399 }, "bytes"},
		{func(c *generate.Config) { c.Bytes = 1 << 20 }, "bytes"},
		{func(c *generate.Config) { c.Bytes = unit.Bytes(1) << 62 }, "bytes"},
		{func(c *generate.Config) { c.Index = "" }, "index"},
		{func(c *generate.Config) { c.Index = "-a" }, "index"},
		{func(c *generate.Config) { c.Index = "../a" }, "index"},
		{func(c *generate.Config) { c.Index = `a"` }, "index"},
		{func(c *generate.Config) { c.Index, c.Bytes = "A", 3 }, "bytes index"},
	} {
		cfg := config(10)
		c.change(cfg)
		var got []string
		for _, p := range cfg.Problems(kind.Env{MaxRecord: 1 << 20}) {
			got = append(got, p.Option)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%+v: problems with %q, want %q", cfg, s, c.want)
		}
	}
}

func TestIdentityNamesWhatRecordsDependOn(t *testing.T) {
	seen := map[string]bool{}
	for _, change := range []func(*generate.Config){func(*generate.Config) {}, func(c *generate.Config) { c.Records++ },
		func(c *generate.Config) { c.Bytes++ }, func(c *generate.Config) { c.Seed++ }, func(c *generate.Config) { c.Index = "x" }} {
		c := config(10)
		change(c)
		seen[c.Identity()] = true
		c.Rate = 5
		seen[c.Identity()] = true
	}
	if len(seen) != 5 {
		t.Errorf("identities: %q, want one of each but the rate", slices.Collect(maps.Keys(seen)))
	}
}

func TestRateIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config(6000)
		c.Rate = 100
		began := time.Now()
		res, err := run(t, c, &pipelinetest.World{}, map[string]string{})
		if took := time.Since(began); err != nil || !res.Complete || took < 59*time.Second || took > 62*time.Second {
			t.Errorf("%v, complete %v, took %s, want 1m", err, res.Complete, took)
		}
	})
}

func TestARateDoesNotHoldUpAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config(100_000)
		c.Rate = 1
		r, _ := build(t, c).Open(t.Context(), &pipeline.Pass{Parallel: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		err := r.Read(ctx, pipeline.Lane{Spec: "0-100000"}, pipeline.Position{}, make(chan *pipeline.Item))
		if took := time.Since(began); err == nil || took != 5*time.Second {
			t.Errorf("%v after %s, want an error after 5s", err, took)
		}
	})
}

func run(t *testing.T, c *generate.Config, w *pipelinetest.World, objects map[string]string) (pipeline.Result, error) {
	store := &pipelinetest.Store{World: w}
	return resume(t, c, w, store, objects)
}

func resume(t *testing.T, c *generate.Config, w *pipelinetest.World, store pipeline.Store, objects map[string]string) (pipeline.Result, error) {
	p := &pipeline.Pipeline{Source: build(t, c), Sink: &pipelinetest.Sink{World: w, Roll: 2, Objects: objects},
		Store: store, Lanes: 2, Depth: 1, Grace: time.Second}
	return p.Run(t.Context())
}

func TestACrashAnywhereChangesNothing(t *testing.T) {
	const n = 6_000
	want := map[string]string{}
	w := &pipelinetest.World{Mode: pipelinetest.Crash}
	synctest.Test(t, func(t *testing.T) {
		if res, err := run(t, config(n), w, want); err != nil || res.Counts.Written != n {
			t.Fatalf("%+v, %v", res, err)
		}
	})
	ids := map[string]bool{}
	for _, o := range want {
		for line := range strings.Lines(o) {
			ids[line[:50]] = true
		}
	}
	if len(ids) != n {
		t.Fatalf("%d records, want %d", len(ids), n)
	}
	for at := 1; at <= w.Ops(); at++ {
		synctest.Test(t, func(t *testing.T) {
			w, got := &pipelinetest.World{Mode: pipelinetest.Crash, At: at}, map[string]string{}
			store := &pipelinetest.Store{World: w}
			res, err := resume(t, config(n), w, store, got)
			if w.Restart(); err != nil {
				res, err = resume(t, config(n), w, store, got)
			}
			if err != nil || !res.Complete || !maps.Equal(got, want) {
				t.Fatalf("crash at %d: %v, %+v, %d objects, want the same %d", at, err, res.Counts, len(got), len(want))
			}
		})
	}
}

func TestRecordsCostNoAllocation(t *testing.T) {
	r := generate.Records{Index: "generated", Seed: 1, Bytes: 700}
	buf, n := make([]byte, 0, 2*r.Len()), int64(0)
	if got := testing.AllocsPerRun(1000, func() { n++; r.Append(buf, n) }); got != 0 {
		t.Errorf("%v allocations per record, want none", got)
	}
	if diff := cmp.Diff(string(r.Append(buf, 5)), string(r.Append(nil, 5))); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkAppend(b *testing.B) {
	r := generate.Records{Index: "generated", Seed: 1, Bytes: 700}
	buf := make([]byte, 0, 2*r.Len())
	b.SetBytes(int64(r.Len()))
	b.ReportAllocs()
	for n := int64(0); b.Loop(); n++ {
		io.Discard.Write(r.Append(buf, n))
	}
}

func BenchmarkRead(b *testing.B) {
	const n = 100_000
	s := &generate.Source{Records: generate.Records{Index: "generated", Seed: 1, Bytes: 700}, N: n}
	b.SetBytes(n * int64(s.Len()))
	b.ReportAllocs()
	for b.Loop() {
		r, _ := s.Open(b.Context(), &pipeline.Pass{})
		out := make(chan *pipeline.Item)
		go func() {
			defer close(out)
			r.Read(b.Context(), pipeline.Lane{Spec: fmt.Sprint("0-", n)}, pipeline.Position{}, out)
		}()
		for it := range out {
			it.Release()
		}
	}
}
