package mirror_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"sluice/internal/kind"
	"sluice/internal/roll"
	"sluice/internal/unit"
	"sluice/pipeline"
)

func TestATargetBecomesWhatTheSourceHas(t *testing.T) {
	for _, key := range []string{"to/{key}", "to/{key}.gz"} { // the order of the two sides is not the same
		j := newJob(some())
		j.key = key
		res := j.must(t)
		j.same(t, "first pass", nil)
		if n := len(j.took()); n != 7 || res.Counts.ObjectsWritten != 7 {
			t.Errorf("first pass: %d opened, %d written, want 7", n, res.Counts.ObjectsWritten)
		}
		res = j.must(t)
		j.same(t, "nothing new", nil)
		equal(t, "opened though nothing is new", j.took(), nil)
		if res.Counts.Skipped != 7 || res.Counts.Deleted != 0 {
			t.Errorf("nothing new: got %+v, want 7 skipped", res.Counts)
		}
		j.files["b"], j.files["n"] = "changed", "new"
		delete(j.files, "a-b")
		delete(j.files, "z")
		res = j.must(t)
		j.same(t, "second pass", nil)
		equal(t, "opened", j.took(), []string{"b", "n"})
		if res.Counts.Deleted != 2 || res.Counts.Skipped != 4 {
			t.Errorf("got %+v, want 2 deleted, 4 skipped", res.Counts)
		}
		if n := j.rows(); n != 6 {
			t.Errorf("%d rows are kept, want one for each of 6 keys", n)
		}
		equal(t, "asked about", j.asked, nil)
	}
}

// change is what happens to the source between two passes.
func change(files map[string]string) {
	files["b"], files["n"] = "changed", "new"
	delete(files, "a-b")
	delete(files, "c/d/e")
}

// TestACrashAnywhereChangesNothing crashes in the second pass at every
// operation, goes on, and then makes a third pass.
func TestACrashAnywhereChangesNothing(t *testing.T) {
	last := 0
	for at, more := 1, true; more && !t.Failed(); at++ {
		last = at
		j := newJob(some())
		j.objects["to/theirs"] = object{nil, "x"}
		j.must(t)
		change(j.files)
		j.took()
		j.world.At = j.world.Ops() + at
		what := fmt.Sprint("crash at ", at)
		res, err := j.run(t.Context())
		j.world.At = 0
		if more = err != nil; more {
			j.world.Restart()
			done := map[string]bool{} // copied and saved: not to be copied again
			j.store.Range("sink.mirror", "", func(key string, v []byte) error {
				done[strings.TrimPrefix(key, "to/")] = strings.Contains(string(v), `"written","version":"changed"`) || strings.Contains(string(v), `"written","version":"new"`)
				return nil
			})
			j.took()
			res, err = j.run(t.Context())
			for _, key := range j.took() {
				if done[key] {
					t.Errorf("%s: %s was copied again", what, key)
				}
			}
		}
		if err != nil || !res.Complete {
			t.Fatalf("%s: got %+v, %v", what, res, err)
		}
		j.same(t, what, map[string]string{"to/theirs": "x"})
		j.took()
		j.must(t)
		equal(t, what+": opened by a third pass", j.took(), nil)
		j.same(t, what+", third pass", map[string]string{"to/theirs": "x"})
		if n := j.rows(); n != 7 {
			t.Errorf("%s: %d rows are kept, want one for each of 6 keys and the foreign one", what, n)
		}
	}
	if last < 16 {
		t.Errorf("a pass has %d operations, want more", last)
	}
}

// TestAKeyThatGoesBetweenARunAndTheNextIsDeleted: what an interrupted walk has
// seen is not what the source has.
func TestAKeyThatGoesBetweenARunAndTheNextIsDeleted(t *testing.T) {
	j := newJob(some())
	j.must(t)
	j.broken, j.lanes = "z", 1
	if res, err := j.run(t.Context()); err == nil || res.Complete {
		t.Fatalf("got %+v, %v, want an error", res, err)
	}
	j.broken = ""
	delete(j.files, "a")
	j.must(t)
	j.same(t, "after the interrupted walk", nil)
}

