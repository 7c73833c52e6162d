package daemon_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/daemon"
	"sluice/internal/ops"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// TestWithOnceAStateThatCannotBeReadIsAFailure, and not the end of all progress.
func TestWithOnceAStateThatCannotBeReadIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("p")
		if err := f.store.Put(pipeline.Row{Bucket: "pass", Key: "current", Value: []byte("{")}); err != nil {
			t.Fatal(err)
		}
		d := &daemon.Daemon{Log: discard, Board: new(ops.Board), Once: true}
		if err := d.Open(t.Context(), []daemon.Job{f.job()}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := d.Run(ctx, nil); err != nil || ctx.Err() != nil {
			t.Errorf("got %v, %v, want it to return", err, ctx.Err())
		}
		if r, ok := d.Board.Watches()[0].Report(); !ok || r.Outcome != ops.Failed || r.Error == "" {
			t.Errorf("got %+v, want it failed", r)
		}
	})
}

// TestAStateThatCannotBeReadPutsNoPassBeforeItsTime: it says when one is due.
func TestAStateThatCannotBeReadPutsNoPassBeforeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f := newFake("p")
		f.every = 24 * time.Hour
		r := start(t, nil, f)
		time.Sleep(time.Hour)
		r.stop()
		healthy := time.Now().Add(30 * time.Minute)
		f.heals = func() error {
			if time.Now().Before(healthy) {
				return errors.New("input/output error")
			}
			return nil
		}
		r = start(t, nil, f)
		time.Sleep(20 * time.Minute)
		if s := r.snapshot(t, "p"); s.Care.Failures < 5 || s.Care.Error != "state: input/output error" {
			t.Errorf("got %+v, want it failing", s.Care)
		}
		time.Sleep(47 * time.Hour)
		if got, want := f.passes(began), []time.Duration{0, 24 * time.Hour, 48 * time.Hour}; !slices.Equal(got, want) {
			t.Errorf("got passes at %v, want %v", got, want)
		}
	})
}

// TestAClockThatWasSetBackPutsOffNoPassForYears: the last one began in a year
// that is to come.
func TestAClockThatWasSetBackPutsOffNoPassForYears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f := newFake("p")
		f.every = time.Hour
		if err := f.store.Put(pipeline.Row{Bucket: "pass", Key: "current", Value: []byte(`{"Number":1,"Complete":true,"Began":"2038-01-19T03:14:07Z"}`)}); err != nil {
			t.Fatal(err)
		}
		start(t, nil, f)
		time.Sleep(150 * time.Minute)
		if got, want := f.passes(began), []time.Duration{time.Hour, 2 * time.Hour}; !slices.Equal(got, want) {
			t.Errorf("got passes at %v, want %v", got, want)
		}
	})
}

func TestHooksAndReportsAreToldOfWhatKeepsPassesFromBeginning(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	f := newFake("p")
	f.heals = func() error { return errors.New("input/output error") }
	f.hooks = []daemon.Hook{{After: "failed", Command: []string{"sh", "-c", `cat >"$1"`, "sh", out}, Timeout: unit.Duration(20 * time.Second)}}
	var ended atomic.Int64
	d := &daemon.Daemon{Log: discard, Board: new(ops.Board), Ended: func(_ daemon.Job, r ops.Report) {
		if r.Outcome == ops.Failed {
			ended.Add(1)
		}
	}}
	if err := d.Open(t.Context(), []daemon.Job{f.job()}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx, nil) }()
	for deadline := time.Now().Add(20 * time.Second); d.Board.Watches()[0].Snapshot().Care.Next.IsZero() && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(out); ended.Load() == 0 || !strings.Contains(string(text), "input/output error") {
		t.Errorf("ended %d times, told %s, %v", ended.Load(), text, err)
	}
}

// TestOneThatIsCompleteIsNotMadeAgainBecauseOthersNeedMemory, but it is if it
// is another one.
func TestOneThatIsCompleteIsNotMadeAgainBecauseOthersNeedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		once, b := newFake("once"), busy("b")
		once.size = 100
		d := newDisk("once", once, b)
		start(t, d.configuration(), once)
		time.Sleep(time.Minute)
		once.mu.Lock()
		once.size = 50
		once.mu.Unlock()
		d.set("once b", nil)
		time.Sleep(time.Hour)
		if opened, _ := once.openings(); opened != 2 || len(once.passes(began)) != 1 {
			t.Errorf("opened %d times, passes at %v, want it opened with less memory and one pass", opened, once.passes(began))
		}
		d.set("once=2 b", nil)
		time.Sleep(time.Hour)
		if got := once.passes(began); len(got) != 2 {
			t.Errorf("got passes at %v, want another", got)
		}
	})
}

// TestADaemonThatIsStoppedWhileItOpensHasNotFailed: what is opened ends with its
// context.
func TestADaemonThatIsStoppedWhileItOpensHasNotFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := busy("a"), busy("b")
		b.opens = func() error { time.Sleep(10 * time.Second); return context.Canceled }
		d := newDisk("a", a, b)
		r := start(t, d.configuration(), a)
		d.set("a b", nil)
		time.Sleep(5 * time.Second)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if s := r.snapshot(t, "b"); s.Last != "" || s.Ended[ops.Failed] != 0 {
			t.Errorf("got %+v, want no failure", s)
		}
	})
}

// TestAWebhookThatIsElsewhereHasFailed: who is sent on asks with GET, and the
// report is lost.
func TestAWebhookThatIsElsewhereHasFailed(t *testing.T) {
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
		}
	}))
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	defer s.Close()
	h := daemon.Hook{After: "any", Webhook: &daemon.Webhook{URL: unit.Secret(s.URL)}, Timeout: unit.Duration(20 * time.Second)}
	if shot, log := once(t, nil, h); asked.Load() != 1 || shot.Care.Hooks != 1 || !strings.Contains(log, "301 Moved Permanently") {
		t.Errorf("asked %d times, %+v, want it failed\n%s", asked.Load(), shot.Care, log)
	}
}
