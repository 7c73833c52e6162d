package s3_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"sluice/internal/objects"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sources/s3"
)

// lister is a bucket whose listings may leave out keys, and what mode: new has
// made of it.
type lister struct {
	store *pipelinetest.Store
	has   map[string]string // key to version
	taken map[string]string // likewise: what was taken last
	twice []string          // keys of which a version was taken that was known
}

// pass lists the bucket but for some keys, in ranges that end at cuts.
func (l *lister) pass(t *rapid.T, hidden map[string]bool, cuts []string) {
	listed := slices.DeleteFunc(slices.Sorted(maps.Keys(l.has)), func(k string) bool { return hidden[k] })
	begin := ""
	for _, until := range append(slices.Clone(cuts), "") {
		at := begin
		save := func(to string, notes []pipeline.Row) error {
			if to < at {
				t.Fatalf("the lane goes from %q back to %q", at, to)
			}
			at = to
			return l.store.Put(notes...)
		}
		err := s3.Fresh(t.Context(), l.store, begin, until, func(yield func(objects.Object) error) error {
			for _, k := range listed {
				if k > begin && (until == "" || k <= until) {
					if err := yield(objects.Object{Key: k, ETag: l.has[k]}); err != nil {
						return err
					}
				}
			}
			return nil
		}, func(_ context.Context, o objects.Object, notes []pipeline.Row) error {
			if l.taken[o.Key] == o.ETag {
				l.twice = append(l.twice, o.Key)
			}
			l.taken[o.Key] = o.ETag
			return save(o.Key, notes)
		}, func(_ context.Context, to string, notes []pipeline.Row) error { return save(to, notes) })
		if err != nil {
			t.Fatal(err)
		}
		begin = until
	}
}

func (l *lister) known() (keys []string) {
	l.store.Range("source.known", "", func(k string, _ []byte) error { keys = append(keys, k); return nil })
	return keys
}

// TestWhatIsNewIsTakenOnceWhateverListingsLeaveOut lists a bucket that changes.
// A key that one listing leaves out is not taken again for that.
func TestWhatIsNewIsTakenOnceWhateverListingsLeaveOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &lister{store: &pipelinetest.Store{World: &pipelinetest.World{}}, has: map[string]string{}, taken: map[string]string{}}
		key := rapid.Custom(func(t *rapid.T) string { return strconv.Itoa(rapid.IntRange(0, 40).Draw(t, "key")) })
		version, before := 0, map[string]bool{}
		for range rapid.IntRange(1, 8).Draw(t, "passes") {
			for range rapid.IntRange(0, 12).Draw(t, "changes") {
				k := key.Draw(t, "changed")
				if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
					delete(l.has, k)
					delete(l.taken, k) // it may be taken again when it comes back as it was
					continue
				}
				version++
				l.has[k] = fmt.Sprintf("%x", version)
			}
			hidden := map[string]bool{}
			for range rapid.IntRange(0, 5).Draw(t, "hidden") {
				if k := key.Draw(t, "hide"); !before[k] {
					hidden[k] = true
				}
			}
			cuts := slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(key, 0, 3).Draw(t, "cuts"))))
			l.pass(t, hidden, cuts)
			before = hidden
			for k, v := range l.has {
				if l.taken[k] != v && !hidden[k] {
					t.Fatalf("%s is there with version %s, taken was %q", k, v, l.taken[k])
				}
			}
		}
		l.pass(t, nil, nil)
		l.pass(t, nil, nil)
		if len(l.twice) > 0 || !maps.Equal(l.has, l.taken) {
			t.Errorf("twice: %v; there is %v, taken was %v", l.twice, l.has, l.taken)
		}
		if got, want := l.known(), slices.Sorted(maps.Keys(l.has)); !slices.Equal(got, want) {
			t.Errorf("remembered are %v, there are %v", got, want)
		}
	})
}

// TestAHundredThousandKnownKeysAreHeldInPieces looks at what goes into one save.
func TestAHundredThousandKnownKeysAreHeldInPieces(t *testing.T) {
	const n = 5_000
	store := &pipelinetest.Store{World: &pipelinetest.World{}}
	most, moves, taken := 0, 0, 0
	list := func(yield func(objects.Object) error) error {
		for i := range n {
			if err := yield(objects.Object{Key: fmt.Sprintf("%06d", i), ETag: "v"}); err != nil {
				return err
			}
		}
		return nil
	}
	pass := func(list func(func(objects.Object) error) error) {
		moves, taken = 0, 0
		err := s3.Fresh(t.Context(), store, "", "", list, func(_ context.Context, _ objects.Object, notes []pipeline.Row) error {
			taken++
			return store.Put(notes...)
		}, func(_ context.Context, _ string, notes []pipeline.Row) error {
			moves++
			most = max(most, len(notes))
			return store.Put(notes...)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	pass(list)
	if taken != n {
		t.Fatalf("took %d, want %d", taken, n)
	}
	pass(list)
	if taken != 0 || moves != n/1000 {
		t.Errorf("took %d, moved on %d times, want 0 and every 1,000 objects", taken, moves)
	}
	pass(func(func(objects.Object) error) error { return nil })
	if most > 1000 || moves != n/1000 {
		t.Errorf("%d rows in one save, in %d saves; want at most 1,000", most, moves)
	}
}
