package git_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"sluice/internal/check"
	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sources/git"
)

// later is a source whose passes follow one that took everything of a commit.
type later struct {
	pipeline.Source
	first func() // what is there for the first pass
	then  func() // what happens before the second
}

// Open implements [pipeline.Source].
func (l later) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Reader, error) {
	p.Number = 2
	if p.Lanes != nil {
		return l.Source.Open(ctx, p)
	}
	l.first()
	first := *p
	first.Number = 1
	r, err := l.Source.Open(ctx, &first)
	if err == nil {
		_, err = r.Plan(ctx)
		err = errors.Join(err, r.Close())
	}
	if err != nil {
		return nil, err
	}
	l.then()
	return l.Source.Open(ctx, p)
}

func TestTheSourceKeepsItsContract(t *testing.T) {
	for _, c := range []struct {
		format   string
		parallel int
		choose   func(*git.Config)
	}{
		{"sha1", 3, func(*git.Config) {}},
		{"sha256", 1, func(c *git.Config) { c.Path, c.Exclude = "a/", []string{"c/e"} }},
	} {
		h := newHistory(t, "--object-format="+c.format)
		h.commit(files{"a+": "1\n", "a-b/c": "2\n3\n", "a/b": "", "a/c/d": "5\n", "a/c/e": "6\n", "a/d": strings.Repeat("line\n", 300_000)})
		options := h.config()
		c.choose(&options)
		t.Run(c.format, func(t *testing.T) {
			pipelinetest.TestSource(t, pipelinetest.SourceCase{Parallel: c.parallel, Positions: 2, Open: func(t *testing.T) pipeline.Source { return build(t, options, kind.Env{}) }})
		})
	}
}

func TestAPassOfWhatIsNewKeepsTheContract(t *testing.T) {
	h := newHistory(t)
	old := h.commit(files{"a": "1", "b/c": "2", "b/d": "3", "e": "4", "f": "5"})
	now := h.commit(files{"a": "new", "b/c": gone, "b/d": gone, "b": "a file now", "e": gone, "e/x": "a directory now", "g": "6"})
	move := func(to string) func() { return func() { h.Git(t, "update-ref", "refs/heads/main", to) } }
	pipelinetest.TestSource(t, pipelinetest.SourceCase{Positions: 4, Open: func(t *testing.T) pipeline.Source {
		return later{build(t, h.config(), kind.Env{New: true}), move(old), move(now)}
	}})
}

func TestWhatWasDeletedComesFirst(t *testing.T) {
	h := newHistory(t)
	old := h.commit(files{"a": "1", "b/c": "2", "d": "3", "e": "4"})
	now := h.commit(files{"a": "new", "b/c": gone, "b": "a file now", "e": gone})
	move := func(to string) func() { return func() { h.Git(t, "update-ref", "refs/heads/main", to) } }
	r, lanes := open(t, later{build(t, h.config(), kind.Env{New: true}), move(old), move(now)}, &pipeline.Pass{})
	items := read(t, r, lanes[0], pipeline.Position{})
	equal(t, "keys", keysOf(items), []string{"b/c", "e", "a", "b"})
	for i, it := range items {
		if it.Delete != (i < 2) {
			t.Errorf("%s: delete is %v", it.Key, it.Delete)
		}
		equal(t, "after "+it.Key, keysOf(read(t, r, lanes[0], it.Pos)), keysOf(items[i+1:]))
	}
}

func TestEachFileIsInOneLane(t *testing.T) {
	h := newHistory(t)
	h.commit(many(100))
	r, lanes := open(t, build(t, h.config(), kind.Env{}), &pipeline.Pass{Parallel: 3})
	var keys []string
	var bytes int64
	for _, lane := range lanes {
		keys = append(keys, keysOf(read(t, r, lane, pipeline.Position{}))...)
		bytes += lane.Bytes
	}
	equal(t, "keys", keys, slices.Sorted(maps.Keys(many(100))))
	if len(lanes) != 12 || bytes < 80_000 {
		t.Errorf("got %d lanes, %d bytes expected", len(lanes), bytes)
	}
}

