package git_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"sluice/internal/git"
	"sluice/internal/unit"
)

const branch = "refs/heads/main"

// hook makes a hook of the remote.
func (w *world) hook(name, script string) {
	w.Helper()
	w.check(os.WriteFile(filepath.Join(w.dir, "hooks", name), []byte("#!/bin/sh\n"+script), 0o700))
}

func TestTheSecondOfTwoPushesIsRaced(t *testing.T) {
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t, format)
			base := w.seed(files{"a": "1", "b": "1"})
			mine, theirs := w.repo(), w.repo()
			for _, r := range []*git.Repo{mine, theirs} {
				_, err := r.Fetch(t.Context(), git.Want{Ref: branch})
				w.check(err)
			}
			tip := w.commit(mine, base, files{"a": "2"})
			other := w.push(theirs, base, files{"b": "2"})
			err := mine.Push(t.Context(), git.Update{Ref: branch, Old: base, New: tip})
			if !errors.Is(err, git.ErrRaced) {
				t.Fatalf("got %v, want ErrRaced", err)
			}
			// The same change on the new tip: the blob is here already.
			now, err := mine.Fetch(t.Context(), git.Want{Ref: branch})
			w.check(err)
			if now != other {
				t.Errorf("new tip: got %s, want %s", now, other)
			}
			h := mine.BlobOID(1)
			h.Write([]byte("2"))
			im, err := mine.Import(t.Context())
			w.check(err)
			defer im.Close()
			im.Begin(git.Commit{Ref: branch, Parent: now, Author: who, Committer: who, When: when, Message: "m"})
			im.Modify("a", h.Sum())
			ids, err := im.Done()
			w.check(err)
			w.check(mine.Push(t.Context(), git.Update{Ref: branch, Old: now, New: ids[0]}))
			if diff := cmp.Diff(files{"a": "2", "b": "2"}, w.tree("main")); diff != "" {
				t.Error(diff)
			}
			w.git("fsck", "--strict")
		})
	}
}

// TestAPushThatComesSecondInTheServerIsRaced also if it is of several references.
func TestAPushThatComesSecondInTheServerIsRaced(t *testing.T) {
	for _, several := range []bool{false, true} {
		w := newWorld(t, "sha1")
		r := w.repo()
		one := w.push(r, "", files{"a": "1"})
		two := w.push(r, one, files{"a": "2"})
		w.git("update-ref", branch, string(one))
		w.hook("pre-receive", "unset GIT_QUARANTINE_PATH; git update-ref "+branch+" "+string(two))
		tip := w.commit(r, one, files{"a": "3"})
		updates := []git.Update{{Ref: branch, Old: one, New: tip}}
		if several {
			updates = append(updates, git.Update{Ref: "refs/heads/other", New: tip})
		}
		if err := r.Push(t.Context(), updates...); !errors.Is(err, git.ErrRaced) {
			t.Errorf("several %v: got %v, want ErrRaced", several, err)
		}
		if got := w.git("rev-parse", "main"); got != string(two) {
			t.Errorf("several %v: main: got %s, want %s", several, got, two)
		}
	}
}

