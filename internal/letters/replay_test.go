package letters_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/crash"
	"sluice/internal/jq"
	"sluice/internal/letters"
	"sluice/internal/state"
	"sluice/pipeline"
)

// target is a sink that appends records to a file, but for those that have
// refuse in them.
type target struct {
	path, refuse string
	finish       error
	hasty        bool
}

// hasty makes each letter durable at once.
type hasty struct{ pipeline.DeadLetters }

func (h hasty) Write(ctx context.Context, l pipeline.Letter) error {
	return errors.Join(h.DeadLetters.Write(ctx, l), h.Sync(ctx))
}

func (s target) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return s, nil }
func (s target) Finish(context.Context) error                                  { return s.finish }
func (s target) Close() error                                                  { return nil }

func (s target) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	f, err := os.OpenFile(s.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		n := int64(0)
		for line := range bytes.Lines(it.Body.(*pipeline.Block).B()) {
			if s.refuse != "" && bytes.Contains(line, []byte(s.refuse)) {
				err = it.Bury(ctx, n, line, &pipeline.Refusal{Status: 400, Type: "refused", Reason: "again", Attempts: 1})
			} else {
				_, err = f.Write(line)
			}
			if err != nil {
				return err
			}
			n++
		}
		crash.Point(crash.AfterBulkReply)
		if err := it.Done(); err != nil {
			return err
		}
	}
}

// again replays the letters below dir, as the command does.
func again(ctx context.Context, dir, refuse string, from *letters.Replay) (pipeline.Result, error) {
	return into(ctx, dir, target{path: filepath.Join(dir, "written"), refuse: refuse}, from)
}

func into(ctx context.Context, dir string, sink target, from *letters.Replay) (res pipeline.Result, err error) {
	store, err := state.Open(filepath.Join(dir, "replay.db"))
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	from.Box = inFiles(dir)
	if from.Box.Replayed, err = letters.Replayed(func(b string, f func(string, []byte) error) error { return store.Range(b, "", f) }); err != nil {
		return res, err
	}
	if from.Filter == nil {
		from.Filter = &letters.Filter{}
	}
	w, err := letters.Open(dir, "logs")
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := letters.Reset(store); err != nil {
		return res, err
	}
	dead := from.Dead(w)
	if sink.hasty {
		dead = hasty{dead}
	}
	p := &pipeline.Pipeline{Name: "logs", Source: from, Sink: sink, Store: store, Dead: dead, Lanes: 1}
	return p.Run(ctx)
}