func TestInsideAnItemThatItemComesFirst(t *testing.T) {
	h := newHistory(t)
	h.commit(files{"a": "1", "b": "2", "c": "3", "d": "4"})
	r, lanes := open(t, build(t, h.config(), kind.Env{}), &pipeline.Pass{})
	from := pipeline.Position{Token: "+a", Inner: "1", Key: "c"} // b was left out when it was saved
	equal(t, "inside of c", keysOf(read(t, r, lanes[0], from)), []string{"c", "d"})
}

func TestATreeThatIsOutOfOrderIsAnError(t *testing.T) {
	h := newHistory(t)
	id := h.commit(files{"a": "1", "b": "2"})
	tree := h.Git(t, "ls-tree", id)
	a, b, _ := strings.Cut(tree, "\n")
	h.Git(t, "update-ref", "refs/heads/main", h.Git(t, "commit-tree", "-m", "wrong", h.tree(b, a)))
	_, err := newRun(t, h.config()).run(t)
	says(t, "b before a", err, `lists "a" after "b"`)
}

func TestAPositionThatIsNoneIsAnError(t *testing.T) {
	h := newHistory(t)
	h.commit(files{"a": "1"})
	r, lanes := open(t, build(t, h.config(), kind.Env{}), &pipeline.Pass{})
	for _, token := range []string{"a", "+\x00zz"} {
		err := r.Read(t.Context(), lanes[0], pipeline.Position{Token: token}, nil)
		says(t, token, err, "position")
	}
	lanes[0].Spec = "?"
	says(t, "spec", r.Read(t.Context(), lanes[0], pipeline.Position{}, nil), "plan")
}

