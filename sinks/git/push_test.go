package git_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/pipeline"
	"sluice/sinks/git"
)

// hook makes a hook of the repository.
func (w *world) hook(name, script string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "hooks", name), []byte("#!/bin/sh\n"+script), 0o777); err != nil {
		w.Fatal(err)
	}
}

// once calls f the first time that it is called.
func once(f func()) func() error {
	done := make(chan struct{}, 1)
	done <- struct{}{}
	return func() error {
		select {
		case <-done:
			f()
		default:
		}
		return nil
	}
}

func TestAnotherWriterWasFirst(t *testing.T) {
	w := newWorld(t)
	f := files{"a": "1", "b": "2", "c": "3", "d/e": "4"}
	w.sync(f)
	f["a"], f["n"] = "mine", "new"
	delete(f, "c")
	theirs := map[string]string{"theirs/x": "x", "live/b": "theirs", "live/d": "", "live/d/e": "", "live/d/e/f": "theirs", "live/more": "theirs"}
	s := &source{files: f, end: once(func() { w.others(theirs) })}
	res := w.must(s)
	w.has(under(f, map[string]string{"theirs/x": "x"}))
	if w.commits() != 3 || len(s.opened) != 2 || res.Counts.Deleted != 3 {
		t.Errorf("got %d commits, opened %q, %+v; want 3, two opened, 3 deleted", w.commits(), s.opened, res.Counts)
	}
}

// TestOtherWritersAreFirstManyTimes lets the branch move while it is pushed to.
func TestOtherWritersAreFirstManyTimes(t *testing.T) {
	w := newWorld(t)
	f := files{"a": "1"}
	w.sync(f)
	w.hook("pre-receive", `unset GIT_QUARANTINE_PATH
echo x >>raced
[ $(wc -l <raced) -gt 3 ] && exit 0
commit=$(git -c user.name=o -c user.email=o@o commit-tree -p main -m others main^{tree}) && git update-ref refs/heads/main $commit
`)
	f["a"] = "2"
	w.sync(f)
	w.has(under(f, nil))
	if got := w.git("log", "--format=%s", "main"); strings.Count(got, "others") != 3 || !strings.HasPrefix(got, "Sync") {
		t.Errorf("got\n%s", got)
	}
}

func TestTwoOnOneDirectoryDoNotMix(t *testing.T) {
	w, v := newWorld(t), newWorld(t)
	v.URL, v.dir = w.URL, w.dir
	w.MaxDelete, v.MaxDelete = 1000, 1000
	f, g := files{"a": "1", "b": "2", "x": "3"}, files{"a": "10", "b": "2", "y": "30"}
	w.must(&source{files: f, end: once(func() {
		v.sync(g)
		w.has(under(g, nil))
	})})
	w.has(under(f, nil))
	v.sync(g)
	w.has(under(g, nil))
}

func TestANewBranchBesidesOthers(t *testing.T) {
	w := newWorld(t)
	w.others(map[string]string{"README": "x"})
	w.Branch = "snapshots/live"
	w.sync(files{"a": "1"})
	if got := w.git("ls-tree", "-r", "--name-only", "snapshots/live"); got != "live/a" {
		t.Errorf("got %q", got)
	}
}

