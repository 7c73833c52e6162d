package git_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/internal/check"
	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/sinks/git"
)

func TestImpossibleOptionsAreProblems(t *testing.T) {
	for want, change := range map[string]func(*world){
		": what a pass does not have is deleted": func(w *world) { w.env.New = true },
		": the source gives several versions":    func(w *world) { w.env.Repeats = true },
		"branch: commits are made on a branch":   func(w *world) { w.Branch = "refs/tags/v1" },
		"message: unknown field {files}":         func(w *world) { w.Message = "{files}" },
		"message: unknown field {":               func(w *world) { w.Message = "{added" },
		"author: git needs a name":               func(w *world) { w.Author.Email = "" },
		"remember: refs/sluice/staging":          func(w *world) { w.Remember, w.env.Pipeline = "repository", "staging" },
		"path: ":                                 func(w *world) { w.Path = "../x" },
	} {
		w := newWorld(t)
		change(w)
		var got []string
		for _, p := range w.Problems(w.env) {
			got = append(got, p.Option+": "+p.Message)
		}
		if len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	w := newWorld(t)
	if got := w.Problems(w.env); len(got) > 0 {
		t.Errorf("got %v, want none", got)
	}
	if w.Takes(kind.Bytes) != nil || w.Takes(kind.Records) == nil || w.Takes(kind.Metadata) == nil {
		t.Error("it takes objects and files, and nothing else")
	}
}

func TestMessages(t *testing.T) {
	var many []string
	for i := range 30 {
		many = append(many, fmt.Sprintf("c%d/n%d/x", i%3, i))
	}
	trailers := "\n\nSluice-Pipeline: p\nSluice-Source: s\nSluice-Pass: 7\n"
	for _, c := range []struct {
		template, group string
		paths           []string
		want            string
	}{
		{"", "", []string{"top", "a/b", "a/c"}, "Sync 3 added, 0 changed, 0 deleted\n\n.: 1 added\na: 2 added"},
		{"", "a\nb", []string{"a\nb/c"}, "Sync \"a\\nb\": 1 added, 0 changed, 0 deleted\n\n\"a\\nb\": 1 added"},
		{"", "", many, "Sync 30 added, 0 changed, 0 deleted\n\nc0: 10 added\nc1: 10 added\nc2: 10 added"},
		{"{pipeline} {pass} {source} {group}: +{added} ~{changed} -{deleted}", "g", []string{"g/x"}, "p 7 s g: +1 ~0 -0"},
	} {
		if got := git.Message(c.template, c.group, c.paths...); got != c.want+trailers {
			t.Errorf("%q: got\n%s\nwant\n%s", c.template, got, c.want+trailers)
		}
	}
	var wide []string
	for i := range 100_000 {
		wide = append(wide, fmt.Sprintf("%d/x", i))
	}
	if got := git.Message("", "", wide...); strings.Count(got, "\n") > 30 || !strings.Contains(got, "elsewhere: 99980 added") {
		t.Errorf("many directories: got\n%.2000s", got)
	}
}

func TestWideDirectoriesAreFound(t *testing.T) {
	var paths []string
	for i := range 3001 {
		paths = append(paths, fmt.Sprintf("a/b/%d/x", i))
	}
	for i := range 3000 {
		paths = append(paths, fmt.Sprintf("c/%d", i))
	}
	slices.Sort(paths)
	if got := git.Wide(paths); !slices.Equal(got, []string{"a/b/"}) {
		t.Errorf("got %q, want a/b/", got)
	}
}

func TestCheckSaysWhereCommitsGo(t *testing.T) {
	w := newWorld(t)
	check := func(want string) {
		t.Helper()
		sink, err := w.Build(w.env)
		if err != nil {
			t.Fatal(err)
		}
		var rep check.Report
		err = sink.(check.Checker).Check(t.Context(), &rep)
		got := rep.Found
		if err != nil || len(got) != 1 || len(rep.Grants) != 1 || rep.Grants[0].Err != nil || !strings.Contains(got[0], want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	check("the first pass makes it")
	w.sync(files{"a": "1"})
	check("on top of " + w.git("rev-parse", "main")[:12])
}

// losing is a store that forgets what the sink writes.
type losing struct{ pipeline.Store }

func (l losing) Put(rows ...pipeline.Row) error {
	return l.Store.Put(slices.DeleteFunc(rows, func(r pipeline.Row) bool { return r.Bucket == "sink.git" && r.Key == "live/b" })...)
}

func TestARowThatIsMissingDeletesNoFile(t *testing.T) {
	w := newWorld(t)
	w.MaxDelete = 100
	w.sync(files{"a": "1", "b": "2"})
	w.lose = true
	w.store = newWorld(t).store
	if _, err := w.run(&source{files: files{"a": "1", "b": "2"}}); err == nil || !strings.Contains(err.Error(), "1 of 2 files of this pass are not in it") {
		t.Errorf("got %v", err)
	}
	w.has(under(files{"a": "1", "b": "2"}, nil))
}
