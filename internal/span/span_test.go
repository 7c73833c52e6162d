package span_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/internal/span"
	"sluice/pipeline"
)

// plan gives the lanes of keys and the spans they have.
func plan(s *span.Spans) (lanes []pipeline.Lane, all []span.Span) {
	lanes = s.Lanes(func(_ *pipeline.Lane, of span.Span) { all = append(all, of) })
	return lanes, all
}

func TestRangesFollowEachOther(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n, parallel := rapid.IntRange(1, 300).Draw(r, "keys"), rapid.IntRange(1, 4).Draw(r, "parallel")
		s := span.For(parallel)
		var bytes int64
		for i := range n {
			size := int64(i % 7 * 40_000)
			s.Add(fmt.Sprintf("%03d", i), size)
			bytes += size
		}
		lanes, all := plan(s)
		want := min(n, span.PerLane*parallel)
		if parallel == 1 {
			want = 1
		}
		if len(lanes) != want {
			t.Fatalf("%d keys, %d at a time: got %d lanes, want %d", n, parallel, len(lanes), want)
		}
		after := span.Key("")
		for i, l := range lanes {
			if all[i].After != after {
				t.Errorf("lane %d begins after %q, want %q", i, all[i].After, after)
			}
			after = all[i].Last
			bytes -= l.Bytes
		}
		if last := fmt.Sprintf("%03d", n-1); string(after) != last || bytes != 0 {
			t.Errorf("the last lane ends with %q, want %q; %d bytes are in no lane", after, last, bytes)
		}
	})
}

func TestWithoutAKeyThereIsOneEmptyLane(t *testing.T) {
	lanes, all := plan(span.For(4))
	if len(lanes) != 1 || lanes[0].Name != "0" || all[0] != (span.Span{}) {
		t.Errorf("got %+v, %+v", lanes, all)
	}
}

func FuzzKeysOfAnyBytesAreKept(f *testing.F) {
	f.Add("a/b", "z")
	f.Add("\xff\x00", "\x00ff")
	f.Fuzz(func(t *testing.T, after, last string) {
		if strings.HasPrefix(after, "\x00") || strings.HasPrefix(last, "\x00") {
			t.Skip("no name of a file begins like this")
		}
		want := span.Span{After: span.Key(after), Last: span.Key(last)}
		if got, err := span.Parse(want.String()); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	})
}