func TestManyWritersOfABranchAllLand(t *testing.T) {
	w := newWorld(t, "sha1")
	base := w.seed(files{"a": "1"})
	const writers, each = 4, 3
	var g errgroup.Group
	for i := range writers {
		r := w.repo()
		g.Go(func() error {
			for k := range each {
				if err := w.land(r, fmt.Sprintf("dir%d/%d", i, k)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	w.check(g.Wait())
	if got, want := w.git("rev-list", "--count", string(base)+"..main"), fmt.Sprint(writers*each); got != want {
		t.Errorf("commits: got %s, want %s", got, want)
	}
	if got := len(w.tree("main")); got != 1+writers*each {
		t.Errorf("files: got %d, want %d", got, 1+writers*each)
	}
	w.git("fsck", "--strict")
}

// land makes a commit of a file upon the branch until it is the first. Every
// second one has a reference of its own, too.
func (w *world) land(r *git.Repo, name string) error {
	for {
		base, err := r.Fetch(w.Context(), git.Want{Ref: branch})
		if err != nil {
			return err
		}
		im, err := r.Import(w.Context())
		if err != nil {
			return err
		}
		err = add(im, r, git.Commit{Ref: branch, Parent: base, Message: "m"}, files{name: "x"})
		if err != nil {
			return err
		}
		ids, err := im.Done()
		if err != nil {
			return err
		}
		if err := im.Close(); err != nil {
			return err
		}
		updates := []git.Update{{Ref: branch, Old: base, New: ids[0]}}
		if name[len(name)-1]&1 != 0 {
			updates = append(updates, git.Update{Ref: "refs/sluice/" + name, New: ids[0]})
		}
		err = r.Push(w.Context(), updates...)
		if !errors.Is(err, git.ErrRaced) {
			return err
		}
	}
}

func TestABranchThatWentBackIsRaced(t *testing.T) {
	w := newWorld(t, "sha1")
	r := w.repo()
	one := w.push(r, "", files{"a": "1"})
	two := w.push(r, one, files{"a": "2"})
	tip := w.commit(r, two, files{"a": "3"})
	w.git("update-ref", branch, string(one))
	if err := r.Push(t.Context(), git.Update{Ref: branch, Old: two, New: tip}); !errors.Is(err, git.ErrRaced) {
		t.Errorf("got %v, want ErrRaced", err)
	}
}

func TestABranchThatMustNotExistIsRaced(t *testing.T) {
	w := newWorld(t, "sha1")
	w.seed(files{"a": "1"})
	r := w.repo()
	tip := w.commit(r, "", files{"a": "2"})
	if err := r.Push(t.Context(), git.Update{Ref: branch, New: tip}); !errors.Is(err, git.ErrRaced) {
		t.Errorf("got %v, want ErrRaced", err)
	}
	if diff := cmp.Diff(files{"a": "1"}, w.tree("main")); diff != "" {
		t.Error(diff)
	}
}

func TestSeveralReferencesMoveTogetherOrNotAtAll(t *testing.T) {
	w := newWorld(t, "sha1")
	r := w.repo()
	const own = "refs/sluice/own"
	one := w.commit(r, "", files{"a": "1"})
	w.check(r.Push(t.Context(), git.Update{Ref: branch, New: one}, git.Update{Ref: own, New: one}))
	two := w.commit(r, one, files{"a": "2"})
	w.git("update-ref", "-d", own)
	if err := r.Push(t.Context(), git.Update{Ref: branch, Old: one, New: two}, git.Update{Ref: own, Old: one, New: two}); !errors.Is(err, git.ErrRaced) {
		t.Errorf("got %v, want ErrRaced", err)
	}
	if got := w.git("rev-parse", "main"); got != string(one) {
		t.Errorf("main: got %s, want %s as it was", got, one)
	}
	w.check(r.Push(t.Context(), git.Update{Ref: own, New: one}))
	w.check(r.Push(t.Context(), git.Update{Ref: branch, Old: one, New: two}, git.Update{Ref: own, Old: one}))
	if got, err := r.Resolve(t.Context(), own); got != "" || err != nil {
		t.Errorf("deleted: got %q, %v, want none", got, err)
	}
}

// TestALostAnswerIsFoundOut also holds if the push was tried again before: then
// it comes second after itself.
func TestALostAnswerIsFoundOut(t *testing.T) {
	for _, retry := range []time.Duration{0, 5 * time.Second} {
		w := newWorld(t, "sha1")
		c := git.Config{URL: "file://" + w.dir, Retry: unit.Duration(retry)}
		var err error
		w.remote, err = c.Remote()
		w.check(err)
		w.hook("post-receive", "kill -9 $PPID\n") // receive-pack, after the reference moved
		r := w.repo()
		one := w.commit(r, "", files{"a": "1"})
		for _, ref := range []string{branch, "refs/heads/other"} {
			w.check(r.Push(t.Context(), git.Update{Ref: ref, New: one}))
			if got := w.git("rev-parse", ref); got != string(one) {
				t.Errorf("%s: got %s, want %s", ref, got, one)
			}
		}
		w.check(r.Push(t.Context(), git.Update{Ref: "refs/heads/other", Old: one})) // a deletion, too
	}
}

func TestAConnectionThatIsCutBeforeIsNoSuccess(t *testing.T) {
	w := newWorld(t, "sha1")
	w.hook("pre-receive", "kill -9 $PPID\n")
	r := w.repo()
	one := w.commit(r, "", files{"a": "1"})
	if err := r.Push(t.Context(), git.Update{Ref: branch, New: one}); err == nil || errors.Is(err, git.ErrRaced) {
		t.Errorf("got %v, want an error that is no race", err)
	}
	if got, err := r.Resolve(t.Context(), branch); got != "" || err != nil {
		t.Errorf("main: got %q, %v, want none", got, err)
	}
}

func TestACommitUponABaseWithoutBlobsNeedsNothingOfThem(t *testing.T) {
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t, format)
			all, random := files{}, &noise{1}
			for _, name := range []string{"a", "b", "c", "d"} {
				content := make([]byte, 20_000)
				random.Read(content)
				all["dir/"+name] = string(content)
			}
			w.seed(all)
			w.git("repack", "-adq")
			r := w.repo()
			base, err := r.Fetch(t.Context(), git.Want{Ref: branch})
			w.check(err)
			got := r.Received()
			if got == 0 || got > 2000 {
				t.Errorf("received: got %d bytes, want trees alone", got)
			}
			if paths, sizes := w.list(r, base, "dir"); len(paths) != 4 || sizes[0] != -1 {
				t.Errorf("listed: got %q, %d", paths, sizes)
			}
			before := w.objects()
			w.push(r, base, files{"dir/a": "new" + all["dir/a"], "dir/b": gone})
			if n := w.objects() - before; n != 4 || r.Received() != got {
				t.Errorf("objects that were made or came: got %d and %d bytes, want a blob, two trees and a commit", n, r.Received()-got)
			}
			if sent := r.Sent(); sent < 20_000 || sent > 22_000 {
				t.Errorf("sent: got %d bytes, want those of one blob", sent)
			}
			w.git("fsck", "--strict")
		})
	}
}
