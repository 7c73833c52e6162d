package git_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
)

func TestABranchBecomesWhatTheSourceHas(t *testing.T) {
	w := newWorld(t)
	theirs := map[string]string{"README.md": "read me", "other/x": "x", "live.txt": "beside"}
	w.others(theirs)
	f := files{"a": "1", "a-b/c": "2", "b/c/d": "3", "é": "4", "e": "", "big": strings.Repeat("0123456789", 100_000)}
	if res, _ := w.sync(f); res.Counts.ObjectsWritten != 6 {
		t.Errorf("first pass: got %+v, want 6 written", res.Counts)
	}
	w.has(under(f, theirs))

	f["a"], f["n"], f["moved"] = "changed", "new", f["b/c/d"]
	delete(f, "b/c/d")
	delete(f, "é")
	res, opened := w.sync(f)
	if c := res.Counts; c.ObjectsWritten != 3 || c.Deleted != 2 || c.Skipped != 3 {
		t.Errorf("second pass: got %+v, want 3 written, 2 deleted, 3 skipped", c)
	}
	if want := []string{"a", "moved", "n"}; !slices.Equal(opened, want) {
		t.Errorf("second pass: opened %v, want %v", opened, want)
	}
	w.has(under(f, theirs))
	got := w.git("log", "-1", "--format=%an <%ae> %cn%n%B", "main")
	want := "A <a@example.org> A\nSync 2 added, 1 changed, 2 deleted\n\nlive: 2 added, 1 changed, 1 deleted\nlive/b/c: 1 deleted\n\nSluice-Pipeline: p\nSluice-Source: s3 bucket\nSluice-Pass: 2"
	if got != want {
		t.Errorf("commit: got\n%s\nwant\n%s", got, want)
	}
}

func TestTheSinkKnowsHowManyDirectoriesThereAre(t *testing.T) {
	w := newWorld(t)
	w.MaxDelete = unit.Percent(100)
	w.others(map[string]string{"other/x": "x"})
	var sink interface{ Directories() int64 }
	w.tune = func(s pipeline.Sink) { sink = s.(interface{ Directories() int64 }) }
	for want, f := range map[int64]files{
		0: {"a": "1", "b": "2"},
		3: {"a": "1", "one/a": "2", "one/b/c": "3", "one/d/e": "4", "three": "5", "three-/x": "6", "two/x": "7"},
	} {
		w.sync(f)
		if got := sink.Directories(); got != want {
			t.Errorf("%v: got %d, want %d", f, got, want)
		}
	}
}

func TestNoChangeMakesNoCommitAndOpensNothing(t *testing.T) {
	w := newWorld(t)
	f := files{"a": "1", "b/c": "2"}
	w.sync(f)
	tip := w.git("rev-parse", "main")
	res, opened := w.sync(f)
	if got := w.git("rev-parse", "main"); got != tip || len(opened) != 0 || res.Counts.Skipped != 2 {
		t.Errorf("got commit %s, opened %v, %+v; want %s and nothing opened", got, opened, res.Counts, tip)
	}
}

func TestAStateThatIsLostCostsReadsAndMakesNoCommit(t *testing.T) {
	w := newWorld(t)
	f := files{"a": "1", "b/c": "2"}
	w.sync(f)
	w.store = newWorld(t).store
	if _, opened := w.sync(f); len(opened) != 2 || w.commits() != 1 {
		t.Errorf("opened %v, %d commits, want 2 opened and 1 commit", opened, w.commits())
	}
	if _, opened := w.sync(f); len(opened) != 0 {
		t.Errorf("opened %v again", opened)
	}
}

func TestWhatOthersChangedIsPutBack(t *testing.T) {
	w := newWorld(t)
	f := files{"a": "1", "b/c": "2", "d": "3"}
	w.sync(f)
	w.others(map[string]string{"live/a": "theirs", "live/more": "x", "live/d": ""})
	w.sync(f)
	w.has(under(f, nil))
}

