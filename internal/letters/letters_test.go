package letters_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice/internal/crash"
	"sluice/internal/letters"
	"sluice/internal/state"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("LETTERS_TEST_CHILD"); dir != "" {
		do := move
		switch {
		case os.Getenv("LETTERS_TEST_SOME") != "":
			do = writeSome
		case os.Getenv("LETTERS_TEST_REPLAY") != "":
			do = replayAll
		}
		if err := do(dir); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, dir string) *letters.Writer {
	t.Helper()
	w, err := letters.Open(dir, "logs")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func write(t testing.TB, w *letters.Writer, all ...pipeline.Letter) {
	t.Helper()
	for _, l := range all {
		if err := w.Write(t.Context(), l); err != nil {
			t.Fatalf("write: %v", err)
		}
	}
}

func read(t testing.TB, dir string, pass int64) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "logs", fmt.Sprintf("%d.ndjson", pass)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func lines(t testing.TB, content string) (all []letters.Letter) {
	t.Helper()
	for line := range strings.Lines(content) {
		var l letters.Letter
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&l); err != nil || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("%v: %q", err, line)
		}
		all = append(all, l)
	}
	return all
}

func TestALetterIsALineOfJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w := open(t, dir)
		write(t, w, pipeline.Letter{
			Pass: 7, Lane: "logs-0", Stage: "sink", Start: 2, Line: 41, Key: "a/b.gz", Version: "v1",
			From:   pipeline.Position{Token: "a/a", Inner: "77", Key: "a/b.gz", Version: "v1", Hint: "no matter"},
			Reason: "400 mapper_parsing_exception: <no> date", Record: []byte("{\"a\":\"é\u2028\x00\"}\n"),
			Refusal: &pipeline.Refusal{Status: 400, Type: "mapper_parsing_exception", Reason: "<no> date", Attempts: 3},
		}, pipeline.Letter{Pass: 7, Lane: "logs-1", Stage: "lines", Line: -1, Key: "k", Reason: "vanished"},
			pipeline.Letter{Pass: 7, Lane: "logs-1", Stage: "edit", Key: "k", Reason: "bad", Record: []byte("\xff\xfe\n")})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		want := `{"time":"2000-01-01T00:00:00Z","pipeline":"logs","pass":7,"lane":"logs-0","start":2,"stage":"sink",` +
			`"source":{"key":"a/b.gz","version":"v1","position":{"token":"a/a","inner":"77","key":"a/b.gz","version":"v1"},"line":41},` +
			`"attempts":3,"status":400,"type":"mapper_parsing_exception","reason":"400 mapper_parsing_exception: <no> date","record":"{\"a\":\"é\u2028\u0000\"}\n"}
{"time":"2000-01-01T00:00:00Z","pipeline":"logs","pass":7,"lane":"logs-1","start":0,"stage":"lines","source":{"key":"k","position":{"token":""}},"reason":"vanished"}
{"time":"2000-01-01T00:00:00Z","pipeline":"logs","pass":7,"lane":"logs-1","start":0,"stage":"edit","source":{"key":"k","position":{"token":""},"line":0},"reason":"bad","record":"` +
			base64.StdEncoding.EncodeToString([]byte("\xff\xfe\n")) + `","encoding":"base64"}
`
		if diff := cmp.Diff(want, read(t, dir, 7)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// FuzzRecord: the bytes of every record come back.
func FuzzRecord(f *testing.F) {
	for _, s := range []string{"", "{}\n", "\xff", "\x00\u2028\\\"<>&", "\ufffd", strings.Repeat("x", 200_000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		dir := t.TempDir()
		w := open(t, dir)
		write(t, w, pipeline.Letter{Pass: 1, Record: record})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		l := lines(t, read(t, dir, 1))[0]
		got := []byte(nil)
		if l.Record != nil {
			got = []byte(*l.Record)
		}
		if l.Encoding == "base64" {
			got, _ = base64.StdEncoding.DecodeString(*l.Record)
		}
		if !bytes.Equal(got, record) {
			t.Errorf("%q, want %q", got, record)
		}
	})
}

func TestEachPassHasItsFile(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	write(t, w, pipeline.Letter{Pass: 1, Key: "a"}, pipeline.Letter{Pass: 2, Key: "b"}, pipeline.Letter{Pass: 2, Key: "c"})
	if got := lines(t, read(t, dir, 1)); len(got) != 1 || got[0].Source.Key != "a" {
		t.Errorf("pass 1: %+v", got)
	}
	w.Close()
	if got := lines(t, read(t, dir, 2)); len(got) != 2 {
		t.Errorf("pass 2: %+v", got)
	}
}

func TestWithoutLettersThereIsNoFile(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	if err := errors.Join(w.Sync(t.Context()), w.Close()); err != nil {
		t.Error(err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "logs", "*")); files != nil {
		t.Errorf("%s", files)
	}
}

func TestSyncWritesWhatWasTaken(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	defer w.Close()
	var wg sync.WaitGroup
	for lane := range 4 {
		wg.Go(func() {
			for line := range int64(100) {
				l := pipeline.Letter{Pass: 1, Lane: fmt.Sprint(lane), Line: line, Record: bytes.Repeat([]byte("x"), 500)}
				if err := errors.Join(w.Write(context.Background(), l), w.Sync(context.Background())); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := lines(t, read(t, dir, 1)); len(got) != 400 {
		t.Errorf("%d letters, want 400", len(got))
	}
}

func TestATornLastLineIsTakenAway(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for _, c := range []struct{ name, before, want string }{
		{"whole", "{}\n{}\n", "{}\n{}\n"}, {"torn", "{}\n{}\n{\"a", "{}\n{}\n"}, {"only torn", "{\"a", ""}, {"empty", "", ""},
		{"long", "{}\n{" + long, "{}\n"}, {"long and only", long, ""}, {"long and whole", "{" + long + "}\n", "{" + long + "}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			w := open(t, dir)
			if err := os.WriteFile(filepath.Join(dir, "logs", "1.ndjson"), []byte(c.before), 0o600); err != nil {
				t.Fatal(err)
			}
			write(t, w, pipeline.Letter{Pass: 1, Key: "new"})
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			rest, ok := strings.CutPrefix(read(t, dir, 1), c.want)
			if got := lines(t, rest); !ok || len(got) != 1 || got[0].Source.Key != "new" {
				t.Errorf("%d bytes before the new letter, %d letters", len(read(t, dir, 1))-len(rest), len(got))
			}
		})
	}
}

func TestNamesThatLeaveTheDirectoryAreErrors(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "../a", "/"} {
		if w, err := letters.Open(t.TempDir(), name); err == nil {
			t.Errorf("%q: no error", name)
			w.Close()
		}
	}
}

func TestADirectoryThatCannotBeMadeIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	os.WriteFile(file, nil, 0o600)
	if _, err := letters.Open(file, "logs"); err == nil || !strings.HasPrefix(err.Error(), "dead letters: ") {
		t.Errorf("%v", err)
	}
}

// TestAfterAFailureNothingIsTaken: /dev/full takes no write, /dev/zero takes
// writes and fails to sync.
func TestAfterAFailureNothingIsTaken(t *testing.T) {
	for device, want := range map[string]error{"/dev/full": syscall.ENOSPC, "/dev/zero": syscall.EINVAL} {
		t.Run(device, func(t *testing.T) {
			if _, err := os.Stat(device); err != nil {
				t.Skip(err)
			}
			dir := t.TempDir()
			w := open(t, dir)
			name := filepath.Join(dir, "logs", "1.ndjson")
			if err := os.Symlink(device, name); err != nil {
				t.Fatal(err)
			}
			write(t, w, pipeline.Letter{Pass: 1, Key: "a"})
			err := w.Sync(t.Context())
			if !errors.Is(err, want) {
				t.Fatalf("%v, want %v", err, want)
			}
			os.Remove(name)
			for _, again := range []error{w.Write(t.Context(), pipeline.Letter{Pass: 1}), w.Write(t.Context(), pipeline.Letter{Pass: 2}), w.Sync(t.Context())} {
				if !errors.Is(again, err) {
					t.Errorf("%v, want the first error", again)
				}
			}
			w.Close()
		})
	}
}

// writeSome writes letters 0 to 9 of two passes, and says which are durable.
func writeSome(dir string) error {
	w, err := letters.Open(dir, "logs")
	for n := range int64(10) {
		if err == nil {
			err = w.Write(context.Background(), pipeline.Letter{Pass: 1 + n/7, Line: n, Record: []byte(strings.Repeat("r", 300))})
		}
		if err == nil && n%2 == 1 {
			err = w.Sync(context.Background())
			fmt.Println(n, n-1)
		}
	}
	return errors.Join(err, w.Close())
}

// move runs a pipeline in dir that has a dead letter for every fifth record.
func move(dir string) error {
	s, err := state.Open(filepath.Join(dir, "logs.db"))
	if err != nil {
		return err
	}
	dead, err := letters.Open(dir, "logs")
	if err != nil {
		return err
	}
	w := &pipelinetest.World{}
	edit := func(_ context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
		if bytes.HasSuffix(rec, []byte("/3\n")) {
			return pipeline.Dead, errors.New("three")
		}
		dst.Write(rec)
		return pipeline.Keep, nil
	}
	p := &pipeline.Pipeline{Name: "logs", Store: s, Dead: dead, Lanes: 1,
		Stages: []pipeline.Stage{{Name: "edit", Transform: pipeline.Edit(edit).Transform(1, 0)}},
		Sink:   &pipelinetest.Sink{World: w, Roll: 1, Objects: map[string]string{}},
		Source: &pipelinetest.Source{World: w, Lines: 5, Blocks: true, Delay: 200e6, Lanes: func(int64) []pipelinetest.Lane {
			return []pipelinetest.Lane{{Name: "a", ID: "A", To: 8}}
		}}}
	_, err = p.Run(context.Background())
	return errors.Join(err, dead.Close(), s.Close())
}

func TestAfterKill9EveryLetterIsThere(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a pipeline for seconds")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	kills := 0
	for _, at := range []string{crash.AfterDeadLetter, crash.BeforeSave, crash.AfterSave, ""} {
		c := exec.CommandContext(t.Context(), exe)
		c.Env = append(os.Environ(), "LETTERS_TEST_CHILD="+dir)
		if at != "" {
			c.Env = append(c.Env, "SLUICE_CRASH="+at+":2")
		}
		c.Stderr = os.Stderr
		err := c.Run()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
			kills++
		} else if err != nil {
			t.Fatal(err)
		}
		s, err := state.Read(filepath.Join(dir, "logs.db"))
		if err != nil {
			t.Fatal(err)
		}
		content := read(t, dir, 1)
		content = content[:strings.LastIndexByte(content, '\n')+1]
		distinct := map[string]bool{}
		for _, l := range lines(t, content) {
			distinct[fmt.Sprint(l.Pass, l.Lane, l.Start, l.Stage, l.Source.Position, *l.Source.Line)] = true
		}
		if dead := s.States["a"].Counts.Dead; int64(len(distinct)) < dead || at == "" && (dead != 8 || len(distinct) != 8) {
			t.Errorf("killed %s: %d letters, %d are counted in the state", at, len(distinct), dead)
		}
	}
	if kills == 0 {
		t.Error("the pipeline was never killed")
	}
}
