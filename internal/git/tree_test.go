package git_test

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/git"
)

// list gives the paths of a commit below dir, and their sizes.
func (w *world) list(r *git.Repo, commit git.OID, dir string) (paths []string, sizes []int64) {
	w.Helper()
	w.check(r.Tree(w.Context(), commit, dir, func(e git.Entry) error {
		paths, sizes = append(paths, e.Path), append(sizes, e.Size)
		return nil
	}))
	return paths, sizes
}

func TestATreeIsListedInByteOrderOfItsPaths(t *testing.T) {
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t, format)
			w.seed(files{"a": "1", "a.b": "22", "a-b/c": "333", "b/*/x": "4444", "b/?": "", "c/\n\xff\"": "5"})
			r := w.repo()
			tip, err := r.Fetch(t.Context(), git.Want{Ref: "HEAD", Blobs: true})
			w.check(err)
			for dir, want := range map[string]struct {
				paths []string
				sizes []int64
			}{
				"":           {[]string{"a", "a-b/c", "a.b", "b/*/x", "b/?", "c/\n\xff\""}, []int64{1, 3, 2, 4, 0, 1}},
				"b":          {[]string{"b/*/x", "b/?"}, []int64{4, 0}},
				"b/*":        {[]string{"b/*/x"}, []int64{4}},
				"*":          {},
				":/b":        {},
				"none":       {},
				"none/of/it": {},
			} {
				paths, sizes := w.list(r, tip, dir)
				if diff := cmp.Diff(want.paths, paths) + cmp.Diff(want.sizes, sizes); diff != "" {
					t.Errorf("%q: %s", dir, diff)
				}
			}
			if paths, _ := w.list(r, "", "b"); paths != nil {
				t.Errorf("no commit: got %q, want nothing", paths)
			}
		})
	}
}

func TestADirectoryThatIsAFileIsAnError(t *testing.T) {
	w := newWorld(t, "sha1")
	r := w.repo()
	tip := w.commit(r, "", files{"a": "1", "b/c": "2"})
	for _, dir := range []string{"a", "a/b", "a/b/c", "b/c", "b/c/d"} {
		err := r.Tree(t.Context(), tip, dir, func(git.Entry) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "is not a directory") {
			t.Errorf("%s: got %v, want that it is not a directory", dir, err)
		}
	}
}

func TestWhatIsNoFileIsListedAsSuch(t *testing.T) {
	w := newWorld(t, "sha1")
	blob := w.git("hash-object", "-w", "--stdin")
	w.git("update-index", "--add", "--cacheinfo", "120000,"+blob+",link", "--cacheinfo", "100755,"+blob+",x", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",sub")
	w.git("update-ref", "refs/heads/main", w.git("-c", "user.name=a", "-c", "user.email=a", "commit-tree", "-m", "m", w.git("write-tree")))
	r := w.repo()
	tip, err := r.Fetch(t.Context(), git.Want{Ref: "refs/heads/main", Blobs: true})
	w.check(err)
	got := map[string]git.Entry{}
	w.check(r.Tree(t.Context(), tip, "", func(e git.Entry) error { got[e.Path] = e; return nil }))
	for path, want := range map[string]git.Mode{"link": git.Symlink, "x": git.Executable, "sub": git.Submodule} {
		if e := got[path]; e.Mode != want || e.Mode.File() != (path == "x") || (e.Size < 0) != (path == "sub") {
			t.Errorf("%s: got %+v, want mode %o", path, e, want)
		}
	}
}

func TestAnErrorOfYieldEndsAListing(t *testing.T) {
	w := newWorld(t, "sha1")
	r := w.repo()
	tip := w.commit(r, "", files{"a": "1", "b": "2"})
	n := 0
	if err := r.Tree(t.Context(), tip, "", func(git.Entry) error { n++; return io.ErrClosedPipe }); !errors.Is(err, io.ErrClosedPipe) || n != 1 {
		t.Errorf("got %v after %d entries, want the error of the first", err, n)
	}
}

