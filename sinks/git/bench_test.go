package git_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"sluice/internal/state"
)

// BenchmarkNothingNew is a pass over files that are all as they were; an
// operation is one file. It takes about as much of git.
func BenchmarkNothingNew(b *testing.B) {
	f := files{}
	for i := range b.N {
		f[fmt.Sprintf("cluster-%d/namespace-%d/deployment/app-%06d.yaml", i%7, i%101, i)] = fmt.Sprint("content ", i)
	}
	w := newWorld(b)
	w.MaxFiles = b.N
	store, err := state.Open(filepath.Join(b.TempDir(), "state.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	w.real = store
	w.sync(f)
	b.ReportAllocs()
	b.ResetTimer()
	if res, opened := w.sync(f); len(opened) > 0 || res.Counts.Skipped != int64(b.N) {
		b.Fatalf("got %+v, %d opened", res.Counts, len(opened))
	}
}
