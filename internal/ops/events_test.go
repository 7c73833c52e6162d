package ops_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/ops"
)

func TestRepeatedFaultsAreSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		log, events := ops.Keep(ops.NewLogger(&b, false, slog.LevelInfo))
		log = log.With("pipeline", "p")
		lines := func() int { defer b.Reset(); return strings.Count(b.String(), "\n") }
		for n := range 100 {
			log.Warn("the store cannot be used", "error", fmt.Errorf("503 after %d tries", n))
			log.Info("an info")
		}
		if got := lines(); got != 103 {
			t.Errorf("got %d lines, want 3 warnings and each info", got)
		}
		log.Warn("the store cannot be used", "error", errors.New("no route to it"))
		if got := lines(); got != 1 {
			t.Errorf("got %d lines, want one of another fault", got)
		}
		time.Sleep(61 * time.Second)
		if got := b.String(); !strings.Contains(got, "503 after 99 tries") || !strings.Contains(got, "repeated=97") || lines() != 1 {
			t.Errorf("got %s, want one line of 97 that were held back", got)
		}
		log.Warn("the store cannot be used", "error", errors.New("503 after 5 tries"))
		if got := lines(); got != 0 {
			t.Errorf("got %d lines, want it to be held back still", got)
		}
		events.Flush()
		if got := b.String(); !strings.Contains(got, "repeated=1") {
			t.Errorf("got %q, want what was held back", got)
		}
		b.Reset()
		log.Warn("the store cannot be used", "error", errors.New("503 after 5 tries"))
		time.Sleep(10 * time.Minute)
		log.Warn("the store cannot be used", "error", errors.New("503 after 5 tries"))
		if got := lines(); got != 2 {
			t.Errorf("got %d lines, want both: ten minutes lie between them", got)
		}
		events.Flush()
	})
}

func TestEventsAreTheLastLinesOfTheLog(t *testing.T) {
	var b bytes.Buffer
	log, events := ops.Keep(ops.NewLogger(&b, true, slog.LevelError))
	p, q := log.With("pipeline", "p"), log.With("pipeline", "q", "stage", "sink")
	for n := range 300 {
		p.Info("it goes on", "n", n)
	}
	p.Info("progress", "records", 1)
	p.Debug("a detail")
	for n := range 30 {
		q.Warn("busy", "error", fmt.Sprintf("503 after %d", n))
	}
	q.Error("hook failed", "error", "exit status 1", "for", time.Second)
	log.Info("http listens", "address", "127.0.0.1:1")
	if got := strings.Count(b.String(), "\n"); got != 1 {
		t.Errorf("got %d lines in the log, want those from error on", got)
	}
	all := events.List("")
	if all[0].Message != "http listens" || all[0].Values["address"] != "127.0.0.1:1" || all[1].Message != "hook failed" || all[1].Level != "error" {
		t.Errorf("got %+v, want the newest first", all[:2])
	}
	if got := all[2]; got.Message != "busy" || got.Repeated != 30 || got.Pipeline != "q" || got.Values["stage"] != "sink" || got.Values["error"] != "503 after 29" {
		t.Errorf("got %+v, want one event of all that are alike", got)
	}
	if got := events.List("p"); len(got) == 0 || len(got) > 50 || got[0].Values["n"] != int64(299) {
		t.Errorf("got %d events, want the last of p", len(got))
	}
	if got := events.Errors("q"); len(got) != 2 || got[0].Message != "hook failed" {
		t.Errorf("got %+v, want two faults", got)
	}
	if got := events.Errors("p"); got == nil || len(got) != 0 {
		t.Errorf("got %+v, want an empty list", got)
	}
}
