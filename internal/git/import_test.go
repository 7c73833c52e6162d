package git_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/git"
)

// objects counts what a repository of the scratch directory holds.
func (w *world) objects() int {
	w.Helper()
	return strings.Count(w.git("--git-dir", w.only(), "cat-file", "--batch-check", "--batch-all-objects"), "\n")
}

func TestSeveralCommitsAreOneImport(t *testing.T) {
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t, format)
			r := w.repo()
			base := w.commit(r, "", files{"a/1": "one", "b/1": "one"})
			im, err := r.Import(t.Context())
			w.check(err)
			defer im.Close()
			const ref, own = "refs/heads/main", "refs/sluice/own"
			w.check(add(im, r, git.Commit{Ref: ref, Parent: base, Message: "a"}, files{"a/1": gone, "a/1/file below": "x"}))
			w.check(add(im, r, git.Commit{Ref: ref, Parent: base, Message: "b\n\nwith\x00 more\n"}, files{"b/1": "two"}))
			w.check(add(im, r, git.Commit{Ref: own, Message: "rows"}, files{"rows": "r"}))
			ids, err := im.Done()
			w.check(err)
			w.check(r.Push(t.Context(), git.Update{Ref: ref, New: ids[1]}, git.Update{Ref: own, New: ids[2]}))
			if diff := cmp.Diff(files{"a/1/file below": "x", "b/1": "two"}, w.tree("main")) + cmp.Diff(files{"rows": "r"}, w.tree(own)); diff != "" {
				t.Error(diff)
			}
			want := string(ids[1]) + " A <a@example.org> 1700000000 b with more|" + string(ids[0]) + " A <a@example.org> 1700000000 a|" + string(base) + " A <a@example.org> 1700000000 m"
			got := strings.ReplaceAll(w.git("log", "--format=%H %an <%ae> %at %s %b", "main"), "\n", "|")
			if got = strings.ReplaceAll(strings.ReplaceAll(got, "||", "|"), " |", "|"); strings.TrimSpace(got) != want {
				t.Errorf("log: got\n%s, want\n%s", got, want)
			}
			w.git("fsck", "--strict")
		})
	}
}

func TestABlobOfAnotherLengthMakesNoCommit(t *testing.T) {
	broken := errors.New("the body broke")
	for name, c := range map[string]struct {
		body io.Reader
		want error
	}{
		"short":  {strings.NewReader("1234"), io.ErrUnexpectedEOF},
		"long":   {strings.NewReader("123456"), nil},
		"broken": {io.MultiReader(strings.NewReader("12"), iotest.ErrReader(broken)), broken},
		"empty":  {strings.NewReader(""), io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "sha1")
			r := w.repo()
			im, err := r.Import(t.Context())
			w.check(err)
			defer im.Close()
			w.check(add(im, r, git.Commit{Ref: "refs/heads/main", Message: "m"}, files{"a": "1"}))
			err = im.Blob(5, c.body)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err := im.Blob(1, strings.NewReader("1")); err == nil {
				t.Error("the next blob: got no error")
			}
			if ids, err := im.Done(); err == nil {
				t.Errorf("done: got %q and no error", ids)
			}
			if n := w.objects(); n != 0 {
				t.Errorf("objects: got %d, want none", n)
			}
		})
	}
}

func TestAnImportThatIsKilledMakesNothing(t *testing.T) {
	w := newWorld(t, "sha1")
	r := w.repo()
	im, err := r.Import(t.Context())
	w.check(err)
	defer im.Close()
	w.check(add(im, r, git.Commit{Ref: "refs/heads/main", Message: "m"}, files{"a": strings.Repeat("1", 1<<20)}))
	w.kill("fast-import")
	if ids, err := im.Done(); err == nil {
		t.Errorf("got %q and no error", ids)
	} else if !strings.Contains(err.Error(), "fast-import") {
		t.Errorf("got %v, want that it names fast-import", err)
	}
	if n := w.objects(); n != 0 {
		t.Errorf("objects: got %d, want none", n)
	}
}

func TestAnImportThatIsNotDoneMakesNothing(t *testing.T) {
	w := newWorld(t, "sha1")
	r := w.repo()
	im, err := r.Import(t.Context())
	w.check(err)
	w.check(add(im, r, git.Commit{Ref: "refs/heads/main", Message: "m"}, files{"a": "1"}))
	w.check(im.Close())
	if n := w.objects(); n != 0 {
		t.Errorf("objects: got %d, want none", n)
	}
	if _, err := im.Done(); err == nil {
		t.Error("done after close: got no error")
	}
}

func TestABlobThatIsNotThereIsAnErrorAndNoRequest(t *testing.T) {
	w := newWorld(t, "sha1")
	w.seed(files{"a": "1", "b": "2"})
	r := w.repo()
	base, err := r.Fetch(t.Context(), git.Want{Ref: "refs/heads/main"})
	w.check(err)
	h := r.BlobOID(1)
	io.WriteString(h, "1") // is in the base, which was fetched without blobs
	im, err := r.Import(t.Context())
	w.check(err)
	defer im.Close()
	im.Begin(git.Commit{Ref: "refs/heads/main", Parent: base, Author: who, Committer: who, When: when, Message: "m"})
	im.Modify("c", h.Sum())
	if ids, err := im.Done(); err == nil || !strings.Contains(err.Error(), "fatal") {
		t.Errorf("got %q, %v, want what fast-import says", ids, err)
	}
}

