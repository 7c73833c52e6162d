package git_test

import (
	"os"
	"path/filepath"
	"testing"

	"sluice/internal/git"
)

func TestWhatAKilledRunLeftIsRemoved(t *testing.T) {
	w := newWorld(t, "sha1")
	lives := w.repo()
	for name, dir := range map[string]bool{"git-1": true, "git-1.lock": false, "git-2.lock": false, "other.lock": false, "git-3": true} {
		path := filepath.Join(w.scratch, name)
		if !dir {
			w.check(os.WriteFile(path, nil, 0o600))
			continue
		}
		w.check(os.MkdirAll(filepath.Join(path, "objects"), 0o700))
	}
	r, err := git.Create(t.Context(), w.scratch, w.remote)
	w.check(err)
	for name, want := range map[string]bool{"git-1": false, "git-1.lock": false, "git-2.lock": false, "other.lock": true, "git-3": true} {
		if _, err := os.Stat(filepath.Join(w.scratch, name)); (err == nil) != want {
			t.Errorf("%s: got %v, want that it is there: %v", name, err, want)
		}
	}
	w.commit(lives, "", files{"a": "1"}) // another run's is left alone
	w.check(r.Close())
	if left, err := os.ReadDir(w.scratch); len(left) != 4 || err != nil { // with other.lock and git-3
		t.Errorf("after the end: got %q, %v, want one repository and its lock", left, err)
	}
}

func TestTheDirectoryMayBeRelative(t *testing.T) {
	w := newWorld(t, "sha1")
	t.Chdir(t.TempDir())
	w.scratch = "not/there yet"
	r := w.repo()
	tip := w.push(r, "", files{"a": "1"})
	if paths, _ := w.list(r, tip, ""); len(paths) != 1 {
		t.Errorf("got %q, want one file", paths)
	}
}

func TestTheEndOfARepositoryEndsWhatRunsInIt(t *testing.T) {
	w := newWorld(t, "sha1")
	r, err := git.Create(t.Context(), w.scratch, w.remote)
	w.check(err)
	im, err := r.Import(t.Context())
	w.check(err)
	b, err := r.Blobs(t.Context())
	w.check(err)
	w.check(r.Close())
	if _, err := im.Done(); err == nil {
		t.Error("import: got no error")
	}
	if _, _, err := b.Open(id); err == nil {
		t.Error("blobs: got no error")
	}
	if left, err := os.ReadDir(w.scratch); len(left) != 0 || err != nil {
		t.Errorf("left: got %v, %v, want nothing", left, err)
	}
}

func TestARemoteThatIsNotThereIsAnErrorAtOnce(t *testing.T) {
	w := newWorld(t, "sha1")
	w.check(os.RemoveAll(w.dir))
	if r, err := git.Create(t.Context(), w.scratch, w.remote); err == nil {
		r.Close()
		t.Error("got no error")
	}
	if left, err := os.ReadDir(w.scratch); len(left) != 0 || err != nil {
		t.Errorf("left: got %v, %v, want nothing", left, err)
	}
}
