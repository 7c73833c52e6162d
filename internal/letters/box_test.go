package letters_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/jq"
	"sluice/internal/letters"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// inFiles is the letters of pipeline logs below a directory.
func inFiles(dir string) *letters.Box {
	return &letters.Box{Config: &letters.Config{File: &letters.File{Path: dir}}, Pipeline: "logs"}
}

// reasons lists the reasons of the letters in a box.
func reasons(t testing.TB, b *letters.Box) (all []string) {
	t.Helper()
	err := b.Each(t.Context(), func(l *letters.Letter, line []byte) error {
		all = append(all, l.Reason)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wants(t testing.TB, b *letters.Box, want ...string) {
	t.Helper()
	if got := reasons(t, b); !slices.Equal(got, want) {
		t.Errorf("got letters %q, want %q", got, want)
	}
}

// same is wants in any order: letters of one moment come in that of their ids, or
// of the processes that wrote them.
func same(t testing.TB, b *letters.Box, want ...string) {
	t.Helper()
	if got, want := slices.Sorted(slices.Values(reasons(t, b))), slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		t.Errorf("got letters %q, want %q", got, want)
	}
}

func TestALetterThatWasWrittenAgainCountsOnce(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	at := pipeline.Position{Token: "k"}
	write(t, w, pipeline.Letter{Pass: 1, Lane: "a", Stage: "sink", From: at, Line: 1, Reason: "one"},
		pipeline.Letter{Pass: 1, Lane: "a", Stage: "sink", From: at, Line: 2, Reason: "two"},
		pipeline.Letter{Pass: 1, Lane: "a", Stage: "sink", From: at, Line: 1, Reason: "one"},
		pipeline.Letter{Pass: 1, Lane: "b", Stage: "sink", From: at, Line: 1, Reason: "other lane"},
		pipeline.Letter{Pass: 1, Lane: "a", Stage: "edit", From: at, Line: 1, Reason: "other stage"},
		pipeline.Letter{Pass: 1, Lane: "a", Stage: "sink", From: pipeline.Position{Token: "k", Inner: "7"}, Line: 1, Reason: "other position"},
		pipeline.Letter{Pass: 1, Lane: "a", Stage: "sink", From: at, Line: -1, Reason: "the item"},
		pipeline.Letter{Pass: 10, Lane: "a", Stage: "sink", From: at, Line: 1, Reason: "later pass"},
		pipeline.Letter{Pass: 2, Lane: "a", Stage: "sink", From: at, Line: 1, Reason: "other pass"})
	w.Close()
	wants(t, inFiles(dir), "one", "two", "other lane", "other stage", "other position", "the item", "other pass", "later pass")
}

// After a reset of the state, passes begin at 1 again: a letter at the same place
// is of another record.
func TestAnotherRecordAtTheSamePlaceIsAnotherLetter(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	write(t, w, pipeline.Letter{Pass: 1, Reason: "one", Record: []byte("1\n")}, pipeline.Letter{Pass: 1, Reason: "two", Record: []byte("2\n")},
		pipeline.Letter{Pass: 1, Reason: "three", Version: "2", Record: []byte("2\n")})
	w.Close()
	wants(t, inFiles(dir), "one", "two", "three")
}

func TestLettersOfVoidStartsAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w := open(t, dir)
		at := func(start int, lane, reason string) {
			time.Sleep(time.Second)
			write(t, w, pipeline.Letter{Pass: 1, Lane: lane, Start: start, Reason: reason})
		}
		at(3, "a", "of a state that was reset")
		at(0, "a", "void")
		at(0, "b", "b stands")
		at(1, "a", "void too")
		at(2, "a", "stands")
		w.Close()
		b := inFiles(dir)
		wants(t, b, "of a state that was reset", "b stands", "stands")
		if b.Void != 2 {
			t.Errorf("got %d void letters, want 2", b.Void)
		}
	})
}

