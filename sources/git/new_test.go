package git_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/pipeline/pipelinetest"
)

func TestOnlyWhatChangedIsTaken(t *testing.T) {
	h := newHistory(t)
	h.commit(files{"same": "1", "change": "1", "mode": script, "to": "x", "d/gone": "1", "file": "1", "link": link + "same", "sub": module})
	r := newRun(t, h.config())
	r.must(t)
	want := files{"same": "1", "change": "1", "mode": script, "to": "x", "d/gone": "1", "file": "1"}
	r.has(t, want)

	none := r.must(t)
	if c := none.Counts; c.ObjectsRead != 0 || c.Deleted != 0 {
		t.Errorf("without a new commit: got %+v", c)
	}
	h.Git(t, "update-ref", "refs/heads/other", h.commit(files{"change": "2"})) // two commits, one pass
	h.commit(files{"to": gone, "d/renamed": "x", "d/gone": gone, "file": link + "same", "link": "a file", "sub": gone, "new": "n"})
	for path, content := range (files{"change": "2", "d/renamed": "x", "link": "a file", "new": "n", "to": gone, "d/gone": gone, "file": gone}) {
		want[path] = content
		if content == gone {
			delete(want, path)
		}
	}
	res := r.must(t)
	r.has(t, want)
	if c := res.Counts; c.ObjectsRead != 4 || c.Deleted != 3 {
		t.Errorf("got %+v, want 4 files and 3 deletes", c)
	}
}

func TestAModeAloneIsNoChange(t *testing.T) {
	h := newHistory(t)
	h.commit(files{"a": "1", "b": "1"})
	r := newRun(t, h.config())
	r.must(t)
	h.mode = "100755"
	h.commit(files{"a": "1", "b": "2"})
	if c := r.must(t).Counts; c.ObjectsRead != 1 {
		t.Errorf("got %+v, want one file", c)
	}
}

func TestFilesAndDirectoriesTakeEachOthersPlaces(t *testing.T) {
	h := newHistory(t)
	h.commit(files{"a": "file", "keep": "1"})
	r := newRun(t, h.config())
	r.must(t)
	h.commit(files{"a": gone, "a/b": "in a directory"})
	r.must(t)
	r.has(t, files{"a/b": "in a directory", "keep": "1"})
}

// TestARevertedHistoryIsFollowed: from one commit to another, back in smaller
// steps, and there again. What lanes have done before counts for nothing.
func TestARevertedHistoryIsFollowed(t *testing.T) {
	h := newHistory(t)
	one := h.commit(files{"a": "1", "b": "1"})
	half := h.commit(files{"a": "2"})
	two := h.commit(files{"b": "2"})
	states := map[string]files{one: {"a": "1", "b": "1"}, half: {"a": "2", "b": "1"}, two: {"a": "2", "b": "2"}}
	r := newRun(t, h.config())
	r.lanes = 2
	for i, at := range []string{one, two, half, one, two} {
		h.Git(t, "update-ref", "refs/heads/main", at)
		r.must(t)
		if r.has(t, states[at]); t.Failed() {
			t.Fatalf("after step %d", i)
		}
	}
}

func TestPatternsThatChangedTakeWhatTheyChoose(t *testing.T) {
	h := newHistory(t)
	h.commit(files{"a.yaml": "1", "b.txt": "1", "z.yaml": "1"})
	c := h.config()
	c.Include = []string{"*.yaml"}
	r := newRun(t, c)
	r.must(t)
	r.has(t, files{"a.yaml": "1", "z.yaml": "1"})
	r.Include = append(r.Include, "*.txt")
	r.must(t) // nothing was committed
	r.has(t, files{"a.yaml": "1", "b.txt": "1", "z.yaml": "1"})
	h.commit(files{"b.txt": gone, "z.yaml": gone, "c": "1"})
	r.Include = nil
	r.must(t)
	r.has(t, files{"a.yaml": "1", "c": "1"})
}

func TestDeletedFilesStayIfThatIsWanted(t *testing.T) {
	h := newHistory(t)
	h.commit(files{"a": "1", "b": "1"})
	c := h.config()
	c.Deletes = "ignore"
	r := newRun(t, c)
	r.must(t)
	h.commit(files{"a": gone, "b": "2"})
	r.must(t)
	r.has(t, files{"a": "1", "b": "2"})
}

