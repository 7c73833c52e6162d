package s3_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/kind"
	"sluice/internal/objects"
	"sluice/pipeline"
	"sluice/sources/s3"
)

// keys runs a source and gives the keys it sends, position-only items as "-".
func keysOf(t *testing.T, cfg s3.Config) (got []string) {
	t.Helper()
	err := flow(t, cfg, 1, func(_ context.Context, it *pipeline.Item) error {
		if it.Body == nil && it.Counts.Skipped == 0 {
			got = append(got, "-")
		} else {
			got = append(got, it.Key)
		}
		it.Release()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFiltersTakeWhatIsWanted(t *testing.T) {
	f := newFake(t)
	for i, k := range []string{"p/2024/a.gz", "p/2024/b.txt", "p/2025/c.gz", "p/d.gz"} {
		f.put(k, make([]byte, i*100))
	}
	f.put("p/cold.gz", make([]byte, 50)).class = "GLACIER"
	f.put("q", nil)
	for name, tc := range map[string]struct {
		filter s3.Filter
		want   string
	}{
		"nothing":         {s3.Filter{}, "2024/a.gz 2024/b.txt 2025/c.gz cold.gz d.gz"},
		"include":         {s3.Filter{Include: []string{"2024/*", "d*"}}, "2024/a.gz 2024/b.txt d.gz"},
		"exclude":         {s3.Filter{Exclude: []string{"**.txt", "re:^20.5"}}, "2024/a.gz cold.gz d.gz"},
		"both":            {s3.Filter{Include: []string{"2024/*"}, Exclude: []string{"**.txt"}}, "2024/a.gz"},
		"size":            {s3.Filter{MinSize: 50, MaxSize: 200}, "2024/b.txt 2025/c.gz cold.gz"},
		"start after":     {s3.Filter{StartAfter: "p/2024/b.txt"}, "2025/c.gz cold.gz d.gz"},
		"start between":   {s3.Filter{StartAfter: "p/2024/c"}, "2025/c.gz cold.gz d.gz"},
		"class":           {s3.Filter{StorageClass: []string{"glacier"}}, "cold.gz"},
		"usual class":     {s3.Filter{StorageClass: []string{"STANDARD"}}, "2024/a.gz 2024/b.txt 2025/c.gz d.gz"},
		"before its time": {s3.Filter{ModifiedAfter: "2026-01-02T03:04:05Z"}, ""},
		"after":           {s3.Filter{ModifiedAfter: "2026-01-02T03:04:04Z"}, "2024/a.gz 2024/b.txt 2025/c.gz cold.gz d.gz"},
		"before":          {s3.Filter{ModifiedBefore: "2026-01-02"}, ""},
		"long ago":        {s3.Filter{ModifiedBefore: "30000d"}, ""},
	} {
		cfg := s3.Config{Config: f.config, Filter: tc.filter}
		cfg.Prefix = "p/"
		got := strings.ReplaceAll(strings.Join(keysOf(t, cfg), " "), "p/", "")
		if got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}

func TestALaneMovesOnWhereNothingIsWanted(t *testing.T) {
	f := newFake(t)
	for i := range 8000 {
		f.put(fmt.Sprintf("k%04d", i), nil)
	}
	got := keysOf(t, s3.Config{Config: f.config, Filter: s3.Filter{Include: []string{"k0900"}}})
	if n := len(got); n < 5 || n > 8 || !slices.Contains(got, "k0900") || !slices.Contains(got, "-") {
		t.Errorf("got %q, want k0900 and positions", got)
	}
}

func TestTheTimesOfAPassStayThoseOfItsPlan(t *testing.T) {
	f := newFake(t)
	f.put("a", nil)
	open := func() (pipeline.Reader, []pipeline.Lane) {
		cfg := s3.Config{Config: f.config, Filter: s3.Filter{ModifiedBefore: "1ns"}}
		r, err := buildWith(t, cfg).Open(t.Context(), &pipeline.Pass{Pipeline: "t", Parallel: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		lanes, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r, lanes
	}
	r, lanes := open()
	var spec map[string]any
	if err := json.Unmarshal([]byte(lanes[0].Spec), &spec); err != nil {
		t.Fatal(err)
	}
	if at, err := time.Parse(time.RFC3339, fmt.Sprint(spec["Before"])); err != nil || time.Since(at).Abs() > time.Minute {
		t.Fatalf("got %v in the plan, %v, want about now", spec["Before"], err)
	}
	spec["Before"] = "2020-01-01T00:00:00Z"
	b, _ := json.Marshal(spec)
	lanes[0].Spec = string(b)
	out := make(chan *pipeline.Item, 9)
	if err := r.Read(t.Context(), lanes[0], pipeline.Position{}, out); err != nil || len(out) != 0 {
		t.Errorf("got %v, %d items, want those of the time in the plan: none", err, len(out))
	}
	_, again := open()
	if again[0].ID != lanes[0].ID {
		t.Errorf("got lane %s, then %s, though positions are the same keys", lanes[0].ID, again[0].ID)
	}
}

func TestOptionsThatCannotBeUsedAreNamed(t *testing.T) {
	c := s3.Config{Config: objects.Config{Bucket: "b"}, Filter: s3.Filter{
		Include: []string{"a", "re:("}, Exclude: []string{"["}, ModifiedAfter: "soon", ModifiedBefore: "-1h", MinSize: 10, MaxSize: 9}}
	var got []string
	for _, p := range c.Problems(kind.Env{}) {
		got = append(got, p.Option)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"exclude", "include", "max_size", "modified_after", "modified_before"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	c = s3.Config{Config: objects.Config{Bucket: "b"}, Filter: s3.Filter{Include: []string{""}}}
	if p := c.Problems(kind.Env{}); len(p) != 1 {
		t.Errorf("an empty pattern: got %v", p)
	}
}