func TestEachFileIsAnItem(t *testing.T) {
	h := newHistory(t)
	h.commit(files{"a b": "1", `q"\` + "\n": "2", "ä/ö": "3", "run": script + "x", "link": link + "run", "module": module, "empty": ""})
	c := h.config()
	items := all(t, build(t, c, kind.Env{}), 1)
	equal(t, "keys", keysOf(items), []string{"a b", "empty", `q"\` + "\n", "run", "ä/ö"})
	for i, want := range []string{"1", "", "2", script + "x", "3"} {
		it := items[i]
		got, err := content(t, it)
		if got != want || err != nil || it.Size != int64(len(want)) || it.Records != -1 {
			t.Errorf("%q: got %q, %v, size %d, records %d", it.Key, got, err, it.Size, it.Records)
		}
		if id := h.Git(t, "rev-parse", "main:"+it.Key); it.Version != id {
			t.Errorf("%q: version %s, want %s", it.Key, it.Version, id)
		}
	}
}

func TestWhatIsNoFileIsLeftOutAndCounted(t *testing.T) {
	h := newHistory(t)
	h.commit(files{"a": "1", "link": link + "a", "module": module})
	r := newRun(t, h.config())
	r.must(t)
	r.has(t, files{"a": "1"})
	if !strings.Contains(r.log.String(), "left out") || !strings.Contains(r.log.String(), "count=2") {
		t.Errorf("the log does not say that two entries were left out:\n%s", r.log.String())
	}
}

func TestANameThatIsNoTextIsReportedAndPassed(t *testing.T) {
	h := newHistory(t)
	h.commit(files{"a": "1", "b\xff": "2", "c": "3"})
	r, lanes := open(t, build(t, h.config(), kind.Env{}), &pipeline.Pass{})
	items := read(t, r, lanes[0], pipeline.Position{})
	if len(items) != 3 || items[1].Key != `"b\xff"` {
		t.Fatalf("got %q", keysOf(items))
	}
	if _, err := content(t, items[1]); !errors.Is(err, pipeline.ErrGone) {
		t.Errorf("got %v, want that it cannot be had", err)
	}
	equal(t, "after it", keysOf(read(t, r, lanes[0], items[1].Pos)), []string{"c"})
	equal(t, "after the one before it", keysOf(read(t, r, lanes[0], items[0].Pos)), []string{`"b\xff"`, "c"})
}

func TestWhatIsChosen(t *testing.T) {
	h := newHistory(t)
	first := h.commit(files{"x": "old"})
	h.commit(files{"x": "new", "d/a.yaml": "1", "d/e/b.yaml": "2", "d/e/c.txt": "3", "dd/z": "4"})
	h.Git(t, "update-ref", "refs/tags/v1", first)
	with := func(change func(*git.Config)) git.Config { c := h.config(); change(&c); return c }
	for name, c := range map[string]struct {
		git.Config
		want []string
	}{
		"everything":  {h.config(), []string{"d/a.yaml", "d/e/b.yaml", "d/e/c.txt", "dd/z", "x"}},
		"a slash":     {with(func(c *git.Config) { c.Path = "/" }), []string{"d/a.yaml", "d/e/b.yaml", "d/e/c.txt", "dd/z", "x"}},
		"a directory": {with(func(c *git.Config) { c.Path = "d" }), []string{"a.yaml", "e/b.yaml", "e/c.txt"}},
		"below it":    {with(func(c *git.Config) { c.Path = "/d/e/" }), []string{"b.yaml", "c.txt"}},
		"include":     {with(func(c *git.Config) { c.Include = []string{"**/*.yaml"} }), []string{"d/a.yaml", "d/e/b.yaml"}},
		"exclude":     {with(func(c *git.Config) { c.Path, c.Exclude = "d", []string{"e/**"} }), []string{"a.yaml"}},
		"a commit":    {with(func(c *git.Config) { c.Commit = first }), []string{"x"}},
		"a tag":       {with(func(c *git.Config) { c.Branch = "refs/tags/v1" }), []string{"x"}},
	} {
		equal(t, name, keysOf(all(t, build(t, c.Config, kind.Env{}), 1)), c.want)
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	h, empty := newHistory(t), newHistory(t)
	h.commit(files{"x": "1", "d/y": "2"})
	with := func(change func(*git.Config)) git.Config { c := h.config(); change(&c); return c }
	for want, c := range map[string]git.Config{
		"has no directory e":    with(func(c *git.Config) { c.Path = "e" }),
		"x is not a directory":  with(func(c *git.Config) { c.Path = "x" }),
		"no such branch":        with(func(c *git.Config) { c.Branch = "none" }),
		"it has no commit":      empty.config(),
		"has no commit 1111111": with(func(c *git.Config) { c.Commit = strings.Repeat("1", 40) }),
	} {
		_, err := newRun(t, c).run(t)
		says(t, want, err, want)
		err = build(t, c, kind.Env{}).(check.Checker).Check(t.Context(), check.NewReport())
		says(t, "check", err, want)
	}
}

func TestCheckSaysWhatWouldBeRead(t *testing.T) {
	h := newHistory(t)
	id := h.commit(files{"x": "1", "d/y": "2", "l": link + "x"})
	var rep check.Report
	err := build(t, h.config(), kind.Env{}).(check.Checker).Check(t.Context(), &rep)
	found := rep.Found
	if err != nil || rep.Load.Objects != 2 || len(found) != 1 || !strings.HasSuffix(found[0], "commit "+id+", 2 files") {
		t.Errorf("got %q, %v", found, err)
	}
}

func TestSeveralBodiesAreReadAtATime(t *testing.T) {
	h := newHistory(t)
	long := strings.Repeat("x", 3<<20)
	h.commit(files{"a": "a" + long, "b": "b" + long, "c": "c"})
	items := all(t, build(t, h.config(), kind.Env{}), 1)
	var bodies []io.ReadCloser
	for _, it := range slices.Concat(items, items) {
		body, err := it.Body.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	for i, body := range bodies {
		first := make([]byte, 1)
		if _, err := io.ReadFull(body, first); err != nil || string(first) != items[i%3].Key {
			t.Errorf("body %d: got %q, %v", i, first, err)
		}
		if i < 3 { // the others are read to the end
			if err := body.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		rest, err := io.ReadAll(body)
		if err = errors.Join(err, body.Close(), body.Close()); err != nil || int64(len(rest)) != items[i%3].Size-1 {
			t.Errorf("body %d: got %d bytes more of %d, %v", i, len(rest), items[i%3].Size, err)
		}
	}
	one, err := items[0].Body.Open(t.Context()) // by what has read another
	if err != nil {
		t.Fatal(err)
	}
	if got, err := content(t, items[2]); got != "c" || err != nil {
		t.Errorf("opened again: got %q, %v", got, err)
	}
	rest, err := io.ReadAll(one)
	if err = errors.Join(err, one.Close()); err != nil || string(rest) != "a"+long {
		t.Errorf("opened again: got %d bytes, %v", len(rest), err)
	}
}

func TestWhatTheConfigurationRefuses(t *testing.T) {
	h := newHistory(t)
	with := func(change func(*git.Config)) git.Config { c := h.config(); change(&c); return c }
	target := struct{ kind.Lister }{}
	for name, c := range map[string]struct {
		git.Config
		env    kind.Env
		option string
	}{
		"nothing":             {h.config(), kind.Env{New: true}, ""},
		"no id":               {with(func(c *git.Config) { c.Commit = "abc" }), kind.Env{}, "commit"},
		"a commit that stays": {with(func(c *git.Config) { c.Commit = strings.Repeat("1", 40) }), kind.Env{New: true}, "commit"},
		"a way out":           {with(func(c *git.Config) { c.Path = "a/../b" }), kind.Env{}, "path"},
		"two slashes":         {with(func(c *git.Config) { c.Path = "a//b" }), kind.Env{}, "path"},
		"no pattern":          {with(func(c *git.Config) { c.Include = []string{"["} }), kind.Env{}, "include"},
		"no expression":       {with(func(c *git.Config) { c.Exclude = []string{"re:("} }), kind.Env{}, "exclude"},
		"an option of both":   {with(func(c *git.Config) { c.URL = "" }), kind.Env{}, "url"},
		"documents":           {h.config(), kind.Env{New: true, Target: target}, "deletes"},
		"all of documents":    {h.config(), kind.Env{Target: target}, ""},
		"no deletes":          {with(func(c *git.Config) { c.Deletes = "ignore" }), kind.Env{New: true, Target: target}, ""},
	} {
		got := c.Problems(c.env)
		if c.option == "" && len(got) > 0 || c.option != "" && (len(got) != 1 || got[0].Option != c.option) {
			t.Errorf("%s: got %v, want a problem of %q", name, got, c.option)
		}
	}
}

func TestTheIdentitySaysWhatPositionsDependOn(t *testing.T) {
	h := newHistory(t)
	seen := map[string]string{}
	for name, change := range map[string]func(*git.Config){
		"": func(*git.Config) {}, "branch": func(c *git.Config) { c.Branch = "b" }, "path": func(c *git.Config) { c.Path = "d" },
		"commit": func(c *git.Config) { c.Commit = strings.Repeat("1", 40) },
	} {
		c := h.config()
		change(&c)
		id := c.Identity()
		if other, twice := seen[id]; twice {
			t.Errorf("%s and %s: both %s", name, other, id)
		}
		seen[id] = name
		c.Token, c.Exclude = "planted", []string{"x"}
		if got := c.Identity(); got != id {
			t.Errorf("%s: got %s with a token and patterns, want %s", name, got, id)
		}
	}
}