func TestARepositoryThatWasMadeAnewGetsAll(t *testing.T) {
	w := newWorld(t)
	f := files{"a": "1", "b/c": "2"}
	w.sync(f)
	v := newWorld(t)
	if err := os.RemoveAll(w.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(v.dir, w.dir); err != nil {
		t.Fatal(err)
	}
	if _, opened := w.sync(f); len(opened) != 2 {
		t.Errorf("opened %q, want all", opened)
	}
	w.has(under(f, nil))
}

func TestAReadThatFailsLeavesTheBranch(t *testing.T) {
	for name, body := range map[string]io.Reader{
		"early end": strings.NewReader("ne"),
		"too long":  strings.NewReader("newer"),
		"an error":  io.MultiReader(strings.NewReader("n"), failing{}),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f := files{"a": "1", "b/two": "2", "c": "3"}
			w.sync(f)
			f["b/two"] = "new"
			f["d"] = "4"
			s := &source{files: f, body: func(key string) (io.ReadCloser, error) {
				if key == "b/two" {
					return io.NopCloser(body), nil
				}
				return io.NopCloser(strings.NewReader(f[key])), nil
			}}
			if res, err := w.run(s); err == nil || res.Complete || !strings.Contains(err.Error(), "sink: lane b: b/two: ") {
				t.Errorf("got %+v, %v, want an error that names the key", res, err)
			}
			if n := w.commits(); n != 1 {
				t.Errorf("got %d commits, want 1", n)
			}
			w.sync(f)
			w.has(under(f, nil))
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the disk broke") }

func TestALaneThatFailsLeavesTheBranch(t *testing.T) {
	w := newWorld(t)
	f := files{"a": "1", "b": "2"}
	s := &source{files: f, end: func() error { return errors.New("listing cut") }}
	if _, err := w.run(s); err == nil || !strings.Contains(err.Error(), "listing cut") {
		t.Errorf("got %v", err)
	}
	if n := w.commits(); n != 0 {
		t.Errorf("got %d commits, want none", n)
	}
	w.sync(f)
	w.has(under(f, nil))
}

func TestTooManyDeletesAreRefused(t *testing.T) {
	w := newWorld(t)
	f := files{}
	for i := range 10 {
		f[fmt.Sprint("f", i)] = "x"
	}
	w.sync(f)
	w.MaxDelete = unit.Percent(20)
	for i := range 3 {
		delete(f, fmt.Sprint("f", i))
	}
	want := "3 of 10 files below live of " + w.dir + " main are to be deleted, more than max_delete: 20% allows: nothing was pushed; if the source is as it should be, run with --max-delete 3, or raise max_delete"
	if _, err := w.run(&source{files: f}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if n := w.commits(); n != 1 {
		t.Errorf("got %d commits, want 1", n)
	}
	w.AllowDeletes(3)
	w.sync(f)
	w.has(under(f, nil))
}

func TestWhatCannotBeHadStaysAsItIs(t *testing.T) {
	w := newWorld(t)
	w.giveUp = true
	f := files{"a": "1", "b": "2", "c": "3"}
	w.sync(f)
	g := files{"a": "1", "b": "newer", "new": "4", "../x": "5"}
	s := &source{files: g, body: func(key string) (io.ReadCloser, error) {
		return nil, fmt.Errorf("%s: %w", key, pipeline.ErrGone)
	}}
	if res := w.must(s); res.Counts.GivenUp != 3 || res.Counts.Deleted != 1 {
		t.Errorf("got %+v, want 3 given up, 1 deleted", res.Counts)
	}
	w.has(under(files{"a": "1", "b": "2"}, nil))
	w.giveUp = false
	if _, err := w.run(&source{files: g}); err == nil || !strings.Contains(err.Error(), `key "../x" cannot be a path`) {
		t.Errorf("got %v, want an error that names the key", err)
	}
}

func TestAFileMayBecomeADirectoryAndBack(t *testing.T) {
	w := newWorld(t)
	w.MaxDelete = unit.Percent(100)
	for _, f := range []files{{"x": "file", "y": "1"}, {"x/a": "in", "x/b/c": "in", "y": "1"}, {"x": "file again", "y": "2"}} {
		w.sync(f)
		w.has(under(f, nil))
	}
	for _, group := range []int{1, 2} {
		w.Group = group
		for _, f := range []files{{"x/a": "in", "x/b/c": "in", "y": "1"}, {"x": "file", "y": "1"}} {
			w.sync(f)
			w.has(under(f, nil))
		}
	}
}

func TestPathsThatCannotBeInOneTreeAreRefused(t *testing.T) {
	for want, f := range map[string]files{
		"file and a directory": {"x": "1", "x/y": "2"},
		"differ only in case":  {"A/x": "1", "a/y": "2"},
	} {
		w := newWorld(t)
		if _, err := w.run(&source{files: f}); err == nil || !strings.Contains(err.Error(), want) || w.commits() != 0 {
			t.Errorf("got %v and %d commits, want %q", err, w.commits(), want)
		}
	}
	w := newWorld(t)
	w.sync(files{"x/y": "1", "z": "1"})
	if _, err := w.run(&source{files: files{"x/y": "1", "X/z": "2", "z": "1"}}); err == nil || !strings.Contains(err.Error(), "differ only in case") {
		t.Errorf("got %v, want the twin on the branch", err)
	}
}

func TestSeveralVersionsOfAKeyAreRefused(t *testing.T) {
	w := newWorld(t)
	if _, err := w.run(&twice{source{files: files{"a": "1"}}}); err == nil || !strings.Contains(err.Error(), "one version of each key") {
		t.Errorf("got %v", err)
	}
}

// twice gives its items in both lanes.
type twice struct{ source }

func (s *twice) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Reader, error) { return s, nil }

func (s *twice) Read(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
	return pipeline.Send(ctx, out, s.item("a"))
}

func TestOtherTransformsReadAllAgain(t *testing.T) {
	w := newWorld(t)
	f := files{"a": "1", "b": "2"}
	w.sync(f)
	w.env.Transforms = "gzip"
	if _, opened := w.sync(f); len(opened) != 2 {
		t.Errorf("opened %v, want all", opened)
	}
}

func TestGroupsGetCommitsOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	w.Group = 2
	w.sync(files{"top": "1", "c1/n1/t/a": "1", "c1/n1/b": "2", "c1/z": "3", "c2/n1/a": "4"})
	got := w.git("log", "--reverse", "--format=%s", "main")
	want := "Sync 1 added, 0 changed, 0 deleted\nSync c1: 1 added, 0 changed, 0 deleted\nSync c1/n1: 2 added, 0 changed, 0 deleted\nSync c2/n1: 1 added, 0 changed, 0 deleted"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	w.sync(files{"top": "1", "c1/n1/t/a": "1", "c1/n1/b": "2", "c1/z": "3", "c2/n1/a": "5"})
	if got := w.git("show", "--format=%s", "--name-only", "main"); got != "Sync c2/n1: 0 added, 1 changed, 0 deleted\n\nlive/c2/n1/a" {
		t.Errorf("got\n%s", got)
	}
}

func TestTheWholeRepositoryCanBelongToAPipeline(t *testing.T) {
	w := newWorld(t)
	w.Path = "/"
	f := files{"a": "1", "b/c": "2"}
	w.sync(f)
	w.has(f)
	delete(f, "a")
	w.sync(f)
	w.has(f)
}

func TestAFileInTheWayOfTheDirectoryIsRefused(t *testing.T) {
	w := newWorld(t)
	w.others(map[string]string{"live": "a file"})
	if _, err := w.run(&source{files: files{"a": "1"}}); err == nil || !strings.Contains(err.Error(), "live is not a directory") {
		t.Errorf("got %v", err)
	}
}

func TestADryRunSaysWhatWouldChange(t *testing.T) {
	w := newWorld(t)
	w.sync(files{"a": "1", "b": "2", "c": "3"})
	var got []string
	w.env.DryRun = func(c kind.Change) {
		w.store.World.Look(func() { got = append(got, fmt.Sprint(c.What, " ", c.Name, " ", c.Size)) })
	}
	s := &source{files: files{"a": "1", "b": "22", "d": "444"}}
	w.must(s)
	slices.Sort(got)
	if want := []string{"changed live/b 2", "gone live/c -1", "new live/d 3", "same live/a 1"}; !slices.Equal(got, want) || len(s.opened) > 0 || w.commits() != 1 {
		t.Errorf("got %q, opened %q, %d commits, want %q", got, s.opened, w.commits(), want)
	}
}

func TestLargeFiles(t *testing.T) {
	for _, known := range []bool{true, false} {
		size := func(string) int64 { return -1 }
		if known {
			size = nil
		}
		w := newWorld(t)
		w.MaxFileSize = 10
		f := files{"small": "1", "large": "1"}
		w.sync(f)
		f["large"] = strings.Repeat("x", 101)
		if _, err := w.run(&source{files: f, size: size}); err == nil || !strings.Contains(err.Error(), "large: it is larger than max_file_size: 10B") || w.commits() != 1 {
			t.Errorf("fail: got %v, %d commits", err, w.commits())
		}
		w.LargeFiles = "skip"
		w.must(&source{files: f, size: size})
		w.has(under(files{"small": "1", "large": "1"}, nil))
		w.LargeFiles = "pointer"
		want := under(files{"small": "1", "large": "This file stands for an object that is larger than 10B.\nkey: large\nversion: v101xxxxxxxxxx\nsize: 101\n"}, nil)
		for range 2 {
			w.must(&source{files: f, size: size})
			w.has(want)
		}
		if n := w.commits(); n != 2 {
			t.Errorf("got %d commits, want 2", n)
		}
	}
}

func TestMoreFilesThanMemoryIsSetAsideForAreRefused(t *testing.T) {
	w := newWorld(t)
	w.MaxFiles = 2
	want := "more than max_files: 2"
	if _, err := w.run(&source{files: files{"a": "1", "b": "2", "c": "3"}}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	w.others(map[string]string{"live/x": "1", "live/y": "1", "live/z": "1"})
	if _, err := w.run(&source{files: files{"a": "1"}}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestRowsOfWhatIsGoneAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.sync(files{"a": "1", "b": "2"})
	w.sync(files{"a": "1"})
	n := 0
	w.store.Range("sink.git", "", func(string, []byte) error { n++; return nil })
	if n != 1 {
		t.Errorf("got %d rows, want 1", n)
	}
}
