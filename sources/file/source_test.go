package file_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sources/file"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func build(t testing.TB, path string) pipeline.Source {
	t.Helper()
	s, err := (&file.Config{Path: path}).Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// write makes files, and the directories they are in.
func write(t testing.TB, dir string, files map[string]string) {
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

// list plans a pass and gives the items of all lanes, lane by lane.
func list(t testing.TB, s pipeline.Source, parallel int) (all [][]*pipeline.Item) {
	t.Helper()
	r, lanes := open(t, s, parallel)
	for _, lane := range lanes {
		all = append(all, read(t, r, lane, pipeline.Position{}))
	}
	return all
}

// TestLanesAreAboutEqual: ranges of keys that follow each other, four for each
// lane that runs at a time, and none of them has much more than its share.
func TestLanesAreAboutEqual(t *testing.T) {
	dir := t.TempDir()
	for i := range 500 {
		write(t, dir, map[string]string{fmt.Sprintf("%03d", i): strings.Repeat("x", i%7*40_000)})
	}
	_, lanes := open(t, build(t, dir), 3)
	if len(lanes) != 12 {
		t.Fatalf("got %d lanes, want 12", len(lanes))
	}
	var all, most int64
	for _, lane := range lanes {
		all, most = all+lane.Bytes, max(most, lane.Bytes)
	}
	if most > all/12*5/2 {
		t.Errorf("one lane has %d of %d bytes", most, all)
	}
	var keys []string
	for _, items := range list(t, build(t, dir), 3) {
		keys = append(keys, keysOf(items)...)
	}
	if len(keys) != 500 || !slices.IsSorted(keys) {
		t.Errorf("got %d keys, sorted: %v", len(keys), slices.IsSorted(keys))
	}
	if _, lanes := open(t, build(t, dir), 1); len(lanes) != 1 {
		t.Errorf("got %d lanes, want 1 where one runs at a time", len(lanes))
	}
}

func open(t testing.TB, s pipeline.Source, parallel int) (pipeline.Reader, []pipeline.Lane) {
	t.Helper()
	r, err := s.Open(t.Context(), &pipeline.Pass{Number: 1, Parallel: parallel, Store: &pipelinetest.Store{World: &pipelinetest.World{}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	lanes, err := r.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r, lanes
}

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

func keysOf(items []*pipeline.Item) (keys []string) {
	for _, it := range items {
		keys = append(keys, it.Key)
	}
	return keys
}

func content(it *pipeline.Item) (string, error) {
	body, err := it.Body.Open(context.Background())
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

func TestTheSourceKeepsItsContract(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a+": "1\n", "a-b/c": "2\n3\n", "a.b": "", "a/b": "4\n", "a/c/d": "5\n", "b": strings.Repeat("line\n", 30_000)})
	for _, parallel := range []int{1, 3} {
		t.Run(fmt.Sprint(parallel), func(t *testing.T) {
			pipelinetest.TestSource(t, pipelinetest.SourceCase{Parallel: parallel, Open: func(t *testing.T) pipeline.Source {
				return file.WithBatch(build(t, dir), 2)
			}})
		})
	}
}

func TestKeysComeInByteOrderAndEachInOneLane(t *testing.T) {
	segment := rapid.StringMatching(`[a./-]?[a-c.-]{1,3}`)
	rapid.Check(t, func(r *rapid.T) {
		dir := t.TempDir()
		var want []string
		for range rapid.IntRange(0, 25).Draw(r, "files") {
			key := filepath.Clean(strings.Join(rapid.SliceOfN(segment, 1, 3).Draw(r, "key"), "/"))
			if !fs.ValidPath(key) || key == "." || os.MkdirAll(filepath.Join(dir, filepath.Dir(key)), 0o777) != nil {
				continue
			}
			f, err := os.OpenFile(filepath.Join(dir, key), os.O_CREATE|os.O_EXCL, 0o666)
			if err != nil { // there is one, or a directory
				continue
			}
			f.Close()
			want = append(want, key)
		}
		slices.Sort(want)
		s := file.WithBatch(build(t, dir), rapid.IntRange(1, 4).Draw(r, "batch"))
		var got []string
		for i, items := range list(t, s, rapid.IntRange(1, 4).Draw(r, "lanes")) {
			keys := keysOf(items)
			if !slices.IsSorted(keys) {
				t.Errorf("lane %d: %q is not in order", i, keys)
			}
			got = append(got, keys...)
		}
		slices.Sort(got)
		equal(t, "keys", got, want)
		reader, lanes := open(t, s, 1)
		for i := range want { // going on after each
			rest := read(t, reader, lanes[0], pipeline.Position{Token: want[i]})
			equal(t, "after "+want[i], keysOf(rest), append([]string(nil), want[i+1:]...))
		}
		if t.Failed() {
			r.FailNow()
		}
	})
}

func TestWhatAPathNames(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"x/1.json": "", "x/1.log": "", "y/2.json": "", "y/deep/3.json": "", "z.json": "", "[w].json": "", ".sluice/tmp": "", "x/.sluice/t": ""})
	for pattern, want := range map[string][]string{
		"":              {"[w].json", "x/1.json", "x/1.log", "y/2.json", "y/deep/3.json", "z.json"},
		"x":             {"1.json", "1.log"},
		"x/1.log":       {"1.log"},
		"*.json":        {"[w].json", "z.json"},
		"*/*.json":      {"x/1.json", "y/2.json"},
		"?/[12].*":      {"x/1.json", "x/1.log", "y/2.json"},
		"y*":            {"y/2.json", "y/deep/3.json"},
		"y/d*":          {"deep/3.json"},
		"[w].json":      {"[w].json"},
		"nothing*.here": nil,
	} {
		got := keysOf(list(t, build(t, filepath.Join(dir, pattern)), 1)[0])
		equal(t, pattern, got, want)
	}
	for _, missing := range []string{"none", "none/*.json"} {
		if _, err := build(t, filepath.Join(dir, missing)).Open(t.Context(), &pipeline.Pass{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want an error", missing, err)
		}
	}
}

func TestOnlyRegularFilesInsideAreRead(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write(t, outside, map[string]string{"secret": "s"})
	write(t, dir, map[string]string{"a/file": "1", "link-target": "2"})
	for name, to := range map[string]string{
		"inside": "link-target", "a/up": "../link-target", "loop": ".", "out": filepath.Join(outside, "secret"),
		"outdir": outside, "nowhere": "nothing", "self": "self",
	} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o666); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a/file": "1", "a/up": "2", "inside": "2", "link-target": "2"}
	gone := []string{"nowhere", "out", "outdir", "self"}
	for _, it := range list(t, build(t, dir), 1)[0] {
		got, err := content(it)
		if slices.Contains(gone, it.Key) {
			if !errors.Is(err, pipeline.ErrGone) {
				t.Errorf("%s: got %q, %v, want that it cannot be had", it.Key, got, err)
			}
			continue
		}
		if w, ok := want[it.Key]; !ok || got != w || err != nil {
			t.Errorf("%s: got %q, %v, want %q", it.Key, got, err, w)
		}
		delete(want, it.Key)
	}
	if len(want) > 0 {
		t.Errorf("not read: %v", want)
	}
}

func TestAFileNamedByALinkIsReadWhereverItIs(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write(t, outside, map[string]string{"real": "s"})
	link := filepath.Join(dir, "link.log")
	if err := os.Symlink(filepath.Join(outside, "real"), link); err != nil {
		t.Fatal(err)
	}
	items := list(t, build(t, link), 4)
	if len(items) != 1 || len(items[0]) != 1 || items[0][0].Key != "link.log" {
		t.Fatalf("got %+v", items)
	}
	if got, err := content(items[0][0]); got != "s" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestAFileThatChangesAfterItWasListed changes a file between the listing and
// the open, or after the first bytes.
func TestAFileThatChangesAfterItWasListed(t *testing.T) {
	const was = "0123456789"
	do := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	appended := func(name string) {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
		do(err)
		_, err = f.WriteString("more")
		do(errors.Join(err, f.Close()))
	}
	for _, c := range []struct {
		name        string
		change      func(name string)
		open, while error // nil: the bytes that were listed
	}{
		{"nothing", func(string) {}, nil, nil},
		{"grown", appended, nil, nil},
		{"vanished", func(n string) { do(os.Remove(n)) }, pipeline.ErrGone, nil},
		{"replaced", func(n string) { do(os.WriteFile(n+"2", []byte(was), 0o666)); do(os.Rename(n+"2", n)) }, pipeline.ErrGone, nil},
		{"truncated", func(n string) { do(os.Truncate(n, 5)) }, pipeline.ErrGone, io.ErrUnexpectedEOF},
		{"written over", func(n string) {
			do(os.WriteFile(n, []byte("9876543210"), 0o666))
			do(os.Chtimes(n, time.Time{}, time.Now().Add(time.Hour)))
		}, pipeline.ErrGone, pipeline.ErrGone},
		{"a pipe now", func(n string) { do(os.Remove(n)); do(syscall.Mkfifo(n, 0o666)) }, pipeline.ErrGone, nil},
	} {
		for _, early := range []bool{true, false} {
			dir := t.TempDir()
			write(t, dir, map[string]string{"f": was})
			it := list(t, build(t, dir), 1)[0][0]
			name := filepath.Join(dir, "f")
			if early {
				c.change(name)
				got, err := content(it)
				checkChange(t, c.name+", then opened", got, was, err, c.open)
				continue
			}
			body, err := it.Body.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			head := make([]byte, 2)
			_, err = io.ReadFull(body, head)
			do(err)
			c.change(name)
			rest, err := io.ReadAll(body)
			do(body.Close())
			checkChange(t, c.name+" while it was read", string(head)+string(rest), was, err, c.while)
		}
	}
}

func checkChange(t *testing.T, what, got, was string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || want == nil && (err != nil || got != was) {
		t.Errorf("%s: got %q, %v, want %v", what, got, err, want)
	}
}

func TestANameThatIsNoTextIsReportedAndPassed(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "1", "b\xff": "2", "c": "3"})
	r, lanes := open(t, build(t, dir), 1)
	items := read(t, r, lanes[0], pipeline.Position{})
	if len(items) != 3 || items[1].Key != `"b\xff"` {
		t.Fatalf("got %q", keysOf(items))
	}
	if _, err := content(items[1]); !errors.Is(err, pipeline.ErrGone) {
		t.Errorf("got %v, want that it cannot be had", err)
	}
	equal(t, "after it", keysOf(read(t, r, lanes[0], items[1].Pos)), []string{"c"})
	equal(t, "after the one before it", keysOf(read(t, r, lanes[0], items[0].Pos)), []string{`"b\xff"`, "c"})
}

func TestFilesBeyondTheEndOfThePlanWait(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"b": "22", "d/e": "333"})
	r, lanes := open(t, build(t, dir), 1)
	if lanes[0].Bytes != 5 {
		t.Errorf("expected bytes: got %d, want 5", lanes[0].Bytes)
	}
	write(t, dir, map[string]string{"a": "", "d/f": "", "z": ""})
	equal(t, "keys", keysOf(read(t, r, lanes[0], pipeline.Position{})), []string{"a", "b", "d/e"})
	empty, lanes := open(t, build(t, t.TempDir()), 2)
	equal(t, "of nothing", keysOf(read(t, empty, lanes[0], pipeline.Position{})), nil)
}

