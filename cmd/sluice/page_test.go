package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"sluice/internal/check"
)

func TestLinesAreBrokenBetweenWords(t *testing.T) {
	var b bytes.Buffer
	p := &page{out: &b, width: 30}
	p.say("name", "one two three four five", "a-word-that-is-longer-than-the-line", "ü ü ü ü ü ü ü ü")
	want := "  name          one two three\n                four five\n                a-word-that-is-longer-than-the-line\n                ü ü ü ü ü ü ü\n                ü\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	b.Reset()
	p.width, p.color = 0, true
	p.paintedly("warning", p.yellow, strings.Repeat("x ", 40)+"x")
	if got := b.String(); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "  \x1b[33mwarning\x1b[0m       x") {
		t.Errorf("got %q, want one line, its name in a colour", got)
	}
}

func TestTablesEndOnTheRight(t *testing.T) {
	got := strings.Join(table([][]string{{"", "each", "all"}, {"stage", "1", "1,000"}}), "\n")
	if want := "        each     all\nstage      1   1,000"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A sample of a half says what the whole is.
func TestWhatASampleShowsIsProjected(t *testing.T) {
	r := &reading{took: 2 * time.Second}
	r.in.records.Store(100)
	r.in.bytes.Store(50_000)
	r.out.records.Store(50)
	l := check.Load{Records: 1000, Bytes: -1, Objects: -1}
	r.complete(&l)
	if l.Bytes != 500_000 {
		t.Errorf("got %d bytes, want 500000", l.Bytes)
	}
	if d, ok := r.projected(l); !ok || d != 20*time.Second {
		t.Errorf("got %v, %v, want 20s", d, ok)
	}
	if got := r.kept(); got != 0.5 {
		t.Errorf("got a share of %v, want a half", got)
	}
	unknown := check.Unknown
	r.complete(&unknown)
	if d, ok := r.projected(unknown); ok {
		t.Errorf("got %v for a load that nobody knows", d)
	}
	r.whole = true
	r.complete(&unknown)
	if d, ok := r.projected(unknown); !ok || d != 2*time.Second || unknown.Records != 100 || unknown.Bytes != 50_000 {
		t.Errorf("got %v, %v for %+v, want what was read", d, ok, unknown)
	}
}

func TestAStateThatDoesNotFitFails(t *testing.T) {
	s := standing{size: 1 << 20, free: 3 << 20}
	s.room(4 << 20)
	if s.err != nil {
		t.Errorf("got %v for what just fits", s.err)
	}
	s.room(5 << 20)
	if s.err == nil || !strings.Contains(s.err.Error(), "takes about 4.00 MiB more, and its file system has 3.00 MiB free: make room there, or name another directory") {
		t.Errorf("got %v, want that it does not fit", s.err)
	}
}