func TestNothingIsDeletedWhenTheListingIsCut(t *testing.T) {
	for _, cut := range []string{"a", "b", "z"} {
		j := newJob(some())
		j.must(t)
		j.files["b"] = "changed"
		delete(j.files, "a-b")
		delete(j.files, "é")
		j.broken = cut
		res, err := j.run(t.Context())
		if err == nil || res.Complete || !strings.Contains(err.Error(), "the listing was cut") {
			t.Errorf("cut at %s: got %+v, %v, want the error", cut, res, err)
		}
		if j.contents()["to/a-b"] == "" || j.contents()["to/é"] == "" || res.Counts.Deleted != 0 {
			t.Errorf("cut at %s: got %q, want nothing deleted", cut, j.contents())
		}
		j.broken = ""
		j.must(t)
		j.same(t, "again", nil)
	}
}

func TestMoreThanMaxDeleteIsRefused(t *testing.T) {
	for text, allowed := range map[string]bool{"42%": false, "3": true, "2": false, "43%": true, "0": false} {
		j := newJob(some())
		j.objects["to/theirs"], j.objects["elsewhere"] = object{nil, "x"}, object{nil, "x"} // neither counts
		j.must(t)
		j.files["b"] = "changed"
		for _, key := range []string{"a", "a-b", "z"} {
			delete(j.files, key)
		}
		if err := j.most.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		res, err := j.run(t.Context())
		if allowed {
			if err != nil || !res.Complete {
				t.Errorf("%s: got %+v, %v", text, res, err)
			}
			continue
		}
		want := "3 of 7 objects below bucket/to/ are to be deleted, more than max_delete: " + text + " allows: nothing was deleted; if the source is as it should be, run with --max-delete 3"
		if err == nil || res.Complete || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
		if got := j.contents(); len(got) != 9 || got["to/b"] != "changed" {
			t.Errorf("%s: got %q, want all objects", text, got)
		}
		j.most, j.opened = unit.Share(3), nil
		res = j.must(t)
		equal(t, "opened again", j.took(), nil)
		j.same(t, text+", then 3", map[string]string{"to/theirs": "x", "elsewhere": "x"})
		if res.Counts.Deleted != 3 {
			t.Errorf("%s, then 3: got %+v, want 3 deleted", text, res.Counts)
		}
	}
}

func TestWhatComesBackAfterARefusalStays(t *testing.T) {
	j := newJob(some())
	j.must(t)
	delete(j.files, "a")
	j.most = unit.Share(0)
	if res, err := j.run(t.Context()); err == nil || res.Complete {
		t.Fatalf("got %+v, %v, want that it is refused", res, err)
	}
	j.files["a"], j.most = "1", unit.Percent(100)
	j.must(t)
	j.same(t, "target", nil)
}

func TestObjectsOfOthersStay(t *testing.T) {
	j := newJob(some())
	j.objects["to/theirs"], j.objects["tofu"] = object{nil, "x"}, object{nil, "y"}
	j.must(t)
	j.same(t, "own", map[string]string{"to/theirs": "x", "tofu": "y"})
	equal(t, "asked about", j.asked, []string{"to/theirs"})
	j.must(t)
	equal(t, "asked about once more", j.asked, []string{"to/theirs"})
	j.objects["to/theirs"] = object{&roll.Owner{Pipeline: "p"}, "z"}
	j.must(t)
	j.same(t, "ours by now", map[string]string{"tofu": "y"})

	j = newJob(some())
	j.objects["to/theirs"], j.objects["tofu"] = object{nil, "x"}, object{nil, "y"}
	j.overwrite = roll.Always
	j.must(t)
	j.same(t, "always", map[string]string{"tofu": "y"})
	equal(t, "always: asked about", j.asked, nil)
}

func TestWhatOthersDidToTheTargetIsPutRight(t *testing.T) {
	j := newJob(some())
	j.must(t)
	j.took()
	delete(j.objects, "to/a")
	j.objects["to/b"] = object{j.objects["to/b"].owner, "tampered with"}
	j.must(t)
	j.same(t, "between passes", nil)
	equal(t, "between passes: opened", j.took(), []string{"a", "b"})

	j.lanes = 1
	j.before = func(key string) {
		if key == "z" { // the others were seen
			j.world.Look(func() {
				delete(j.objects, "to/a")
				j.objects["to/b"] = object{j.objects["to/b"].owner, "tampered with"}
			})
		}
	}
	delete(j.files, "a-b")
	want := "2 of 6 objects below bucket/to/ were changed or removed by others, the last of them bucket/to/b"
	if res, err := j.run(t.Context()); err == nil || res.Complete || !strings.Contains(err.Error(), want) {
		t.Errorf("during a pass: got %+v, %v, want %q", res, err, want)
	}
	if j.contents()["to/a-b"] == "" {
		t.Error("an object was deleted though the mirror differs")
	}
	j.before = nil
	j.must(t)
	j.same(t, "after it", nil)
	equal(t, "after it: opened", j.took(), []string{"a", "b"})
}

