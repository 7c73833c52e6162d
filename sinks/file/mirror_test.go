package file_test

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sluice/internal/kind"
	"sluice/internal/roll"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sinks/file"
)

// tree is items of a source, each with its content as its version.
func tree(files map[string]string) (all items) {
	for _, key := range slices.Sorted(maps.Keys(files)) {
		it := item(key, files[key])
		it.Version = "v" + files[key]
		all = append(all, it)
	}
	return all
}

func mirrored(dir string) *pipe {
	p := into(dir, "m/{key}")
	p.Mirror, p.MaxDelete = true, unit.Percent(50)
	return p
}

// under gives files their place in the target.
func under(files map[string]string, more map[string]string) map[string]string {
	all := map[string]string{}
	for key, content := range files {
		all["m/"+key] = content
	}
	maps.Copy(all, more)
	return all
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADirectoryBecomesWhatTheSourceHas(t *testing.T) {
	dir := t.TempDir()
	foreign := map[string]string{"m/theirs": "x", "other/file": "y", "m.txt": "z"}
	write(t, dir, foreign)
	files := map[string]string{"a": "1", "a-b/c": "2", "b/c/d": "3", "é": "4", "e": ""}
	p := mirrored(dir)
	if res := p.must(t, tree(files)); res.Counts.ObjectsWritten != 5 {
		t.Errorf("first pass: got %+v, want 5 written", res.Counts)
	}
	same(t, below(t, dir), under(files, foreign))

	files["a"], files["n"] = "changed", "new"
	delete(files, "b/c/d")
	delete(files, "é")
	os.Remove(filepath.Join(dir, "m/e"))
	write(t, dir, map[string]string{"m/a-b/c": "tampered with"})
	foreign["m/b/c/"] = "" // directories stay
	res := p.must(t, tree(files))
	same(t, below(t, dir), under(files, foreign))
	if c := res.Counts; c.ObjectsWritten != 3+1 || c.Deleted != 2 || c.Skipped != 0 {
		t.Errorf("second pass: got %+v, want 4 written, 2 deleted", c)
	}
	if res := p.must(t, tree(files)); res.Counts.Skipped != 4 || res.Counts.ObjectsWritten != 0 {
		t.Errorf("nothing new: got %+v, want 4 skipped", res.Counts)
	}

	write(t, dir, map[string]string{"m/a": "mine by now"})
	delete(files, "a")
	foreign["m/a"] = "mine by now"
	p.must(t, tree(files))
	same(t, below(t, dir), under(files, foreign))

	p.Overwrite = roll.Always
	p.MaxDelete = unit.Percent(10)
	want := "2 of 5 objects below " + dir + "/m/ are to be deleted, more than max_delete: 10% allows"
	if _, err := p.run(t, tree(files)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	same(t, below(t, dir), under(files, foreign))
	p.MaxDelete = unit.Percent(50)
	p.must(t, tree(files))
	delete(foreign, "m/a")
	delete(foreign, "m/theirs")
	same(t, below(t, dir), under(files, foreign))
}

// TestALossOfPowerAnywhereLeavesTheMirrorRight loses, in a second pass, at
// every operation all that was not synced, goes on, and loses it again.
func TestALossOfPowerAnywhereLeavesTheMirrorRight(t *testing.T) {
	for at, more := 1, true; more && !t.Failed(); at++ {
		w := &pipelinetest.World{}
		folder, store := newPowerless(w), &pipelinetest.Store{World: w}
		files := map[string]string{"a": "1", "d/b": "2", "d/c": "3", "e": "4"}
		run := func() (pipeline.Result, error) {
			c := mirrored("").Config
			sink, err := c.Build(kind.Env{})
			if err != nil {
				t.Fatal(err)
			}
			p := &pipeline.Pipeline{Name: "p", Log: slog.New(slog.DiscardHandler), Source: tree(files), Sink: file.On(sink, folder), Store: store, Lanes: 1}
			return p.Run(t.Context())
		}
		if _, err := run(); err != nil {
			t.Fatal(err)
		}
		files["a"], files["n"] = "changed", "new"
		delete(files, "d/b")
		w.At = w.Ops() + at
		_, err := run()
		w.At = 0
		if more = err != nil; more {
			folder.fail()
			w.Restart()
			if res, err := run(); err != nil || !res.Complete {
				t.Fatalf("at %d: got %+v, %v", at, res, err)
			}
		}
		folder.fail()
		if got := folder.files(t); !maps.Equal(got, under(files, nil)) {
			t.Errorf("at %d: got %q, want %q", at, got, under(files, nil))
		}
		if !more && at < 20 {
			t.Errorf("a pass has %d operations, want more", at)
		}
	}
}

func TestADryRunMakesNoDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	for _, there := range []bool{false, true} {
		p := mirrored(dir)
		if there {
			p.must(t, tree(map[string]string{"a": "1", "b": "2"}))
		}
		before := 0
		if there {
			before = len(below(t, dir))
		}
		var mu sync.Mutex
		var said []string
		sink, err := p.Build(kind.Env{DryRun: func(c kind.Change) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, fmt.Sprint(c.What, " ", strings.TrimPrefix(c.Name, dir+"/")))
		}})
		if err != nil {
			t.Fatal(err)
		}
		frame := &pipeline.Pipeline{Name: "p", Source: tree(map[string]string{"a": "1", "c": "3"}), Sink: sink, Store: p.store, Lanes: 1}
		if res, err := frame.Run(t.Context()); err != nil || !res.Complete {
			t.Fatalf("got %+v, %v", res, err)
		}
		want := map[bool][]string{false: {"new m/a", "new m/c"}, true: {"gone m/b", "new m/c", "same m/a"}}[there]
		if slices.Sort(said); !slices.Equal(said, want) {
			t.Errorf("got %q, want %q", said, want)
		}
		if _, err := os.Stat(dir); !there && err == nil {
			t.Error("the directory was made")
		}
		if there && len(below(t, dir)) != before {
			t.Errorf("got %q, want nothing changed", below(t, dir))
		}
	}
}

