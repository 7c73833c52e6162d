package git_test

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	plumbing "sluice/internal/git"
	"sluice/internal/kind"
	"sluice/internal/roll"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sinks/file"
	sinks3 "sluice/sinks/s3"
	"sluice/sources/git"
	"sluice/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// history is a repository to which a test commits.
type history struct {
	servers.Repository
	t    testing.TB
	mark int    // commits so far
	mode string // of plain files; "": not executable
}

func newHistory(t testing.TB, options ...string) *history {
	t.Helper()
	r, err := servers.NewRepository(filepath.Join(t.TempDir(), "r.git"), options...)
	if err != nil {
		t.Fatal(err)
	}
	return &history{Repository: r, t: t}
}

// files are contents by path.
type files map[string]string

// What is no plain file, or none any more.
const (
	gone   = "-"
	link   = "-> " // and where it leads
	module = "@"
	script = "#!" // and more: it is executable
)

// commit makes a commit of changes, on top of the branch, and gives its id.
func (h *history) commit(changes files) string {
	h.t.Helper()
	h.mark++
	var in strings.Builder
	fmt.Fprintf(&in, "commit refs/heads/main\ncommitter t <t@example.org> %d +0000\ndata 1\nm", 1_700_000_000+h.mark)
	if _, err := h.Run("rev-parse", "--verify", "-q", "refs/heads/main"); err == nil {
		in.WriteString("\nfrom refs/heads/main^0")
	}
	in.WriteString("\n")
	for _, name := range slices.Sorted(maps.Keys(changes)) { // what goes, goes first
		if changes[name] == gone {
			fmt.Fprintf(&in, "D %s\n", quote(name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		h.modify(&in, name, changes[name])
	}
	in.WriteString("done\n")
	cmd := exec.Command("git", "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", "--done", "--date-format=raw", "--force")
	cmd.Dir, cmd.Stdin = h.Dir, strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("fast-import: %v\n%s", err, out)
	}
	return h.Git(h.t, "rev-parse", "refs/heads/main")
}

func (h *history) modify(in *strings.Builder, name, content string) {
	mode := cmp.Or(h.mode, "100644")
	switch {
	case content == gone:
		return
	case content == module:
		fmt.Fprintf(in, "M 160000 %s %s\n", strings.Repeat("1", len(h.Git(h.t, "hash-object", "-t", "tree", "/dev/null"))), quote(name))
		return
	case strings.HasPrefix(content, link):
		mode, content = "120000", content[len(link):]
	case strings.HasPrefix(content, script):
		mode = "100755"
	}
	fmt.Fprintf(in, "M %s inline %s\ndata %d\n%s\n", mode, quote(name), len(content), content)
}

func quote(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		fmt.Fprintf(&b, `\%03o`, c)
	}
	return `"` + b.String() + `"`
}

// tree makes a tree of lines as ls-tree prints them, in their order.
func (h *history) tree(lines ...string) string {
	h.t.Helper()
	var raw []byte
	for _, line := range lines {
		about, name, _ := strings.Cut(line, "\t")
		f := strings.Fields(about)
		id, err := hex.DecodeString(f[2])
		if err != nil {
			h.t.Fatal(err)
		}
		raw = append(append(raw, f[0]+" "+name+"\x00"...), id...)
	}
	file := filepath.Join(h.t.TempDir(), "tree")
	if err := os.WriteFile(file, raw, 0o666); err != nil {
		h.t.Fatal(err)
	}
	return h.Git(h.t, "hash-object", "-w", "-t", "tree", "--literally", file)
}

// drop makes a commit one that nobody can fetch any more: the branch is at
// another one, and what only the old one had is removed.
func (h *history) drop(to string) {
	h.t.Helper()
	h.Git(h.t, "update-ref", "refs/heads/main", to)
	h.Git(h.t, "reflog", "expire", "--expire=now", "--all")
	h.Git(h.t, "repack", "-q", "-a", "-d")
	h.Git(h.t, "prune", "--expire=now")
}

// config is the options of a source of the repository.
func (h *history) config() git.Config {
	return git.Config{Config: plumbing.Config{URL: h.URL, Retry: unit.Duration(2 * time.Second)}, Deletes: "deliver"}
}

// run is a pipeline from a repository into a directory.
type run struct {
	git.Config
	to     string         // a directory
	bucket *sinks3.Config // instead of it
	world  *pipelinetest.World
	store  *pipelinetest.Store
	log    strings.Builder
	full   bool // passes take everything
	mirror bool
	lanes  int
	giveUp bool
	dead   map[string]string
}

func newRun(t testing.TB, c git.Config) *run {
	r := &run{Config: c, to: t.TempDir(), world: &pipelinetest.World{Mode: pipelinetest.Stop}, lanes: 1, dead: map[string]string{}}
	r.store = &pipelinetest.Store{World: r.world}
	return r
}

func (r *run) run(t testing.TB) (pipeline.Result, error) {
	t.Helper()
	env := kind.Env{Pipeline: "p", New: !r.full, Scratch: filepath.Join(t.TempDir(), "scratch")}
	from, err := r.Config.Build(env)
	if err != nil {
		t.Fatal(err)
	}
	to, err := r.sink().Build(env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r.world.Stop = stop
	defer r.world.Restart()
	r.log.Reset()
	frame := &pipeline.Pipeline{Name: "p", Log: slog.New(slog.NewTextHandler(&r.log, nil)), Source: from, Sink: to, Store: r.store,
		GiveUp: r.giveUp, Dead: &pipelinetest.Letters{World: r.world, Durable: r.dead}, New: !r.full, Lanes: r.lanes, Grace: 8 * time.Second}
	res, err := frame.Run(ctx)
	if left, _ := os.ReadDir(env.Scratch); len(left) > 0 {
		t.Errorf("the run left %v in its scratch directory", left)
	}
	return res, err
}

func (r *run) sink() kind.Sink {
	if r.bucket != nil {
		r.bucket.Mirror = r.mirror
		return r.bucket
	}
	c := &file.Config{Path: r.to, Key: "{key}", Overwrite: roll.Own}
	c.Mirror, c.MaxDelete = r.mirror, unit.Percent(100)
	return c
}

func (r *run) must(t testing.TB) pipeline.Result {
	t.Helper()
	res, err := r.run(t)
	if err != nil || !res.Complete {
		t.Fatalf("got %+v, %v", res, err)
	}
	return res
}

// has compares what is in the directory.
func (r *run) has(t testing.TB, want files) {
	t.Helper()
	got := files{}
	err := filepath.WalkDir(r.to, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(r.to, path)
		got[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func build(t testing.TB, c git.Config, env kind.Env) pipeline.Source {
	t.Helper()
	env.Scratch = t.TempDir()
	s, err := c.Build(env)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, s pipeline.Source, pass *pipeline.Pass) (pipeline.Reader, []pipeline.Lane) {
	t.Helper()
	if pass.Store == nil {
		pass.Store = &pipelinetest.Store{World: &pipelinetest.World{}}
	}
	pass.Number = max(1, pass.Number)
	r, err := s.Open(t.Context(), pass)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	lanes, err := r.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r, lanes
}

// read reads a lane.
func read(t testing.TB, r pipeline.Reader, lane pipeline.Lane, from pipeline.Position) (items []*pipeline.Item) {
	t.Helper()
	out, end := make(chan *pipeline.Item), make(chan error, 1)
	go func() {
		end <- r.Read(t.Context(), lane, from, out)
		close(out)
	}()
	for it := range out {
		items = append(items, it)
	}
	if err := <-end; err != nil {
		t.Fatal(err)
	}
	return items
}

// all reads all lanes of a first pass.
func all(t testing.TB, s pipeline.Source, parallel int) (items []*pipeline.Item) {
	t.Helper()
	r, lanes := open(t, s, &pipeline.Pass{Parallel: parallel})
	for _, lane := range lanes {
		items = append(items, read(t, r, lane, pipeline.Position{})...)
	}
	return items
}

func keysOf(items []*pipeline.Item) (keys []string) {
	for _, it := range items {
		keys = append(keys, it.Key)
	}
	return keys
}

func content(t testing.TB, it *pipeline.Item) (string, error) {
	body, err := it.Body.Open(t.Context())
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(body)
	return string(b), errors.Join(err, body.Close())
}

func equal(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func says(t testing.TB, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got %v, want an error that says %q", what, err, want)
	}
}
