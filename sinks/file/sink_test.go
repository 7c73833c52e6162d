package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"sluice/internal/kind"
	"sluice/internal/roll"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sinks/file"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("SLUICE_FILE_CHILD"); dir != "" {
		os.Exit(child(dir))
	}
	goleak.VerifyTestMain(m)
}

// items is a source of one lane of streams.
type items []*pipeline.Item

func (s items) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }
func (s items) Close() error                                                  { return nil }

func (s items) Plan(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{{Name: "l", ID: "L", Parts: 1}}, nil
}

func (s items) Read(ctx context.Context, _ pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	n := 0
	fmt.Sscan(from.Token, &n)
	for ; n < len(s); n++ {
		it := *s[n]
		it.Pos.Token = fmt.Sprint(n + 1)
		if err := pipeline.Send(ctx, out, &it); err != nil {
			return err
		}
	}
	return nil
}

// item is a stream that gives content.
func item(key, content string) *pipeline.Item {
	return &pipeline.Item{Key: key, Size: int64(len(content)), Records: -1, Body: pipeline.BodyFunc(
		func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil })}
}

// large is a stream of n bytes that takes no memory.
func large(key string, n int64) *pipeline.Item {
	it := item(key, "")
	it.Size = n
	it.Body = pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(zeros{}, n)), nil
	})
	return it
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// pipe is a pipeline into a directory, with its state.
type pipe struct {
	file.Config
	name  string
	store pipeline.Store
}

func into(dir, key string) *pipe {
	return &pipe{file.Config{Path: dir, Key: key, Overwrite: roll.Own}, "p", &pipelinetest.Store{World: &pipelinetest.World{}}}
}

func (p *pipe) run(t *testing.T, source pipeline.Source) (pipeline.Result, error) {
	t.Helper()
	sink, err := p.Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	frame := &pipeline.Pipeline{Name: p.name, Log: slog.New(slog.DiscardHandler), Source: source, Sink: sink, Store: p.store, Lanes: 2}
	return frame.Run(t.Context())
}

func (p *pipe) must(t *testing.T, source pipeline.Source) pipeline.Result {
	t.Helper()
	res, err := p.run(t, source)
	if err != nil || !res.Complete {
		t.Fatalf("got %+v, %v", res, err)
	}
	return res
}

// below is all files below a directory, and folders that are empty.
func below(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if names, _ := os.ReadDir(path); len(names) == 0 && path != dir {
				all[rel+"/"] = ""
			}
		default:
			b, err := os.ReadFile(path)
			all[rel] = string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("got %.1000q, want %.1000q", got, want)
	}
}

func TestEachItemBecomesAFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	res := into(dir, "{key}").must(t, items{item("a.json", "1\n"), item("b/c/d.json", "22\n"), item("b/e", "")})
	same(t, below(t, dir), map[string]string{"a.json": "1\n", "b/c/d.json": "22\n", "b/e": ""})
	if c := res.Counts; c.ObjectsWritten != 3 || c.BytesWritten != 5 {
		t.Errorf("counts %+v", c)
	}
}

func TestItemsShareAFileUntilItIsFull(t *testing.T) {
	dir := t.TempDir()
	p := into(dir, "{lane}/{pass}-{sequence:2}")
	p.Roll.Bytes = 4
	source := items{item("a", "1\n"), item("b", "22\n"), item("c", "3\n")}
	p.must(t, source)
	p.must(t, source)
	same(t, below(t, dir), map[string]string{"l/1-00": "1\n22\n", "l/1-01": "3\n", "l/2-00": "1\n22\n", "l/2-01": "3\n"})
	rows := 0
	p.store.Range("sink.files", "", func(string, []byte) error { rows++; return nil })
	if rows != 2 {
		t.Errorf("%d rows, want those of the last pass", rows)
	}
}

