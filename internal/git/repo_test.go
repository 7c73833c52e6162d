package git_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/git"
)

func TestCommitsOfSeveralRunsFollowEachOther(t *testing.T) {
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t, format)
			first := w.seed(files{"a/b.yaml": "one\n", "a/c.yaml": "", "other": "x"})
			r := w.repo()
			base, err := r.Fetch(t.Context(), git.Want{Ref: "refs/heads/main"})
			w.check(err)
			if base != first {
				t.Errorf("fetched: got %q, want %q", base, first)
			}
			w.push(r, base, files{"a/b.yaml": "two\n", "a/c.yaml": gone, "a/d \"\\\xc3\xa9\n\t.yaml": "three"})
			want := files{"a/b.yaml": "two", "a/d \"\\\xc3\xa9\n\t.yaml": "three", "other": "x"}
			if diff := cmp.Diff(want, w.tree("main")); diff != "" {
				t.Error(diff)
			}
			w.git("fsck", "--strict")
			if got := w.git("rev-list", "--count", "main"); got != "2" {
				t.Errorf("commits: got %s, want 2", got)
			}
		})
	}
}
