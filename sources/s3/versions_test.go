package s3_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sluice/internal/check"
	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sources/s3"
)

// history is a bucket with several versions of some keys.
func history(t *testing.T) (s3.Config, []string) {
	b := objectstest.New(t)
	b.Versioned()
	var want []string
	for _, k := range []string{"a", "a b", "b/c", "z"} {
		for i := range 3 {
			b.Put(k, []byte(fmt.Sprintf("%s %d\n", k, i)))
		}
		for i := 2; i >= 0; i-- {
			want = append(want, fmt.Sprintf("%s %d\n", k, i))
		}
	}
	b.Put("gone", []byte("gone\n"))
	b.Delete("gone")
	want = append(want[:9:9], append([]string{"gone\n"}, want[9:]...)...)
	return s3.Config{Config: b.Config(""), Versions: "all"}, want
}

func TestAllVersionsAreReadTheNewestFirst(t *testing.T) {
	cfg, want := history(t)
	var got, ids []string
	err := flow(t, cfg, 1, func(ctx context.Context, it *pipeline.Item) error {
		b, err := content(ctx, it)
		got, ids = append(got, string(b)), append(ids, it.Version)
		return err
	})
	if err != nil || strings.Join(got, "") != strings.Join(want, "") {
		t.Errorf("got %v, %q, want %q", err, got, want)
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if id == "" || seen[id] {
			t.Errorf("got versions %q, want others for each", ids)
		}
		seen[id] = true
	}
}

func TestEachVersionIsInOneLane(t *testing.T) {
	b := objectstest.New(t)
	b.Versioned()
	fill(b)
	keys := fill(b)
	cfg := s3.Config{Config: b.Config(""), Versions: "all"}
	cfg.Prefix = "logs/"
	lanes := lanesOf(t, buildWith(t, cfg), 3)
	if len(lanes) < 2 {
		t.Fatalf("got %d lanes, want several", len(lanes))
	}
	seen := map[string]bool{}
	for _, items := range lanes {
		for _, it := range items {
			if name := it.Key + " " + it.Version; seen[name] {
				t.Errorf("got %s twice", name)
			} else {
				seen[name] = true
			}
		}
	}
	if len(seen) != 2*len(keys) {
		t.Errorf("got %d versions of %d keys, want two of each", len(seen), len(keys))
	}
}

func TestVersionsSuite(t *testing.T) {
	cfg, _ := history(t)
	pipelinetest.TestSource(t, pipelinetest.SourceCase{Open: func(t *testing.T) pipeline.Source { return buildWith(t, cfg) }, Parallel: 2})
}

func TestArchivedObjectsAreReportedOrRestored(t *testing.T) {
	f := newFake(t)
	f.put("a", []byte("x"))
	f.put("b", []byte("cold")).class = "DEEP_ARCHIVE"
	for mode, want := range map[string]string{"report": "restore it first", "restore": "under way"} {
		cfg := s3.Config{Config: f.config, Archived: mode, Restore: s3.Restore{Days: 3, Tier: "Bulk"}}
		var gone error
		err := flow(t, cfg, 1, func(ctx context.Context, it *pipeline.Item) error {
			_, err := content(ctx, it)
			if errors.Is(err, pipeline.ErrGone) {
				gone, err = err, nil
			}
			return err
		})
		if err != nil || gone == nil || !strings.Contains(gone.Error(), "get b/b: archived in class DEEP_ARCHIVE") || !strings.Contains(gone.Error(), want) {
			t.Errorf("%s: got %v, %v, want %q", mode, err, gone, want)
		}
		if n := len(f.asked("POST b")); n != map[string]int{"report": 0, "restore": 1}[mode] {
			t.Errorf("%s: got %d requests to restore", mode, n)
		}
	}
	var rep check.Report
	err := buildWith(t, s3.Config{Config: f.config, Archived: "report"}).(*s3.Source).Check(t.Context(), &rep)
	got := rep.Warnings
	if err != nil || len(got) != 1 || !strings.Contains(got[0], "1 of the first 2 objects are in class DEEP_ARCHIVE") {
		t.Errorf("check: got %q, %v", got, err)
	}
}
