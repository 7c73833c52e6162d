package transforms_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"runtime/debug"
	"testing"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/transforms"
)

// repeated is a body of a part, again and again.
type repeated struct {
	part []byte
	n    int
}

type repeatedReader struct {
	repeated
	rest []byte
}

func (b repeated) Open(context.Context) (io.ReadCloser, error) { return &repeatedReader{b, nil}, nil }
func (r *repeatedReader) Close() error                         { return nil }
func (r *repeatedReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.n == 0 {
			return 0, io.EOF
		}
		r.rest, r.n = r.part, r.n-1
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// watching is a sink that looks at the heap at each item.
type watching struct{ peak uint64 }

func (w *watching) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return w, nil }
func (w *watching) Close() error                                                  { return nil }
func (w *watching) Finish(context.Context) error                                  { return nil }
func (w *watching) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		r, err := it.Body.Open(ctx)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		w.peak = max(w.peak, inUse())
		if err := it.Done(); err != nil {
			return err
		}
	}
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMemoryDoesNotGrowWithTheObject(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // next to no garbage in what is measured
	part := records(9000)                            // about 1 MiB
	for name, c := range map[string]struct {
		kind kind.Transform
		body pipeline.Body
		size int64 // MiB
	}{
		"many members": {gunzip(), repeated{one(t, gz(1), part), 200 / slower}, 200 / slower},
		"many frames":  {unzstd(), repeated{one(t, zst("fastest"), part), 60 / slower}, 60 / slower},
		"one member":   {gunzip(), pass(t, build(t, gz(1)), item("k", repeated{part, 60 / slower}, -1))[0].Body, 60 / slower},
		"one frame":    {decompress(), pass(t, build(t, zst("fastest")), item("k", repeated{part, 60 / slower}, -1))[0].Body, 60 / slower},
	} {
		w := &watching{}
		src := &ends{items: []func() *pipeline.Item{func() *pipeline.Item { return item("k", c.body, -1) }}}
		p := src.pipeline(&pipelinetest.Store{World: &pipelinetest.World{}}, stage(t, "expand", c.kind),
			stage(t, "lines", &transforms.Lines{}), stage(t, "gzip", gz(1)))
		p.Sink = w
		runtime.GC()
		want := int64(inUse())
		for _, s := range p.Stages {
			lane, shared := s.Transform.(pipeline.Sized).Need()
			want += lane + shared
		}
		res, err := p.Run(t.Context())
		if err != nil || res.Counts.Written != c.size*9000 {
			t.Fatalf("%s: %+v, %v", name, res, err)
		}
		if want += 4 << 20; int64(w.peak) > want { // the source's compressing streams, the frame, garbage
			t.Errorf("%s: %d KiB, want at most %d", name, w.peak>>10, want>>10)
		}
		t.Logf("%s: %d KiB of %d", name, w.peak>>10, want>>10)
	}
}