func TestAChangeWithoutAPathMakesNoCommit(t *testing.T) {
	w := newWorld(t, "sha1")
	r := w.repo()
	base := w.commit(r, "", files{"a": "1"})
	for name, change := range map[string]func(*git.Import){
		"delete": func(im *git.Import) { im.Delete("") },
		"modify": func(im *git.Import) { im.Modify("", w.oids(r, base)["a"]) },
	} {
		im, err := r.Import(t.Context())
		w.check(err)
		im.Begin(git.Commit{Ref: branch, Parent: base, Author: who, Committer: who, When: when, Message: "m"})
		change(im)
		if ids, err := im.Done(); err == nil || !strings.Contains(err.Error(), "without a path") {
			t.Errorf("%s: got %q, %v, want an error", name, ids, err)
		}
		w.check(im.Close())
	}
}

func TestNamesAndAddressesCannotBreakACommit(t *testing.T) {
	w := newWorld(t, "sha1")
	r := w.repo()
	im, err := r.Import(t.Context())
	w.check(err)
	defer im.Close()
	odd := git.Person{Name: " O<d>d\nauthor x", Email: "a> 1 +0000\n"}
	im.Begin(git.Commit{Ref: "refs/heads/main", Author: odd, Committer: git.Person{Email: "b"}, When: when, Message: "data 5\ncommit"})
	ids, err := im.Done()
	w.check(err)
	w.check(r.Push(t.Context(), git.Update{Ref: "refs/heads/main", New: ids[0]}))
	if got, want := w.git("log", "-1", "--format=%an|%ae|%cn|%ce|%s", "main"), "Oddauthor x|a 1 +0000||b|data 5 commit"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheIDOfABlobIsThatOfGit(t *testing.T) {
	for _, format := range formats {
		w := newWorld(t, format)
		r := w.repo()
		for _, content := range []string{"", "x", strings.Repeat("long\n", 10_000)} {
			h := r.BlobOID(int64(len(content)))
			io.WriteString(h, content)
			name := filepath.Join(t.TempDir(), "f")
			w.check(os.WriteFile(name, []byte(content), 0o600))
			if got, want := string(h.Sum()), w.git("hash-object", name); got != want {
				t.Errorf("%s, %d bytes: got %s, want %s", format, len(content), got, want)
			}
		}
		if h := r.BlobOID(2); h.Sum() != "" {
			t.Errorf("of bytes that are missing: got %q, want none", h.Sum())
		}
	}
}

// TestALargeBlobNeedsLittleMemory imports, pushes, fetches and reads 64 MB, or
// 400 MB that do not compress, in a process of its own: the system knows of all
// children together what the largest needed.
func TestALargeBlobNeedsLittleMemory(t *testing.T) {
	const alone = "SLUICE_TEST_ALONE"
	if os.Getenv(alone) == "" {
		cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), alone+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	w := newWorld(t, "sha1")
	size := int64(64 << 20)
	bytes := func() io.Reader { return io.LimitReader(zeros{}, size) }
	if os.Getenv("SLUICE_TEST_LARGE") != "" {
		size = 400 << 20
		bytes = func() io.Reader { return io.LimitReader(&noise{}, size) }
	}
	for _, option := range []string{"core.bigFileThreshold=1m", "receive.unpackLimit=1", "core.packedGitWindowSize=1m", "core.packedGitLimit=16m"} {
		name, value, _ := strings.Cut(option, "=") // its processes are children, too
		w.git("config", name, value)
	}
	r := w.repo()
	h := r.BlobOID(size)
	io.Copy(h, bytes())
	im, err := r.Import(t.Context())
	w.check(err)
	defer im.Close()
	w.check(im.Blob(size, bytes()))
	im.Begin(git.Commit{Ref: "refs/heads/main", Author: who, Committer: who, When: when, Message: "m"})
	im.Modify("big", h.Sum())
	ids, err := im.Done()
	w.check(err)
	w.check(r.Push(t.Context(), git.Update{Ref: "refs/heads/main", New: ids[0]}))
	again := w.repo()
	tip, err := again.Fetch(t.Context(), git.Want{Ref: "refs/heads/main", Blobs: true})
	w.check(err)
	if paths, sizes := w.list(again, tip, ""); len(paths) != 1 || sizes[0] != size {
		t.Errorf("got %q of %d, want one of %d", paths, sizes, size)
	}
	b, err := again.Blobs(t.Context())
	w.check(err)
	defer b.Close()
	_, body, err := b.Open(h.Sum())
	w.check(err)
	if n, err := io.Copy(io.Discard, body); n != size || err != nil {
		t.Errorf("read: got %d, %v, want %d", n, err, size)
	}
	w.check(b.Close())
	var used syscall.Rusage
	w.check(syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used))
	t.Logf("largest child: %d KiB", used.Maxrss)
	if used.Maxrss > 60<<10 {
		t.Errorf("largest child: got %d KiB, want at most 60 MiB", used.Maxrss)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// noise is bytes that do not compress, always the same.
type noise struct{ x uint64 }

func (n *noise) Read(p []byte) (int, error) {
	for i := range p {
		n.x = n.x*6364136223846793005 + 1442695040888963407
		p[i] = byte(n.x >> 56)
	}
	return len(p), nil
}