func TestWhatAMirrorCannotBe(t *testing.T) {
	for _, c := range []struct {
		config file.Config
		env    kind.Env
		want   string
	}{
		{file.Config{Key: "{key}"}, kind.Env{}, ""},
		{file.Config{Key: "x/{stem}-1{ext}"}, kind.Env{}, ""},
		{file.Config{Key: "{lane}-{sequence}"}, kind.Env{}, "leave {sequence} out"},
		{file.Config{Key: "{pass}/{key}"}, kind.Env{}, "leave {pass} out"},
		{file.Config{Key: "{date:2006}/{key}"}, kind.Env{}, "leave {date} out"},
		{file.Config{Key: "{lane}/{key}"}, kind.Env{}, "leave {lane} out"},
		{file.Config{Key: "{key}/{version}"}, kind.Env{}, "leave {version} out"},
		{file.Config{Key: "{key}"}, kind.Env{New: true}, "leave mode out"},
		{file.Config{Key: "{key}", Overwrite: roll.Never}, kind.Env{}, "overwrite is own or always"},
		{file.Config{Key: "{key}", Manifest: "_manifest.ndjson"}, kind.Env{}, "leave manifest out"},
	} {
		c.config.Path, c.config.Mirror = "x", true
		var got []string
		for _, p := range c.config.Problems(c.env) {
			got = append(got, p.Option+": "+p.Message)
		}
		if len(got) > 1 || strings.Contains(strings.Join(got, ""), c.want) == false || c.want == "" && got != nil {
			t.Errorf("%+v: got %q, want %q", c.config, got, c.want)
		}
	}
	m := &file.Config{Path: "x", Key: "{key}"}
	m.Mirror = true
	for form, want := range map[kind.Form]bool{kind.Bytes: true, kind.Records: false, kind.Metadata: false} {
		if p := m.Takes(form); (p == nil) != want {
			t.Errorf("%s: got %+v, want it taken: %v", form, p, want)
		}
	}
}