func TestOnlyOwnFilesAreReplaced(t *testing.T) {
	for _, c := range []struct {
		mode               string
		foreign, ours, old bool // replaced: a file of another; one of the last pass, of the same item; one that a rolled pass made before
	}{{roll.Own, false, true, false}, {roll.Never, false, false, false}, {roll.Always, true, true, true}} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a"), []byte("precious"), 0o666); err != nil {
			t.Fatal(err)
		}
		p := into(dir, "{key}")
		p.Overwrite = c.mode
		_, err := p.run(t, items{item("a", "1")})
		checkReplaced(t, c.mode+": foreign", err, c.foreign, "a exists and was not written by pipeline p")
		if got := below(t, dir)["a"]; !c.foreign && got != "precious" {
			t.Errorf("%s: the file of another is %q", c.mode, got)
		}

		p = into(t.TempDir(), "{key}")
		p.Overwrite = c.mode
		p.must(t, items{item("a", "1")})
		_, err = p.run(t, items{item("a", "2")})
		checkReplaced(t, c.mode+": the same item", err, c.ours, "a exists and belongs to pass 1")

		p = into(t.TempDir(), "{lane}-{sequence}")
		p.Overwrite = c.mode
		p.must(t, items{item("a", "1")})
		_, err = p.run(t, items{item("a", "2")})
		checkReplaced(t, c.mode+": the last pass", err, c.old, "put {pass} into the key")
	}
}

func checkReplaced(t *testing.T, what string, err error, want bool, message string) {
	t.Helper()
	if want && err != nil || !want && (err == nil || !strings.Contains(err.Error(), message)) {
		t.Errorf("%s: got %v, want replaced %v, else %q", what, err, want, message)
	}
}

func TestAFileAndADirectoryOfOneNameAreExplained(t *testing.T) {
	for _, mode := range []string{roll.Own, roll.Always} {
		for second, want := range map[string]string{
			"a/b/c/d": "a/b/c/d: a/b/c is no directory there: a bucket can have both, a directory cannot; remove it",
			"a/b":     "a/b is a directory there: a bucket can have both, a directory cannot; remove it",
		} {
			p := into(t.TempDir(), "{key}")
			p.Overwrite = mode
			if _, err := p.run(t, items{item("a/b/c", "1"), item(second, "2")}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: got %v, want %q", mode, second, err, want)
			}
		}
	}
}

func TestNothingIsWrittenOutside(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"link/x", "../x", "a/../../x", "/x", ".sluice/x"} {
		p := into(dir, "{key}")
		p.Overwrite = roll.Always
		if _, err := p.run(t, items{item(key, "1")}); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: got %v, want an error that names it", key, err)
		}
	}
	same(t, below(t, outside), map[string]string{})
}