func TestWhatIsNoLetterIsLeftOutAndCounted(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	write(t, w, pipeline.Letter{Pass: 1, Reason: "one"})
	w.Close()
	name := filepath.Join(dir, "logs", "1.ndjson")
	text := read(t, dir, 1)
	hole := strings.Repeat("\x00", 100) + "\n"
	other := strings.Replace(text, `"pipeline":"logs"`, `"pipeline":"other"`, 1)
	if err := os.WriteFile(name, []byte(hole+text+other+text[:20]), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, no := range []string{"notes.txt", "0.ndjson", "x.ndjson"} {
		os.WriteFile(filepath.Join(dir, "logs", no), []byte(other), 0o600)
	}
	b := inFiles(dir)
	wants(t, b, "one")
	if b.Broken != 2 {
		t.Errorf("got %d lines that are no letters, want 2", b.Broken)
	}
}

func TestABoxWithoutLettersIsEmpty(t *testing.T) { wants(t, inFiles(t.TempDir())) }

func TestAFilterChoosesByReasonExpressionAndNumber(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	for i, rec := range []string{`{"_id":"1","n":9007199254740993}`, `{"_id":"2"}`, `no JSON`, "\xff"} {
		write(t, w, pipeline.Letter{Pass: 1, Line: int64(i), Reason: "failed to parse 'x" + rec[:1] + "'", Record: []byte(rec),
			Refusal: &pipeline.Refusal{Status: 400 + i}})
	}
	write(t, w, pipeline.Letter{Pass: 1, Line: 9, Reason: "too long"})
	w.Close()
	where := func(text string) *jq.Program {
		q, err := jq.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	for _, c := range []struct {
		name string
		f    letters.Filter
		want int
	}{
		{"all", letters.Filter{}, 5},
		{"text in the reason", letters.Filter{Reason: "'xn'"}, 1},
		{"as it is listed", letters.Filter{Reason: "failed to parse '…'"}, 4},
		{"status", letters.Filter{Where: where(".status > 401")}, 2},
		{"record", letters.Filter{Where: where(`.record._id? == "2"`)}, 1},
		{"number", letters.Filter{Where: where(`.record.n? == 9007199254740993`)}, 1},
		{"text of the record", letters.Filter{Where: where(`.record == "no JSON"`)}, 1},
		{"no record", letters.Filter{Where: where(`.record | not`)}, 1},
		{"null", letters.Filter{Where: where("null")}, 0},
		{"nothing", letters.Filter{Where: where("empty")}, 0},
		{"limit", letters.Filter{Limit: 2}, 2},
		{"limit of what is chosen", letters.Filter{Limit: 1, Reason: "too long"}, 1},
	} {
		got := 0
		err := inFiles(dir).Each(t.Context(), func(l *letters.Letter, line []byte) error {
			ok, err := c.f.Chooses(t.Context(), l, line)
			if ok {
				got++
			}
			return err
		})
		if err != nil || got != c.want {
			t.Errorf("%s: got %d letters, %v, want %d", c.name, got, err, c.want)
		}
	}
	bad := letters.Filter{Where: where(".record._id")} // of text
	err := inFiles(dir).Each(t.Context(), func(l *letters.Letter, line []byte) error {
		_, err := bad.Chooses(t.Context(), l, line)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "letter ") {
		t.Errorf("got %v, want an error that names the letter", err)
	}
}

func TestAReasonIsGroupedWithoutWhatDiffers(t *testing.T) {
	for reason, want := range map[string]string{
		"400 mapper_parsing_exception: failed to parse field [d1] of type [date] in document with id '17'. Preview of field's value: 'it's 5'": "400 mapper_parsing_exception: failed to parse field [d1] of type [date] in document with id '…'. Preview of field's value: '…'",
		"400 document_parsing_exception: [1:20] failed to parse field [n]":                                                                     "400 document_parsing_exception: [N:N] failed to parse field [n]",
		"record is longer than max_record: 1200001 bytes":                                                                                      "record is longer than max_record: N bytes",
		`no "x" in it`: `no "…" in it`, "": "", "'": "'", "''": "'…'", "404": "N",
	} {
		if got := letters.Group(reason); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzGroup(f *testing.F) {
	f.Add("400 x: 'a' \"b\" 12")
	f.Add("'a''b'c'")
	f.Fuzz(func(t *testing.T, reason string) { letters.Group(reason) })
}

// fuse is a breaker over letters in memory, with counts that a test sets.
type fuse struct {
	pipeline.DeadLetters
	written int
	status  pipeline.Status
}

func (f *fuse) Write(context.Context, pipeline.Letter) error { f.written++; return nil }

func (f *fuse) Sync(context.Context) error { return nil }

// at is the status of a pass.
func (f *fuse) at(pass, read, dead int64) {
	f.status = pipeline.Status{Pass: pass, Lanes: []pipeline.LaneStatus{
		{State: pipeline.LaneState{Counts: pipeline.Counts{Read: read / 2, Dead: dead}}},
		{State: pipeline.LaneState{Counts: pipeline.Counts{Read: read - read/2}}}}}
}

func breaker(c letters.Config) (*fuse, pipeline.DeadLetters) {
	f := &fuse{}
	return f, c.Breaker(f, func() (pipeline.Status, bool) { return f.status, true })
}

func percent(p float64) *unit.Share { s := unit.Percent(p); return &s }

func TestTooManyDeadLettersEndTheRun(t *testing.T) {
	f, b := breaker(letters.Config{Max: 3, Window: 1000})
	add := func(pass int64, reason string) error {
		return b.Write(t.Context(), pipeline.Letter{Pass: pass, Reason: reason})
	}
	if err := errors.Join(add(1, "400 x: 'a'"), add(1, "400 x: 'b'"), add(1, "400 y"), b.Sync(t.Context()), add(2, "400 z"), add(2, "400 z"), add(2, "400 y")); err != nil {
		t.Fatalf("got %v, want no error before a pass has more than 3", err)
	}
	err := add(2, "400 z")
	if err == nil || !strings.Contains(err.Error(), "4 in pass 2, more than max (3) allows; the most frequent reason (3): 400 z") {
		t.Errorf("got %v, want one that names the limit and the reason", err)
	}
	if f.written != 7 {
		t.Errorf("got %d letters, want all 7: they say what is wrong", f.written)
	}
	// Those of earlier processes count, too.
	f, b = breaker(letters.Config{Max: 3, Window: 1000})
	if f.at(2, 100, 3); b.Sync(t.Context()) != nil {
		t.Errorf("got an error with 3 dead letters, want none")
	}
	if f.at(2, 100, 4); b.Sync(t.Context()) == nil {
		t.Errorf("got no error with 4 dead letters, want one")
	}
}

func TestTooLargeAShareOfDeadLettersEndsTheRun(t *testing.T) {
	f, b := breaker(letters.Config{MaxRatio: percent(10), Window: 1000})
	sync := func(pass, read, dead int64) error {
		f.at(pass, read, dead)
		return b.Sync(t.Context())
	}
	for i, s := range []struct {
		pass, read, dead int64
		want             bool
	}{
		{1, 999, 999, true},     // the window is not full
		{1, 10_000, 1000, true}, // just the share
		{1, 10_500, 1500, true}, // another window
		{1, 11_000, 1500, false},
		{1, 11_500, 1500, true},
		{1, 500, 500, true},   // a lane has started over: what was counted is counted again
		{1, 1_400, 550, true}, // 500 of before, 900 since
		{2, 900, 900, true},   // windows go on from pass to pass
		{2, 1_000, 1_000, false},
	} {
		if err := sync(s.pass, s.read, s.dead); (err == nil) != s.want {
			t.Errorf("%d: got %v at %d records, %d of them dead", i, err, s.read, s.dead)
		} else if err != nil && !strings.Contains(err.Error(), "more than max_ratio (10%) allows") {
			t.Errorf("%d: got %v, want one that names the limit", i, err)
		}
	}
}

func TestWithoutLimitsThereIsNoBreaker(t *testing.T) {
	if f, b := breaker(letters.Config{Window: 1000}); b != pipeline.DeadLetters(f) {
		t.Errorf("got %T", b)
	}
}
