package git_test

import (
	"fmt"
	"maps"
	"testing"

	"sluice/internal/objects/objectstest"
	"sluice/internal/unit"
	"sluice/sinks/s3"
)

// TestARepositoryIsRestoredIntoABucket, and edits follow, on a real store: as
// what is new, and as a mirror.
func TestARepositoryIsRestoredIntoABucket(t *testing.T) {
	for _, mirror := range []bool{false, true} {
		t.Run(fmt.Sprint("mirror ", mirror), func(t *testing.T) {
			b := objectstest.New(t)
			w := newWeb(t)
			all := many(120)
			w.commit(all)
			r := newRun(t, w.Config)
			r.bucket = &s3.Config{Config: b.Config(""), Key: "back/{key}", Part: 5 << 20, Overwrite: "own"}
			r.bucket.MaxDelete = unit.Percent(50)
			r.full, r.mirror, r.lanes = mirror, mirror, 3
			r.must(t)
			changes := files{"d0/0000": gone, "d1/0001": "changed", "d1/0008": gone, "new/file": "n"}
			w.commit(changes)
			if c := r.must(t).Counts; c.ObjectsWritten != 2 || c.Deleted != 2 {
				t.Errorf("got %+v, want 2 objects and 2 deletes", c)
			}
			maps.Copy(all, changes)
			maps.DeleteFunc(all, func(_, content string) bool { return content == gone })
			want := map[string]string{}
			for path, content := range all {
				want["back/"+path] = content
			}
			if got := b.Objects(); !maps.Equal(got, want) {
				t.Errorf("got %d objects that are not the %d of the commit", len(got), len(want))
			}
		})
	}
}