func TestAnObjectThatChangesBeforeItIsDeletedStays(t *testing.T) {
	j := newJob(some())
	j.must(t)
	delete(j.files, "a")
	delete(j.files, "b")
	j.beforeDel = func(key string) {
		if key == "to/a" {
			j.world.Look(func() { j.objects[key] = object{nil, "just put"} })
		}
	}
	res := j.must(t)
	j.same(t, "target", map[string]string{"to/a": "just put"})
	if res.Counts.Deleted != 1 {
		t.Errorf("got %+v, want 1 deleted", res.Counts)
	}
}

func TestWhatCannotBeHadIsNotDeleted(t *testing.T) {
	j := newJob(some())
	j.must(t)
	j.files["a"], j.files["n"] = "changed, unreadable", "new, unreadable"
	j.gone, j.giveUp = map[string]bool{"a": true, "n": true}, true
	delete(j.files, "z")
	res := j.must(t)
	if got := j.contents(); res.Counts.GivenUp != 2 || got["to/a"] != "1" || len(got) != 6 {
		t.Errorf("got %+v, %q, want 2 given up, and a as it was", res.Counts, got)
	}
	j.gone = nil
	j.must(t)
	j.same(t, "when it can be had", nil)
}

func TestOtherTransformsWriteAllAgain(t *testing.T) {
	j := newJob(some())
	j.bytes = "gzip level 1"
	j.must(t)
	j.took()
	j.bytes = "gzip level 9"
	j.must(t)
	if n := len(j.took()); n != 7 {
		t.Errorf("%d were written again, want all 7", n)
	}
}

func TestFinishTwiceIsFinishOnce(t *testing.T) {
	j := newJob(some())
	j.twice = true
	j.must(t)
	change(j.files)
	j.files["a"] = "changed, too"
	res := j.must(t)
	j.same(t, "target", nil)
	if res.Counts.Deleted != 2 {
		t.Errorf("got %+v, want 2 deleted", res.Counts)
	}
}

func TestADeleteOfTheSourceIsNoDifference(t *testing.T) {
	j := newJob(some())
	j.must(t)
	res, err := (&pipeline.Pipeline{Name: "p", Source: deletes{j.tree}, Sink: sink{j}, Store: j.store}).Run(t.Context())
	delete(j.files, "b")
	if err != nil || !res.Complete || res.Counts.Deleted != 1 {
		t.Errorf("got %+v, %v, want 1 deleted", res, err)
	}
	j.same(t, "target", nil)
}

// deletes gives the item b as deleted.
type deletes struct{ *tree }

func (d deletes) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return d, nil }

func (d deletes) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	between := make(chan *pipeline.Item, 100)
	if err := d.tree.Read(ctx, lane, from, between); err != nil {
		return err
	}
	close(between)
	for it := range between {
		if it.Key == "b" {
			it.Body, it.Delete = nil, true
		}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
	return nil
}

func TestSeveralVersionsOfAKeyAreRefused(t *testing.T) {
	j := newJob(map[string]string{"a": "1", "b": "2"})
	j.again = "a"
	if res, err := j.run(t.Context()); err == nil || res.Complete || !strings.Contains(err.Error(), "the source gives several of a") {
		t.Errorf("got %+v, %v, want that it is refused", res, err)
	}
}

func TestADryRunSaysWhatWouldBeAndChangesNothing(t *testing.T) {
	j := newJob(some())
	j.must(t)
	change(j.files)
	j.objects["to/a"] = object{j.objects["to/a"].owner, "tampered with"}
	j.took()
	before := maps.Clone(j.objects)
	var said []string
	j.dry = func(c kind.Change) {
		j.mu.Lock()
		defer j.mu.Unlock()
		said = append(said, fmt.Sprintf("%s %s %d", c.What, c.Name, c.Size))
	}
	res := j.must(t)
	slices.Sort(said)
	equal(t, "said", said, []string{"changed bucket/to/a 1", "changed bucket/to/b 7", "gone bucket/to/a-b 1", "gone bucket/to/c/d/e 1",
		"new bucket/to/n 3", "same bucket/to/a/b 1", "same bucket/to/z 1", "same bucket/to/é 1"})
	equal(t, "opened", j.took(), nil)
	if !maps.Equal(j.objects, before) || res.Counts.Deleted != 0 {
		t.Errorf("got %q, %+v, want nothing changed", j.contents(), res.Counts)
	}
}
