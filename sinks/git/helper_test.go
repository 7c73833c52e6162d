package git_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sinks/git"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("SLUICE_GIT_CHILD"); dir != "" {
		os.Exit(child(dir))
	}
	goleak.VerifyTestMain(m)
}

// files is a source of two lanes. Its versions are made of the contents.
type files map[string]string

// source is files that are read, with what happens meanwhile.
type source struct {
	files
	body func(key string) (io.ReadCloser, error) // nil: the content
	size func(key string) int64                  // nil: that of the content
	end  func() error                            // before a lane ends

	mu     sync.Mutex
	opened []string
}

func (s *source) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }
func (s *source) Close() error                                                  { return nil }

func (s *source) Plan(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{{Name: "a", ID: "A", Part: 0, Parts: 2}, {Name: "b", ID: "B", Part: 1, Parts: 2}}, nil
}

func (s *source) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	for i, key := range slices.Sorted(maps.Keys(s.files)) {
		if i%2 != lane.Part || key <= from.Token {
			continue
		}
		if err := pipeline.Send(ctx, out, s.item(key)); err != nil {
			return err
		}
	}
	if s.end != nil {
		return s.end()
	}
	return nil
}

func (s *source) item(key string) *pipeline.Item {
	content := s.files[key]
	it := &pipeline.Item{Key: key, Version: "v" + content, Pos: pipeline.Position{Token: key}, Size: int64(len(content)), Records: -1}
	if len(content) > 100 {
		it.Version = fmt.Sprint("v", len(content), content[:10])
	}
	if s.size != nil {
		it.Size = s.size(key)
	}
	it.Body = pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) {
		s.mu.Lock()
		s.opened = append(s.opened, key)
		s.mu.Unlock()
		if s.body != nil {
			return s.body(key)
		}
		return io.NopCloser(strings.NewReader(content)), nil
	})
	return it
}

// world is a bare repository and a pipeline into it.
type world struct {
	testing.TB
	git.Config
	dir    string // of the repository
	env    kind.Env
	store  *pipelinetest.Store
	giveUp bool
	lose   bool           // the store is losing
	real   pipeline.Store // nil: store
	log    *slog.Logger
	tune   func(pipeline.Sink)
}

func newWorld(t testing.TB) *world {
	dir := t.TempDir()
	w := &world{TB: t, dir: filepath.Join(dir, "remote.git"), log: slog.New(slog.DiscardHandler), store: &pipelinetest.Store{World: &pipelinetest.World{}}}
	w.env = kind.Env{Pipeline: "p", Source: "s3 bucket", Scratch: filepath.Join(dir, "scratch")}
	w.git("init", "-q", "--bare", "-b", "main", w.dir)
	w.git("config", "uploadpack.allowFilter", "true")
	w.git("config", "uploadpack.allowAnySHA1InWant", "true")
	w.URL, w.Branch, w.Path, w.Key, w.Portable = "file://"+w.dir, "main", "live", "{key}", true
	w.Retry = unit.Duration(time.Minute)
	w.Author = git.Author{Name: "A", Email: "a@example.org"}
	w.MaxDelete, w.MaxFileSize, w.LargeFiles, w.MaxFiles, w.Remember = unit.Percent(60), 50<<20, "fail", 1000, "state"
	return w
}

// git runs git at the repository.
func (w *world) git(args ...string) string {
	w.Helper()
	cmd := exec.Command("git", args...)
	if _, err := os.Stat(w.dir); err == nil {
		cmd.Dir = w.dir
	}
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			w.Fatalf("git %v: %v\n%s%s", args, err, out, exit.Stderr)
		}
		w.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// run makes a run, as a process would.
func (w *world) run(s pipeline.Source) (pipeline.Result, error) {
	w.Helper()
	sink, err := w.Build(w.env)
	if err != nil {
		w.Fatal(err)
	}
	if w.tune != nil {
		w.tune(sink)
	}
	p := &pipeline.Pipeline{Name: "p", Log: w.log, Source: s, Sink: sink, Store: w.store, Lanes: 2, Depth: 2, Grace: 5 * time.Second, GiveUp: w.giveUp}
	if w.giveUp {
		p.Dead = &pipelinetest.Letters{World: w.store.World, Durable: map[string]string{}}
	}
	if w.lose {
		p.Store = losing{w.store}
	}
	if w.real != nil {
		p.Store = w.real
	}
	res, err := p.Run(w.Context())
	if left, _ := os.ReadDir(w.env.Scratch); len(left) > 0 {
		w.Errorf("scratch: got %d entries after the run, want none: %v", len(left), left)
	}
	return res, err
}

func (w *world) must(s pipeline.Source) pipeline.Result {
	w.Helper()
	res, err := w.run(s)
	if err != nil || !res.Complete {
		w.Fatalf("got %+v, %v", res, err)
	}
	return res
}

// sync makes a run of files that must be complete, and gives the keys that were
// opened.
func (w *world) sync(f files) (pipeline.Result, []string) {
	w.Helper()
	s := &source{files: f}
	res := w.must(s)
	slices.Sort(s.opened)
	return res, s.opened
}

// has checks that the branch has just these files.
func (w *world) has(want map[string]string) {
	w.Helper()
	got := w.tree("main")
	if !maps.Equal(got, want) {
		w.Errorf("branch: got %.2000q, want %.2000q", got, want)
	}
	w.git("fsck", "--strict")
}

func (w *world) tree(commit string) map[string]string {
	w.Helper()
	got := map[string]string{}
	for e := range strings.SplitSeq(w.git("ls-tree", "-r", "-z", commit), "\x00") {
		about, name, ok := strings.Cut(e, "\t")
		if !ok {
			continue
		}
		if !strings.HasPrefix(about, "100644 ") {
			w.Errorf("%s: got %s, want mode 100644", name, about)
		}
		out, err := exec.Command("git", "-C", w.dir, "cat-file", "blob", commit+":"+name).Output()
		if err != nil {
			w.Fatal(err)
		}
		got[name] = string(out)
	}
	return got
}

// under gives files their place on the branch, beside others.
func under(f files, more map[string]string) map[string]string {
	all := maps.Clone(more)
	if all == nil {
		all = map[string]string{}
	}
	for key, content := range f {
		all["live/"+key] = content
	}
	return all
}

func (w *world) commits() int {
	w.Helper()
	if w.git("branch") == "" {
		return 0
	}
	n, err := strconv.Atoi(w.git("rev-list", "--count", "main"))
	if err != nil {
		w.Fatal(err)
	}
	return n
}

// others commits files as somebody else would.
func (w *world) others(f map[string]string) {
	w.Helper()
	clone := filepath.Join(w.TempDir(), "clone")
	w.git("clone", "-q", w.dir, clone)
	for name, content := range f {
		name = filepath.Join(clone, name)
		if content == "" {
			os.Remove(name)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			w.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
			w.Fatal(err)
		}
	}
	w.git("-C", clone, "checkout", "-q", "-B", "main")
	w.git("-C", clone, "add", "-A")
	w.git("-C", clone, "-c", "user.name=o", "-c", "user.email=o@o", "commit", "-q", "-m", "others")
	w.git("-C", clone, "push", "-q", "origin", "main")
}