func TestARefusedPushLeavesTheBranchAndIsExplained(t *testing.T) {
	w := newWorld(t)
	w.hook("pre-receive", "echo no secrets here >&2; exit 1")
	_, err := w.run(&source{files: files{"a": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no secrets here") || w.commits() != 0 {
		t.Errorf("got %v, %d commits", err, w.commits())
	}
	os.Remove(filepath.Join(w.dir, "hooks", "pre-receive"))
	w.sync(files{"a": "1"})
	w.has(under(files{"a": "1"}, nil))
}

func TestWhatIsRememberedMayBeInTheRepository(t *testing.T) {
	w := newWorld(t)
	w.Remember = "repository"
	f := files{"a": "1", "b/c": "2", "d": "3"}
	sync := func(reads int) {
		t.Helper()
		w.store = newWorld(t).store
		if _, opened := w.sync(f); len(opened) != reads {
			t.Errorf("opened %q, want %d", opened, reads)
		}
		w.has(under(f, nil))
	}
	sync(3)
	refs := w.git("for-each-ref")
	sync(0)
	if got := w.git("for-each-ref"); got != refs {
		t.Errorf("refs: got %s, want %s", got, refs)
	}
	f["a"] = "changed"
	delete(f, "d")
	sync(1)
	sync(0)
	w.git("update-ref", "-d", "refs/sluice/p")
	sync(2)
	sync(0)
	w.hook("pre-receive", `while read old new ref; do [ $ref = refs/sluice/p ] && exit 1; done; exit 0`)
	f["a"] = "again"
	if _, err := w.run(&source{files: f}); err == nil {
		t.Error("got no error, want one of the hook")
	}
	if got := w.tree("main")["live/a"]; got != "changed" {
		t.Errorf("the branch moved without what is remembered: got %q", got)
	}
}

func TestCommitsAreSigned(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip(err)
	}
	w := newWorld(t)
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	signers := filepath.Join(t.TempDir(), "signers")
	if err := os.WriteFile(signers, append([]byte("a@example.org "), public...), 0o666); err != nil {
		t.Fatal(err)
	}
	w.Sign.Key, w.Sign.Format, w.Group = key, "ssh", 1
	w.sync(files{"a/x": "1", "b/x": "2"})
	w.sync(files{"a/x": "3", "b/x": "2"})
	for _, c := range strings.Fields(w.git("rev-list", "main")) {
		w.git("-c", "gpg.ssh.allowedSignersFile="+signers, "verify-commit", c)
	}
	if n := w.commits(); n != 3 {
		t.Errorf("got %d commits, want 3", n)
	}
	w.has(under(files{"a/x": "3", "b/x": "2"}, nil))
}

// TestALargePushGoesInParts counts what the server got: each file once.
func TestALargePushGoesInParts(t *testing.T) {
	for _, before := range []string{"an empty repository", "a root commit", "a history"} {
		t.Run(before, func(t *testing.T) {
			w := newWorld(t)
			w.git("config", "receive.unpackLimit", "1")
			more := map[string]string{}
			switch before {
			case "a history":
				w.others(map[string]string{"y": "y"})
				more["y"] = "y"
				fallthrough
			case "a root commit":
				w.others(map[string]string{"x": "x"})
				more["x"] = "x"
			}
			w.git("update-ref", "refs/sluice/staging/p", w.git("-c", "user.name=o", "-c", "user.email=o@o", "commit-tree", "-m", "left", w.git("mktree", "--missing")))
			w.tune = func(s pipeline.Sink) { git.SetStage(s, 300<<10) }
			w.hook("post-receive", "cat >>pushes; echo >>pushes")
			f := files{}
			random := rand.NewChaCha8([32]byte{})
			for i := range 8 {
				b := make([]byte, 200<<10)
				random.Read(b)
				f[fmt.Sprint("f", i)] = string(b)
			}
			w.sync(f)
			w.has(under(f, more))
			if got := w.git("for-each-ref", "--format=%(refname)"); got != "refs/heads/main" {
				t.Errorf("refs: got %q", got)
			}
			pushes, _ := os.ReadFile(filepath.Join(w.dir, "pushes"))
			if n := strings.Count(string(pushes), "\n\n"); n != 1+4+1 {
				t.Errorf("got %d pushes, want 6:\n%s", n, pushes)
			}
			var sum int64
			packs, _ := filepath.Glob(filepath.Join(w.dir, "objects/pack/*.pack"))
			for _, p := range packs {
				info, err := os.Stat(p)
				if err != nil {
					t.Fatal(err)
				}
				sum += info.Size()
			}
			if most := int64(8*200<<10 + 100<<10); sum > most {
				t.Errorf("the server got %d bytes, want at most %d", sum, most)
			}
		})
	}
}
