package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sluice/internal/mirror"
)

// shelf is sorted keys, a few of which make a page.
type shelf struct {
	keys  []string
	size  int
	pages int
}

func (s *shelf) page(_ context.Context, after string) (page []mirror.Entry[int], last bool, err error) {
	s.pages++
	i, found := slices.BinarySearch(s.keys, after)
	if found {
		i++
	}
	for ; i < len(s.keys) && len(page) < s.size; i++ {
		page = append(page, mirror.Entry[int]{Key: s.keys[i], Value: i})
	}
	return page, i == len(s.keys), nil
}

func TestAWindowFindsWhatIsThere(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		key := rapid.OneOf(rapid.StringMatching(`[ab/ ~é]{1,4}`), rapid.StringN(1, 4, 8), rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 4), func(b []byte) string { return string(b) }))
		s := &shelf{keys: rapid.SliceOf(key).Draw(r, "keys"), size: rapid.IntRange(1, 4).Draw(r, "size")}
		slices.Sort(s.keys)
		s.keys = slices.Compact(s.keys)
		w := mirror.Window[int]{Page: s.page}
		for _, key := range rapid.SliceOf(rapid.OneOf(key, rapid.SampledFrom(append(s.keys, "a")))).Draw(r, "asked") {
			want, there := slices.BinarySearch(s.keys, key)
			got, ok, err := w.Find(t.Context(), key)
			if err != nil || ok != there || ok && got != want {
				r.Fatalf("%q: got %d, %v, %v, want %d, %v", key, got, ok, err, want, there)
			}
		}
	})
}

func TestAWindowReadsEachPageOnce(t *testing.T) {
	s := &shelf{size: 100}
	for i := range 10_000 {
		s.keys = append(s.keys, fmt.Sprintf("logs/%06d", i))
	}
	w := mirror.Window[int]{Page: s.page}
	for _, key := range s.keys {
		w.Find(t.Context(), key)
	}
	if s.pages != 100 {
		t.Errorf("all keys, in order: %d pages were read, want 100", s.pages)
	}
	s.pages = 0
	for i := 0; i < 10_000; i += 1000 { // far from each other
		w.Find(t.Context(), fmt.Sprintf("logs/%06d", i))
	}
	if s.pages > 20 {
		t.Errorf("10 keys far from each other: %d pages were read, want two each at most", s.pages)
	}
	s.pages = 0
	w.Find(t.Context(), "logs/zzz") // after which all others come back
	for _, key := range s.keys {
		w.Find(t.Context(), key)
	}
	if s.pages > 104 {
		t.Errorf("the last one first: %d pages were read, want 104 at most", s.pages)
	}
}

func TestAWindowThatCouldNotBeReadIsReadAgain(t *testing.T) {
	s, broken := &shelf{keys: []string{"a", "b"}, size: 1}, errors.New("broken")
	fail := true
	w := mirror.Window[int]{Page: func(ctx context.Context, after string) ([]mirror.Entry[int], bool, error) {
		if fail {
			return nil, false, broken
		}
		return s.page(ctx, after)
	}}
	if _, _, err := w.Find(t.Context(), "b"); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	fail = false
	if _, ok, err := w.Find(t.Context(), "b"); !ok || err != nil {
		t.Errorf("then: got %v, %v, want to find it", ok, err)
	}
}
