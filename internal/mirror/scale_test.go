package mirror_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/internal/keys"
	"sluice/internal/mirror"
	"sluice/internal/roll"
	"sluice/internal/state"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// many is a source of n keys, in lanes that are ranges, and a target that has
// all of them.
type many struct {
	n, lanes int
	gone     func(i int) bool // at the source
	pages    atomic.Int64     // of the target that were read for lanes
	deleted  atomic.Int64
	heap     uint64 // while Finish lists
}

func name(i int) string { return fmt.Sprintf("logs/2026/%08d.json.gz", i) }

func (m *many) Close() error                                            { return nil }
func (m *many) Finish(context.Context) error                            { return nil }
func (m *many) WholePass()                                              {}
func (m *many) Name(key string) string                                  { return key }
func (m *many) Write(p []byte) (int, error)                             { return len(p), nil }
func (m *many) Commit(context.Context) error                            { return nil }
func (m *many) Abort(context.Context) error                             { return nil }
func (m *many) Finder() mirror.Finder                                   { return &mirror.Window[roll.Stamp]{Page: m.page} }
func (m *many) reader() pipeline.Source                                 { return manySource{m} }
func (m *many) Create(context.Context, roll.Draft) (roll.Object, error) { return m, nil }

func (m *many) Sweep(context.Context, string, roll.Owner, func(string) bool) error { return nil }
func (m *many) Remove(context.Context, string, roll.Owner) (bool, error)           { return false, nil }
func (m *many) Made(context.Context, mirror.There) (bool, error)                   { return true, nil }

// manySource is the source's side.
type manySource struct{ *many }

func (s manySource) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }

func (s manySource) Plan(context.Context) (plan []pipeline.Lane, err error) {
	for i := range s.lanes {
		plan = append(plan, pipeline.Lane{Name: fmt.Sprint(i), ID: fmt.Sprint(i), Part: i, Parts: s.lanes})
	}
	return plan, nil
}

func (s manySource) Read(ctx context.Context, lane pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
	body := pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil })
	for i := lane.Part * s.n / lane.Parts; i < (lane.Part+1)*s.n/lane.Parts; i++ {
		if s.gone(i) {
			continue
		}
		it := &pipeline.Item{Key: name(i), Version: "v1", Records: -1, Pos: pipeline.Position{Token: name(i)}, Body: body}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
	return nil
}

func (m *many) Open(_ context.Context, p *pipeline.Pass) (pipeline.Writer, error) {
	key, err := keys.Parse("{key}", keys.Objects)
	if err != nil {
		return nil, err
	}
	w, err := roll.New(p, roll.Spec{Key: key}, m)
	if err != nil {
		return nil, err
	}
	out, err := mirror.New(p, w, m, mirror.Config{Options: mirror.Options{MaxDelete: unit.Percent(10)}, Key: key, Overwrite: roll.Own})
	return struct {
		*mirror.Writer
		io.Closer
	}{out, m}, err
}

// page is a page of the target.
func (m *many) page(_ context.Context, after string) (page []mirror.Entry[roll.Stamp], last bool, err error) {
	m.pages.Add(1)
	from, end := 0, m.n
	for from < end {
		if mid := (from + end) / 2; name(mid) > after {
			end = mid
		} else {
			from = mid + 1
		}
	}
	for i := from; i < min(m.n, from+1000); i++ {
		page = append(page, mirror.Entry[roll.Stamp]{Key: name(i)})
	}
	return page, from+1000 >= m.n, nil
}

func (m *many) List(_ context.Context, _ string, f func(mirror.There) error) error {
	for i := range m.n {
		if i == m.n/2 {
			var s runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&s)
			m.heap = s.HeapAlloc
		}
		if err := f(mirror.There{Key: name(i)}); err != nil {
			return err
		}
	}
	return nil
}

func (m *many) Delete(context.Context, mirror.There) (bool, error) {
	m.deleted.Add(1)
	return true, nil
}

func TestAPassThatFindsNothingNewReadsOnePageForAThousandKeys(t *testing.T) {
	m := &many{n: 30_000, lanes: 3, gone: func(int) bool { return false }}
	store, err := state.Open(filepath.Join(t.TempDir(), "p.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	run := func() pipeline.Counts {
		m.pages.Store(0)
		p := &pipeline.Pipeline{Name: "p", Source: m.reader(), Sink: m, Store: store, Lanes: 3, Depth: 2}
		res, err := p.Run(t.Context())
		if err != nil || !res.Complete {
			t.Fatalf("got %+v, %v", res, err)
		}
		return res.Counts
	}
	if run(); m.pages.Load() > 0 {
		t.Errorf("first pass: %d pages were read, want none", m.pages.Load())
	}
	m.gone = func(i int) bool { return i%15 == 7 }
	c := run()
	if n := m.pages.Load(); c.Skipped != 28_000 || n > 30+2*3 {
		t.Errorf("got %+v with %d pages, want 28,000 skipped with one for each thousand", c, n)
	}
	if n := m.deleted.Load(); n != 2000 || c.Deleted != 2000 {
		t.Errorf("%d were deleted, %d counted, want 2000", n, c.Deleted)
	}
	if m.heap > 12<<20 {
		t.Errorf("%d KiB of heap while the target is listed, want few", m.heap>>10)
	}
	t.Logf("heap %d KiB", m.heap>>10)
}