func TestADirectoryThatIsGoneIsDeleted(t *testing.T) {
	h := newHistory(t)
	h.commit(files{"d/a": "1", "d/b/c": "1", "x": "1"})
	c := h.config()
	c.Path = "d"
	r := newRun(t, c)
	r.must(t)
	r.has(t, files{"a": "1", "b/c": "1"})
	h.commit(files{"d/a": gone, "d/b/c": gone})
	r.must(t)
	r.has(t, files{})
}

func TestAFullPassIsFollowedByWhatIsNew(t *testing.T) {
	h := newHistory(t)
	h.commit(files{"a": "1", "b": "1"})
	r := newRun(t, h.config())
	r.full = true
	r.must(t)
	h.commit(files{"a": gone, "b": "2"})
	r.full = false
	if c := r.must(t).Counts; c.ObjectsRead != 1 || c.Deleted != 1 {
		t.Errorf("got %+v, want one file and one delete", c)
	}
	r.has(t, files{"b": "2"})
}

// TestWhatIsGoneFromTheServer: the commit of the last pass, and that of an
// interrupted one.
func TestWhatIsGoneFromTheServer(t *testing.T) {
	h := newHistory(t)
	first := h.commit(files{"a": "1"})
	h.commit(files{"a": "2", "b": "2"})
	r := newRun(t, h.config())
	r.must(t)
	h.drop(first)
	h.commit(files{"c": "3"})
	_, err := r.run(t)
	says(t, "the last commit", err, "cannot be known what was deleted since")
	says(t, "the remedy", err, "sluice checkpoint reset")
	r.has(t, files{"a": "2", "b": "2"})
	interrupted := newRun(t, h.config())
	interrupted.world.Mode, interrupted.world.At = pipelinetest.Crash, 5
	if _, err := interrupted.run(t); err == nil {
		t.Fatal("it was not interrupted")
	}
	interrupted.world.At = 0
	h.drop(first)
	h.commit(files{"d": "4"})
	_, err = interrupted.run(t)
	says(t, "the commit of the pass", err, "which the interrupted pass reads, is no longer")
}

// TestAnInterruptedPassGoesOnWithItsCommit: killed at one operation after
// another while the branch is rewritten. The pass has the commit it was planned
// with, and the one after it what the branch has by then.
func TestAnInterruptedPassGoesOnWithItsCommit(t *testing.T) {
	for at := 1; ; at += 2 {
		h := newHistory(t)
		first := h.commit(files{"a": "1", "b": "1", "c/d": "1"})
		r := newRun(t, h.config())
		r.must(t)
		second := h.commit(files{"a": "2", "b": gone, "e": "2"})
		r.world.Mode, r.world.At = pipelinetest.Crash, r.world.Ops()+at
		if _, err := r.run(t); err == nil {
			if at < 8 {
				t.Fatalf("only %d operations", at)
			}
			return
		}
		h.Git(t, "update-ref", "refs/heads/kept", second)
		h.Git(t, "update-ref", "refs/heads/main", first)
		h.commit(files{"a": "2", "x": "3"})
		r.world.At = 0
		r.must(t)
		if planned := !strings.Contains(r.log.String(), "commit of the pass"); planned {
			r.has(t, files{"a": "2", "c/d": "1", "e": "2"})
		}
		r.must(t)
		if r.has(t, files{"a": "2", "b": "1", "c/d": "1", "x": "3"}); t.Failed() {
			t.Fatalf("killed at operation %d", at)
		}
	}
}

// TestAnyHistoryIsFollowed: whatever is committed, and however often a run is
// stopped, the directory is in the end what the commit has.
func TestAnyHistoryIsFollowed(t *testing.T) {
	for seed := range 5 {
		h := newHistory(t)
		r := newRun(t, h.config())
		random := rand.New(rand.NewPCG(uint64(seed), 0))
		r.lanes = 1 + random.IntN(3)
		now := files{}
		for pass := range 3 {
			changes := files{fmt.Sprint("at/", pass): "x"}
			for range random.IntN(7) {
				name := []string{"a/1", "a/2", "a-b", "b/c/1", "b/c/2", "z"}[random.IntN(6)]
				changes[name] = []string{"1", "2", gone}[random.IntN(3)]
			}
			maps.Copy(now, changes)
			maps.DeleteFunc(now, func(_, content string) bool { return content == gone })
			h.commit(changes)
			r.world.At = r.world.Ops() + 1 + random.IntN(5)
			if _, err := r.run(t); err != nil {
				t.Fatal(err)
			}
			r.world.At = 0
			r.must(t)
		}
		r.must(t)
		if r.has(t, now); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
