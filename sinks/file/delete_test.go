package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/roll"
	"sluice/pipeline"
)

// gone is the item of a key that no longer exists at the source.
func gone(key string) *pipeline.Item {
	return &pipeline.Item{Key: key, Size: -1, Records: -1, Delete: true}
}

func TestADeletedItemTakesItsFileWithIt(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"x/theirs": "theirs"})
	p := into(dir, "x/{key}")
	p.must(t, items{item("a", "1"), item("b/b", "2"), item("c", "3"), item("d", "4")})
	os.Remove(filepath.Join(dir, "x/d")) // by somebody, or by a run that was killed
	res := p.must(t, items{gone("a"), gone("never"), gone("theirs"), gone("d"), gone("b/b"), item("b/b", "again")})
	if res.Counts.Deleted != 5 {
		t.Errorf("got %+v, want 5 deleted", res.Counts)
	}
	same(t, below(t, dir), map[string]string{"x/b/b": "again", "x/c": "3", "x/theirs": "theirs"})
	p.Overwrite = roll.Never
	if _, err := p.run(t, items{gone("c")}); err == nil || !strings.Contains(err.Error(), "x/c was deleted at the source, and is of pass 1") {
		t.Errorf("never: got %v, want that it is kept", err)
	}
	p.Overwrite = roll.Always
	p.must(t, items{gone("c"), gone("theirs")})
	same(t, below(t, dir), map[string]string{"x/b/b": "again"})
	n := 0
	p.store.Range("sink.files", "", func(string, []byte) error { n++; return nil })
	if n != 1 {
		t.Errorf("the state knows %d files, want 1", n)
	}
}
