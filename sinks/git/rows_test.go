package git_test

import (
	"bytes"
	"testing"

	"sluice/sinks/git"
)

// FuzzRow: what is written is read, and nothing else is taken for a row.
func FuzzRow(f *testing.F) {
	f.Add([]byte{})
	f.Add(git.Row{Key: "a\x00b", Version: "v", Made: "m", Blob: "b", Size: 1 << 40}.Value())
	f.Add(git.Row{Key: "a"}.Value()[:2])
	f.Fuzz(func(t *testing.T, value []byte) {
		r, err := git.ParseRow(value)
		if err == nil && len(r.Value()) == len(value) && !bytes.Equal(r.Value(), value) { // numbers may be longer than they need to be
			t.Errorf("%x: got %x", value, r.Value())
		}
		again, err := git.ParseRow(r.Value())
		if err != nil || again != r {
			t.Errorf("%x: got %+v, %v, want %+v", value, again, err, r)
		}
		for n := range len(r.Value()) {
			if r, err := git.ParseRow(r.Value()[:n]); err == nil {
				t.Errorf("%d bytes of %x: got %+v, want an error", n, value, r)
			}
		}
	})
}