// left is the letters below dir that were not replayed.
func left(t testing.TB, dir string) (all []*letters.Letter) {
	t.Helper()
	b := inFiles(dir)
	var err error
	b.Replayed, err = letters.Replayed(func(bucket string, f func(string, []byte) error) error {
		return state.Rows(filepath.Join(dir, "replay.db"), bucket, f)
	})
	if err == nil {
		err = b.Each(t.Context(), func(l *letters.Letter, _ []byte) error { all = append(all, l); return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func written(t testing.TB, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "written"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ten is letters of records 0 to 9, of one without, and of one of another stage.
func ten(dir string) error {
	w, err := letters.Open(dir, "logs")
	if err != nil {
		return err
	}
	for n := range int64(10) {
		err = errors.Join(err, w.Write(context.Background(), pipeline.Letter{Pass: 1, Lane: "a", Stage: "sink", Line: n, Key: "k", Reason: "first",
			Record: fmt.Appendf(nil, "{\"_id\":\"%d\"}\n", n)}))
	}
	err = errors.Join(err, w.Write(context.Background(), pipeline.Letter{Pass: 1, Lane: "a", Stage: "sink", Line: 10, Reason: "too long"}),
		w.Write(context.Background(), pipeline.Letter{Pass: 1, Lane: "a", Stage: "edit", Line: 0, Reason: "other stage", Record: []byte("{}\n")}))
	return errors.Join(err, w.Close())
}

func replays(t testing.TB, dir, refuse string, from *letters.Replay) pipeline.Counts {
	t.Helper()
	from.Stage = "sink"
	res, err := again(t.Context(), dir, refuse, from)
	if err != nil || !res.Complete {
		t.Fatalf("got %v, complete %v", err, res.Complete)
	}
	return res.Counts
}

func TestAReplayDeliversLettersOnceAndKeepsWhatIsRefusedAgain(t *testing.T) {
	dir := t.TempDir()
	if err := ten(dir); err != nil {
		t.Fatal(err)
	}
	if c := replays(t, dir, `"7"`, &letters.Replay{}); c.Read != 10 || c.Written != 9 || c.Dead != 1 {
		t.Errorf("got %+v, want 10 read, 9 written", c)
	}
	all := left(t, dir)
	if len(all) != 3 || all[0].Reason != "too long" || all[1].Reason != "other stage" {
		t.Fatalf("got %d letters, want the two that cannot be sent and the one that was refused", len(all))
	}
	if l := all[2]; l.Replay != 1 || l.Reason != "400 refused: again" || l.Status != 400 || l.Type != "refused" || l.Attempts != 1 ||
		l.Pass != 1 || l.Lane != "a" || l.Stage != "sink" || *l.Source.Line != 7 || l.Source.Key != "k" || *l.Record != "{\"_id\":\"7\"}\n" {
		t.Errorf("got %+v, want the place of the letter before it and the new reason", l)
	}
	if c := replays(t, dir, `"7"`, &letters.Replay{}); c.Read != 1 || c.Dead != 1 {
		t.Errorf("got %+v, want one, refused for the third time", c)
	}
	if c := replays(t, dir, "", &letters.Replay{}); c.Read != 1 || c.Written != 1 {
		t.Errorf("got %+v, want one, written", c)
	}
	if c := replays(t, dir, "", &letters.Replay{}); c.Read != 0 {
		t.Errorf("got %+v, want nothing left to send", c)
	}
	if got := written(t, dir); strings.Count(got, "\n") != 10 || !strings.HasSuffix(got, "{\"_id\":\"7\"}\n") {
		t.Errorf("got %q, want each record once", got)
	}
}

func TestAReplayDoesNotTakeTheLettersThatItMakes(t *testing.T) {
	dir := t.TempDir()
	if err := ten(dir); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // else it would go on for ever
	defer cancel()
	sink := target{path: filepath.Join(dir, "written"), refuse: "_id", hasty: true}
	for range 2 { // the second one reads the file that it appends to
		if res, err := into(ctx, dir, sink, &letters.Replay{Stage: "sink"}); err != nil || res.Counts.Read != 10 || res.Counts.Dead != 10 {
			t.Fatalf("got %+v, %v, want 10 read and refused", res.Counts, err)
		}
	}
}

// The pass that was interrupted after its lane had ended is not gone on with:
// it was of other letters.
func TestAReplayAfterOneThatFailedAtItsEndTakesAllThatAreLeft(t *testing.T) {
	dir := t.TempDir()
	if err := ten(dir); err != nil {
		t.Fatal(err)
	}
	sink := target{path: filepath.Join(dir, "written"), finish: errors.New("no alias")}
	if _, err := into(t.Context(), dir, sink, &letters.Replay{Stage: "sink", Filter: &letters.Filter{Limit: 1}}); !errors.Is(err, sink.finish) {
		t.Fatalf("got %v, want that of finish", err)
	}
	if c := replays(t, dir, "", &letters.Replay{}); c.Read != 9 {
		t.Errorf("got %+v, want the other 9", c)
	}
}

func TestAReplayTakesWhatTheFilterChooses(t *testing.T) {
	dir := t.TempDir()
	if err := ten(dir); err != nil {
		t.Fatal(err)
	}
	where, err := jq.Parse(`.source.line >= 4`)
	if err != nil {
		t.Fatal(err)
	}
	if c := replays(t, dir, "", &letters.Replay{Filter: &letters.Filter{Where: where, Limit: 2}}); c.Read != 2 {
		t.Errorf("got %+v, want 2", c)
	}
	if got := written(t, dir); got != "{\"_id\":\"4\"}\n{\"_id\":\"5\"}\n" {
		t.Errorf("got %q", got)
	}
}

func edited(t testing.TB, text string) *letters.Replay {
	t.Helper()
	q, err := jq.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return &letters.Replay{Edit: q}
}

func TestAnEditChangesWhatIsSentAndNotTheLetter(t *testing.T) {
	dir := t.TempDir()
	if err := ten(dir); err != nil {
		t.Fatal(err)
	}
	edit := edited(t, `if ._id == "1" then empty elif ._id == "2" then ., ._id = "2b" elif ._id == "3" then error("no") elif ._id == "4" then .bad = 1 else . end`)
	if c := replays(t, dir, "bad", edit); c.Read != 10 || c.Created != 1 || c.Filtered != 1 || c.Dead != 2 || c.Written != 8 {
		t.Errorf("got %+v, want 10 read, 1 created, 1 filtered, 2 dead, 8 written", c)
	}
	if got, want := written(t, dir), "{\"_id\":\"0\"}\n{\"_id\":\"2\"}\n{\"_id\":\"2b\"}\n{\"_id\":\"5\"}\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	all := left(t, dir)
	if len(all) != 4 || *all[2].Record != "{\"_id\":\"3\"}\n" || !strings.HasPrefix(all[2].Reason, "edit: ") || *all[3].Record != "{\"_id\":\"4\"}\n" {
		t.Errorf("got %d letters, want those of 3 and 4 with their records as they were", len(all))
	}
}

func TestAnEditLeavesNumbersAsTheyAreWritten(t *testing.T) {
	const record = `{"a":1.0,"b":9007199254740993,"c":1e400,"d":"<é>","e":-0}`
	r := edited(t, `.f = .b`)
	text := record + "\n"
	lines, err := r.Lines(t.Context(), &letters.Letter{Record: &text})
	want := strings.TrimSuffix(record, "}") + ",\"f\":9007199254740993}\n"
	if err != nil || len(lines) != 1 || string(lines[0]) != want {
		t.Errorf("got %q, %v, want %q", lines, err, want)
	}
	for _, no := range []string{"", "x\n", "{\"index\":{}} {}\n", "{"} {
		if lines, err := r.Lines(t.Context(), &letters.Letter{Record: &no}); err == nil {
			t.Errorf("%q: got %q, want an error", no, lines)
		}
	}
}

// replayAll is a process that replays the letters below dir. Two are refused.
func replayAll(dir string) error {
	_, err := again(context.Background(), dir, `"7"`, &letters.Replay{Stage: "sink"})
	return err
}

func TestAfterKill9AReplayHasLostNoLetter(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{crash.AfterBulkReply, crash.AfterDeadLetter, crash.BeforeSave, crash.InSave, crash.AfterSave} {
		t.Run(at, func(t *testing.T) {
			dir := t.TempDir()
			if err := ten(dir); err != nil {
				t.Fatal(err)
			}
			kills := 0
			for n := 1; n < 20; n++ {
				c := exec.CommandContext(t.Context(), exe)
				c.Env = append(os.Environ(), "LETTERS_TEST_CHILD="+dir, "LETTERS_TEST_REPLAY=yes", fmt.Sprintf("SLUICE_CRASH=%s:%d", at, n))
				c.Stderr = os.Stderr
				err := c.Run()
				var exit *exec.ExitError
				if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
					kills++
				} else if err != nil {
					t.Fatal(err)
				} else {
					break
				}
				accounted(t, dir)
			}
			if kills == 0 {
				t.Error("the replay was never killed")
			}
			if all := left(t, dir); len(all) != 3 {
				t.Errorf("got %d letters, want 3", len(all))
			}
			accounted(t, dir)
		})
	}
}

// accounted: each record was written, or its letter is left.
func accounted(t *testing.T, dir string) {
	t.Helper()
	text, _ := os.ReadFile(filepath.Join(dir, "written"))
	all := left(t, dir)
	if len(all) > 12 {
		t.Errorf("got %d letters, want each once", len(all))
	}
	for n := range 10 {
		record := fmt.Sprintf("{\"_id\":\"%d\"}\n", n)
		kept := slices.ContainsFunc(all, func(l *letters.Letter) bool { return l.Record != nil && *l.Record == record })
		if !kept && !bytes.Contains(text, []byte(record)) {
			t.Errorf("record %d is neither written nor in a letter", n)
		}
	}
}