func TestAListingThatIsCutIsNotAtItsEnd(t *testing.T) {
	w := newWorld(t, "sha1")
	r := w.repo()
	all := files{}
	for i := range 3_000 {
		all[fmt.Sprintf("dir/%060d", i)] = ""
	}
	tip := w.commit(r, "", all)
	for name, list := range map[string]func(func()) error{
		"ls-tree": func(f func()) error {
			return r.Tree(t.Context(), tip, "", func(git.Entry) error { f(); return nil })
		},
		"diff-tree": func(f func()) error {
			return r.Diff(t.Context(), "", tip, "", func(git.Change) error { f(); return nil })
		},
	} {
		n := 0
		err := list(func() {
			if n++; n == 1 {
				w.kill(name + " -r")
			}
		})
		if err == nil {
			t.Errorf("%s: got no error after %d of %d", name, n, len(all))
		}
	}
}

func TestATreeThatIsNotWholeIsAnError(t *testing.T) {
	w := newWorld(t, "sha1")
	r := w.repo()
	one := w.commit(r, "", files{"a": "1"})
	cmd := exec.Command("git", "--git-dir", w.only(), "mktree", "--missing")
	cmd.Stdin = strings.NewReader("100644 blob " + string(w.oids(r, one)["a"]) + "\ta\n040000 tree " + id + "\tz\n")
	tree, err := cmd.Output()
	w.check(err)
	two := git.OID(w.git("--git-dir", w.only(), "-c", "user.name=a", "-c", "user.email=a", "commit-tree", "-m", "m", strings.TrimSpace(string(tree))))
	n := 0
	if err := r.Tree(t.Context(), two, "", func(git.Entry) error { n++; return nil }); err == nil || n != 1 {
		t.Errorf("listed: got %v after %d entries, want an error after one", err, n)
	}
	if err := r.Diff(t.Context(), one, two, "", func(git.Change) error { return nil }); err == nil {
		t.Error("compared: got no error")
	}
}

func TestWhatChangedBetweenTwoCommits(t *testing.T) {
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t, format)
			r := w.repo()
			one := w.commit(r, "", files{"a/same": "1", "a/new": "2", "a/old name": "3", "b": "4"})
			two := w.commit(r, one, files{"a/new": "22", "a/old name": gone, "a/\xffname\n": "3", "b": "44"})
			diff := func(from, to git.OID, dir string) (got []string) {
				w.check(r.Diff(t.Context(), from, to, dir, func(c git.Change) error {
					what := "changed "
					switch {
					case c.Old == "":
						what = "added "
					case c.New == "":
						what = "deleted "
					}
					got = append(got, what+c.Path)
					return nil
				}))
				return got
			}
			for _, c := range []struct {
				from, to git.OID
				dir      string
				want     []string
			}{
				{one, two, "", []string{"changed a/new", "deleted a/old name", "added a/\xffname\n", "changed b"}},
				{one, two, "a", []string{"changed a/new", "deleted a/old name", "added a/\xffname\n"}},
				{one, two, "c", nil},
				{two, two, "", nil},
				{"", one, "a", []string{"added a/new", "added a/old name", "added a/same"}},
				{one, "", "b", nil},
				{one, "", "", []string{"deleted a/new", "deleted a/old name", "deleted a/same", "deleted b"}},
			} {
				if diff := cmp.Diff(c.want, diff(c.from, c.to, c.dir)); diff != "" {
					t.Errorf("%q: %s", c.dir, diff)
				}
			}
			same, err := r.SameTree(t.Context(), one, two)
			if err != nil || same {
				t.Errorf("two trees: got %v, %v, want that they differ", same, err)
			}
			back := w.commit(r, two, files{"a/new": "2", "a/old name": "3", "a/\xffname\n": gone, "b": "4"})
			if same, err := r.SameTree(t.Context(), one, back); err != nil || !same {
				t.Errorf("back again: got %v, %v, want the same tree", same, err)
			}
		})
	}
}