func TestLeftoversOfAKilledRunAreRemoved(t *testing.T) {
	dir := t.TempDir()
	p := into(dir, "{key}")
	broken := item("a", "1")
	var leftover string
	broken.Body = pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) {
		names, err := filepath.Glob(filepath.Join(dir, ".sluice", "*"))
		if err != nil || len(names) != 1 {
			t.Errorf("unfinished files %v, %v", names, err)
		}
		leftover = names[0]
		return nil, errors.New("broken")
	})
	if _, err := p.run(t, items{broken}); err == nil {
		t.Error("no error")
	}
	same(t, below(t, dir), map[string]string{}) // it aborts what it can

	mark, _, _ := strings.Cut(filepath.Base(leftover), "-")
	mine, busy := filepath.Join(dir, ".sluice", mark+"-killed"), filepath.Join(dir, ".sluice", mark+"-busy")
	others := filepath.Join(dir, ".sluice", "0123456789abcdef-killed")
	if err := os.Mkdir(filepath.Join(dir, ".sluice"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{mine, busy, others} {
		if err := os.WriteFile(name, []byte("half"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(busy)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	into(dir, "{key}").must(t, items{item("a", "1")})
	same(t, below(t, dir), map[string]string{"a": "1", ".sluice/" + filepath.Base(busy): "half", ".sluice/" + filepath.Base(others): "half"})
}

func TestADiskThatIsFullIsAnErrorAndLaterRunsRepairIt(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	source := items{large("small", 1<<20), large("d/large", 5<<20), item("c", "1")}
	p := into(dir, "{key}")
	_, err := p.run(t, source)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "d/large: after ") {
		t.Fatalf("got %v, want no space left, and for which file after how many bytes", err)
	}
	if got := slices.Collect(maps.Keys(below(t, dir))); len(got) != 1 || got[0] != "small" {
		t.Errorf("visible: %q, want only what is whole", got)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=16m"); err != nil {
		t.Fatal(err)
	}
	p.must(t, source)
	if got := below(t, dir); len(got) != 3 || len(got["d/large"]) != 5<<20 {
		t.Errorf("%d files, the large one of %d bytes", len(got), len(got["d/large"]))
	}
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	for _, c := range []struct {
		config       file.Config
		option, want string
	}{
		{file.Config{Key: "{key}"}, "path", "name the directory"},
		{file.Config{Path: "x", Key: "{kez}"}, "key", "unknown field {kez}"},
		{file.Config{Path: "x", Key: "../{key}"}, "key", "no segment .."},
		{file.Config{Path: "x", Key: ".sluice/{key}"}, "key", "choose another"},
		{file.Config{Path: "x", Key: "{sequence}"}, "key", "add {lane} or {index}"},
		{file.Config{Path: "x", Key: "{key}", Manifest: "{lane}/_manifest.ndjson"}, "manifest", "no {lane}"},
		{file.Config{Path: "x", Key: "{key}", Manifest: ".sluice/_manifest.ndjson"}, "manifest", "choose another"},
		{file.Config{Path: "x", Key: "{key}", Roll: roll.Options{Every: unit.Duration(1)}}, "roll.every", "{sequence}"},
		{file.Config{Path: "x", Key: "{key}"}, "", ""},
		{file.Config{Path: "x", Key: "{lane}/{sequence}"}, "", ""},
	} {
		got := c.config.Problems(kind.Env{})
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || got[0].Option != c.option || !strings.Contains(got[0].Message, c.want)) {
			t.Errorf("%+v: got %v, want %s: %s", c.config, got, c.option, c.want)
		}
	}
	single, many := file.Config{Path: "x", Key: "{key}"}, file.Config{Path: "x", Key: "{lane}{sequence}"}
	if p := single.Takes(kind.Records); p == nil || p.Option != "key" {
		t.Errorf("records into files of their own: got %v", p)
	}
	for _, p := range []*kind.Problem{single.Takes(kind.Bytes), many.Takes(kind.Records), many.Takes(kind.Bytes)} {
		if p != nil {
			t.Errorf("got %v", p)
		}
	}
	if many.Identity() == (&file.Config{Path: "y", Key: many.Key}).Identity() {
		t.Error("another directory has the same identity")
	}
}

func TestStandardOutputHasWholeItemsInOrder(t *testing.T) {
	var out bytes.Buffer
	sink, err := (&file.Stdout{Out: &out}).Build(kind.Env{Transient: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &pipelinetest.World{}
	source := &pipelinetest.Source{World: w, Lines: 20, Blocks: true, Bad: t.Errorf, Lanes: func(int64) []pipelinetest.Lane {
		return []pipelinetest.Lane{{Name: "\x00", ID: "A", To: 9}, {Name: "\x01", ID: "B", To: 9}}
	}}
	p := &pipeline.Pipeline{Source: source, Sink: sink, Store: &pipelinetest.Store{World: w}, Lanes: 2}
	if res, err := p.Run(t.Context()); err != nil || !res.Complete || res.Counts.Written != 2*9*20 {
		t.Fatalf("got %+v, %v", res, err)
	}
	for _, id := range []string{"A", "B"} {
		at := 0
		for n := range 9 {
			want := string(pipelinetest.Content(id, 0, n, 20))
			i := strings.Index(out.String(), want)
			if i < at {
				t.Errorf("item %d of %s is at %d, want it whole and after %d", n, id, i, at)
			}
			at = i
		}
	}
	if got := (&file.Stdout{}).Problems(kind.Env{}); len(got) != 1 || len((&file.Stdout{}).Problems(kind.Env{Transient: true})) > 0 {
		t.Errorf("with a state: got %v", got)
	}
}

func TestStandardOutputReportsWhatItCannotWrite(t *testing.T) {
	r, wr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer wr.Close()
	short := item("k", "123")
	short.Size = 4
	for _, c := range []struct {
		out  io.Writer
		it   *pipeline.Item
		want error
	}{{wr, item("k", "1"), syscall.EPIPE}, {io.Discard, short, io.ErrUnexpectedEOF}} {
		sink, _ := (&file.Stdout{Out: c.out}).Build(kind.Env{})
		p := &pipeline.Pipeline{Source: items{c.it}, Sink: sink, Store: &pipelinetest.Store{World: &pipelinetest.World{}}, Lanes: 1}
		if res, err := p.Run(t.Context()); !errors.Is(err, c.want) || res.Complete {
			t.Errorf("got %+v, %v, want %v", res, err, c.want)
		}
	}
}