func TestInsideAnItemThatItemComesFirst(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"b": "", "d": "", "f": ""})
	r, lanes := open(t, build(t, dir), 1)
	inside := pipeline.Position{Token: "b", Inner: "1", Key: "d", Version: "v"}
	write(t, dir, map[string]string{"c": ""})
	equal(t, "a new key before it waits", keysOf(read(t, r, lanes[0], inside)), []string{"d", "f"})
	if err := os.Remove(filepath.Join(dir, "d")); err != nil {
		t.Fatal(err)
	}
	equal(t, "it is gone", keysOf(read(t, r, lanes[0], inside)), []string{"f"})
}

func TestADirectoryThatCannotBeListedIsAnError(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "", "d/x": ""})
	if err := os.Chmod(filepath.Join(dir, "d"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadDir(filepath.Join(dir, "d")); err == nil {
		t.Skip("this user may read everything")
	}
	r, err := build(t, dir).Open(t.Context(), &pipeline.Pass{Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Plan(t.Context()); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

func TestWhatTheConfigurationRefuses(t *testing.T) {
	for path, want := range map[string]string{"": "name a file", "[": "not a pattern", "-": "use it with sluice copy", "x/*": ""} {
		got := (&file.Config{Path: path}).Problems(kind.Env{})
		if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !strings.Contains(got[0].Message, want)) {
			t.Errorf("%q: got %v, want %q", path, got, want)
		}
	}
	if got := (&file.Config{Path: "-"}).Problems(kind.Env{Transient: true}); len(got) > 0 {
		t.Errorf("standard input of a copy: got %v", got)
	}
}

func TestStandardInputIsOneItemThatIsReadOnce(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("1\n2\n"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	items := list(t, &file.Stdin{In: r}, 4)
	if len(items) != 1 || len(items[0]) != 1 {
		t.Fatalf("got %+v", items)
	}
	if got, err := content(items[0][0]); got != "1\n2\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := content(items[0][0]); err == nil {
		t.Error("it was opened twice")
	}
}

func TestAStopEndsTheWaitForStandardInput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close() // nobody writes
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(150*time.Millisecond, stop)
	began := time.Now()
	world := &pipelinetest.World{}
	p := &pipeline.Pipeline{Source: &file.Stdin{In: r}, Stages: []pipeline.Stage{{Name: "lines", Transform: pipeline.Lines{}}}, Grace: 8 * time.Second,
		Sink: &pipelinetest.Sink{World: world, Roll: 1, Objects: map[string]string{}}, Store: &pipelinetest.Store{World: world}, Lanes: 1}
	if res, err := p.Run(ctx); err != nil || res.Complete {
		t.Errorf("got %+v, %v", res, err)
	}
	if d := time.Since(began); d > 4*time.Second {
		t.Errorf("stopped after %v", d)
	}
}

func FuzzToken(f *testing.F) {
	dir := f.TempDir()
	write(f, dir, map[string]string{"a": "", "b/c": "", "b\xff": ""})
	for _, s := range []string{"", "a", "b/c", "\x00", "\x0062ff", "\x00zz"} {
		f.Add(s)
	}
	r, lanes := open(f, build(f, dir), 1)
	f.Fuzz(func(t *testing.T, token string) {
		out := make(chan *pipeline.Item, 3)
		if err := r.Read(t.Context(), lanes[0], pipeline.Position{Token: token}, out); err == nil && len(out) == 3 && token > "b\xff" {
			t.Errorf("after %q: everything", token)
		}
	})
}