// allocated is what f allocates: bytes, and how often.
func allocated(f func()) (size, times uint64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // pools are empty after two
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

func TestStatedMemoryIsNotLessThanWhatIsTaken(t *testing.T) {
	b := noise(3 << 20)
	one := 1
	for name, c := range map[string]struct {
		kind   kind.Transform
		body   []byte
		blocks bool // it has a quota
	}{
		"gzip 1":       {&transforms.Gzip{Level: 1, Workers: &one}, b, true},
		"gzip 6":       {&transforms.Gzip{Level: 6, Workers: &one}, b, true},
		"gzip 9":       {&transforms.Gzip{Level: 9, Workers: &one}, b, true},
		"zstd fastest": {&transforms.Zstd{Level: "fastest", Workers: &one}, b, true},
		"zstd default": {&transforms.Zstd{Level: "default", Workers: &one}, b, true},
		"zstd better":  {&transforms.Zstd{Level: "better", Workers: &one}, b, true},
		"zstd best":    {&transforms.Zstd{Level: "best", Workers: &one}, b, true},
		"gunzip":       {gunzip(), output(t, b, "gzip", "-9c"), false},
		"unzstd":       {unzstd(), output(t, b, "zstd", "-19c"), false},
		"decompress":   {decompress(), output(t, b[:1<<20], "bzip2", "-9c"), false},
	} {
		tr, err := c.kind.Build(kind.Env{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		body := pass(t, tr, item("k", bytesBody{b: c.body}, -1))[0].Body
		got, _ := allocated(func() {
			r, err := body.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				t.Fatal(err)
			}
			r.Close()
		})
		want, _ := tr.(pipeline.Sized).Need()
		if c.blocks {
			want -= pipeline.QuotaSize(3) // a stream has none
		}
		if int64(got) > want {
			t.Errorf("%s: took %d KiB, stated %d KiB", name, got>>10, want>>10)
		}
		t.Logf("%s: %d of %d KiB", name, got>>10, want>>10)
	}
}

// mostAllocations is how many there may be per MiB, of some 9,000 records. The
// race detector lets pools lose things at random, so that codecs and blocks are
// made again and again; one allocation per record would still be seen.
const mostAllocations = 40 * slower

func TestBlocksAllocateNextToNothing(t *testing.T) {
	b := records(9000)[:1<<20]
	const n = 32 / slower
	for name, k := range map[string]kind.Transform{"gzip 1": gz(1), "gzip 6": gz(6), "zstd": zst("default")} {
		tr := build(t, k)
		pump := func(n int) {
			run(t, tr, n, func(int) []byte { return b }, func(*pipeline.Item) {})
		}
		pump(4)
		if _, times := allocated(func() { pump(n) }); times > n*mostAllocations {
			t.Errorf("%s: %d allocations per MiB", name, times/n)
		} else {
			t.Logf("%s: %d allocations per MiB", name, times/n)
		}
	}
}

func TestExpandingAllocatesNextToNothing(t *testing.T) {
	part := records(9000)[:1<<20]
	const n = 64 / slower
	for name, c := range map[string]struct{ kind, by kind.Transform }{"gunzip": {gunzip(), gz(1)}, "unzstd": {unzstd(), zst("default")}} {
		body := pass(t, build(t, c.kind), item("k", repeated{one(t, c.by, part), n}, -1))[0].Body
		pump := func() {
			r, err := body.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.Copy(io.Discard, r); err != nil || got != n<<20 {
				t.Fatal(got, err)
			}
			r.Close()
		}
		pump()
		if _, times := allocated(pump); times > n*mostAllocations {
			t.Errorf("%s: %d allocations per MiB", name, times/n)
		} else {
			t.Logf("%s: %d allocations for %d MiB", name, times, n)
		}
	}
}

func bench(b *testing.B, k kind.Transform) {
	tr, content := build(b, k), records(9000)[:1<<20]
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	b.ResetTimer()
	out := 0
	run(b, tr, b.N, func(int) []byte { return content }, func(it *pipeline.Item) { out += int(it.Size) })
	b.ReportMetric(float64(b.N<<20)/float64(out), "ratio")
}

// Blocks of 1 MiB, by two workers.
func BenchmarkGzip(b *testing.B)        { bench(b, gz(1)) }
func BenchmarkGzip6(b *testing.B)       { bench(b, gz(6)) }
func BenchmarkZstdFastest(b *testing.B) { bench(b, zst("fastest")) }
func BenchmarkZstd(b *testing.B)        { bench(b, zst("default")) }
func BenchmarkZstdBetter(b *testing.B)  { bench(b, zst("better")) }

func benchExpand(b *testing.B, k, by kind.Transform) {
	part := one(b, by, records(9000)[:1<<20])
	body := pass(b, build(b, k), item("k", repeated{part, b.N}, -1))[0].Body
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	b.ResetTimer()
	r, err := body.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		b.Fatal(err)
	}
	r.Close()
}

// MiB of output, by one goroutine.
func BenchmarkGunzip(b *testing.B)     { benchExpand(b, gunzip(), gz(1)) }
func BenchmarkUnzstd(b *testing.B)     { benchExpand(b, unzstd(), zst("default")) }
func BenchmarkDecompress(b *testing.B) { benchExpand(b, decompress(), gz(1)) }

// BenchmarkLines splits what Gunzip gives.
func BenchmarkGunzipLines(b *testing.B) {
	part := one(b, gz(1), records(9000))
	e := &ends{items: []func() *pipeline.Item{func() *pipeline.Item { return item("k", repeated{part, b.N}, -1) }}}
	p := e.pipeline(&pipelinetest.Store{World: &pipelinetest.World{}}, stage(b, "gunzip", gunzip()), stage(b, "lines", &transforms.Lines{}))
	p.Sink = &discarding{}
	b.SetBytes(int64(len(records(9000))))
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := p.Run(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// discarding is a sink that takes all.
type discarding struct{ watching }

func (d *discarding) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return d, nil }
func (d *discarding) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		if err := it.Done(); err != nil {
			return err
		}
	}
}
