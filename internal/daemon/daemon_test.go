package daemon_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/daemon"
	"sluice/internal/ops"
	"sluice/pipeline"
)

func TestOneThatFailsIsTriedAgainFromItsStateAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		good, bad := newFake("good"), newFake("bad")
		good.every, bad.every = 10*time.Minute, 24*time.Hour
		var healthy atomic.Bool
		bad.read = func(context.Context, chan<- *pipeline.Item) error {
			if healthy.Load() {
				return nil
			}
			return errors.New("no route")
		}
		r := start(t, nil, good, bad)
		time.Sleep(2*time.Hour + time.Second)
		if got := len(good.passes(began)); got != 13 {
			t.Errorf("got %d passes of the other, want one each 10 minutes", got)
		}
		tries := bad.passes(began)
		for i := 1; i < len(tries); i++ {
			if wait, most := tries[i]-tries[i-1], min(10*time.Minute, time.Second<<min(i-1, 20)); wait > most {
				t.Errorf("try %d came %v after the one before, want up to %v", i+1, wait, most)
			}
		}
		s := r.snapshot(t, "bad")
		if len(tries) < 15 || s.Care.Failures != len(tries) || s.Care.Failing.Sub(began) > time.Second || s.Care.Error != "source: lane a: no route" || s.Pass != 1 {
			t.Errorf("got %d tries, %+v, want failing since the first, in pass 1", len(tries), s.Care)
		}
		if s.Care.Next.Before(time.Now()) || s.Care.Next.After(time.Now().Add(10*time.Minute)) {
			t.Errorf("got the next try at %v, want it within 10 minutes", s.Care.Next)
		}
		healthy.Store(true)
		time.Sleep(10 * time.Minute)
		if s = r.snapshot(t, "bad"); s.Care.Failures != 0 || s.Care.Error != "" || s.Last != ops.Complete || !s.Care.Next.Equal(began.Add(24*time.Hour)) {
			t.Errorf("got %+v, want complete and due a day after it began", s)
		}
	})
}

func TestAPipelineThatDoesNotRepeatIsTriedAgainUntilItIsComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("once")
		var tries atomic.Int64
		f.read = func(context.Context, chan<- *pipeline.Item) error {
			if tries.Add(1) < 4 {
				return errors.New("no route")
			}
			return nil
		}
		r := start(t, nil, f)
		time.Sleep(24 * time.Hour)
		if s := r.snapshot(t, "once"); tries.Load() != 4 || s.Last != ops.Complete || s.Pass != 1 || !s.Care.Next.IsZero() {
			t.Errorf("got %d tries, %+v, want it complete after 4, and no more", tries.Load(), s)
		}
	})
}

func TestWithOnceEachJobMakesOnePassAndRunReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, bad := newFake("good"), newFake("bad")
		bad.read = func(context.Context, chan<- *pipeline.Item) error { return errors.New("no route") }
		var ended atomic.Int64
		d := &daemon.Daemon{Log: discard, Board: new(ops.Board), Once: true, Ended: func(daemon.Job, ops.Report) { ended.Add(1) }}
		if err := d.Open(t.Context(), []daemon.Job{good.job(), bad.job()}); err != nil {
			t.Fatal(err)
		}
		if err := d.Run(t.Context(), nil); err != nil || ended.Load() != 2 {
			t.Errorf("got %v and %d passes, want 2", err, ended.Load())
		}
		for _, f := range []*fake{good, bad} {
			if opened, closed := f.openings(); opened != 1 || closed != 1 {
				t.Errorf("%s: opened %d times and closed %d times, want 1 and 1", f.name, opened, closed)
			}
		}
	})
}

func TestIfOneCannotBeOpenedNoneStaysOpen(t *testing.T) {
	good, bad := newFake("good"), newFake("bad")
	bad.opens = func() error { return errors.New("in use") }
	d := &daemon.Daemon{Log: discard, Board: new(ops.Board)}
	err := d.Open(t.Context(), []daemon.Job{good.job(), bad.job()})
	if want := "pipeline bad: in use"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if opened, closed := good.openings(); opened != 1 || closed != 1 {
		t.Errorf("got it opened %d times and closed %d times, want 1 and 1", opened, closed)
	}
}

// TestPassesDoNotOverlap: each takes 25 minutes, and one is due each 10.
func TestPassesDoNotOverlap(t *testing.T) {
	for _, test := range []struct {
		skip bool
		want []time.Duration // in minutes
	}{
		{false, []time.Duration{0, 25, 50, 75}},
		{true, []time.Duration{0, 30, 60, 90}},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			f := newFake("slow")
			f.every, f.skip = 10*time.Minute, test.skip
			f.finish = func(ctx context.Context) error { return sleep(ctx, 25*time.Minute) }
			start(t, nil, f)
			time.Sleep(95 * time.Minute)
			got := f.passes(began)
			for i := range got {
				got[i] /= time.Minute
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("skip %v: got passes at %v minutes, want %v", test.skip, got, test.want)
			}
		})
	}
}

// TestADaemonThatWasAwayGoesOnWithItsSchedule: the state says when the last
// pass began, and whether it is complete.
func TestADaemonThatWasAwayGoesOnWithItsSchedule(t *testing.T) {
	hourly, err := daemon.ParseCron("0 * * * *", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		cron  bool
		skip  bool
		first time.Duration // the process runs so long
		away  time.Duration
		want  []time.Duration // passes, in minutes
	}{
		{"not yet due", false, false, 10 * time.Minute, 20 * time.Minute, []time.Duration{0, 60, 120}},
		{"missed, and caught up once", false, false, 10 * time.Minute, 200 * time.Minute, []time.Duration{0, 210, 270}},
		{"missed, and left out", false, true, 10 * time.Minute, 200 * time.Minute, []time.Duration{0, 240, 300}},
		{"cron waits at first", true, false, 70 * time.Minute, 10 * time.Minute, []time.Duration{60, 120, 180}},
		{"cron, caught up", true, false, 70 * time.Minute, 180 * time.Minute, []time.Duration{60, 250, 300}},
		{"cron, left out", true, true, 70 * time.Minute, 180 * time.Minute, []time.Duration{60, 300, 360}},
		{"cron, caught up before the first pass", true, false, 10 * time.Minute, 120 * time.Minute, []time.Duration{130, 180, 240}},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now() // midnight
			f := newFake("p")
			f.every, f.skip = time.Hour, test.skip
			if test.cron {
				f.every, f.cron = 0, hourly
			}
			r := start(t, nil, f)
			time.Sleep(test.first)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(test.away)
			start(t, nil, f)
			time.Sleep(3 * time.Hour)
			got := f.passes(began)
			for i := range got {
				got[i] /= time.Minute
			}
			if len(got) < len(test.want) || !slices.Equal(got[:len(test.want)], test.want) {
				t.Errorf("%s: got passes at %v minutes, want %v", test.name, got, test.want)
			}
		})
	}
}

func TestAPassThatWasInterruptedGoesOnAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f := newFake("p")
		f.every, f.skip = time.Hour, true
		f.finish = func(ctx context.Context) error { return sleep(ctx, 10*time.Minute) }
		r := start(t, nil, f)
		time.Sleep(5 * time.Minute)
		r.stop()
		r = start(t, nil, f)
		time.Sleep(20 * time.Minute)
		if s := r.snapshot(t, "p"); s.Pass != 1 || s.Last != ops.Complete || !s.Care.Next.Equal(began.Add(time.Hour)) {
			t.Errorf("got %+v, want pass 1 complete, and the next an hour after it began", s)
		}
	})
}

func TestAPauseStopsThePassAndResumeGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("p")
		f.every = time.Hour
		f.finish = func(ctx context.Context) error { return sleep(ctx, 10*time.Minute) }
		r := start(t, nil, f)
		time.Sleep(5 * time.Minute)
		if err := r.Pause("p"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Hour)
		if s := r.snapshot(t, "p"); !s.Care.Paused || s.Running || s.Pass != 1 || s.Ended[ops.Stopped] != 1 || s.Care.Failures != 0 {
			t.Errorf("got %+v, want it paused in pass 1", s)
		}
		if err := r.RunNow("p"); !errors.Is(err, ops.ErrPaused) {
			t.Errorf("got %v, want that it is paused", err)
		}
		if err := r.Resume("p"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Minute)
		if s := r.snapshot(t, "p"); s.Care.Paused || s.Ended[ops.Complete] != 1 {
			t.Errorf("got %+v, want pass 1 complete", s)
		}
		if err := r.Pause("q"); !errors.Is(err, ops.ErrUnknown) {
			t.Errorf("got %v, want that there is none", err)
		}
	})
}

func TestRunNowBeginsAPassAndTheScheduleGoesOnFromIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f, once := newFake("p"), newFake("once")
		f.every = time.Hour
		r := start(t, nil, f, once)
		time.Sleep(10 * time.Minute)
		for _, name := range []string{"p", "once"} {
			if err := r.RunNow(name); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(61 * time.Minute)
		if got, want := f.passes(began), []time.Duration{0, 10 * time.Minute, 70 * time.Minute}; !slices.Equal(got, want) {
			t.Errorf("got passes at %v, want %v", got, want)
		}
		if got := len(once.passes(began)); got != 2 {
			t.Errorf("got %d passes of one that does not repeat, want 2", got)
		}
	})
}

func TestASourceThatListensNoMoreIsOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("p")
		f.every = time.Minute
		var fails atomic.Bool
		fails.Store(true)
		f.serve = func(ctx context.Context) error {
			if fails.CompareAndSwap(true, false) {
				return errors.Join(sleep(ctx, 90*time.Second), errors.New("queue is gone"))
			}
			<-ctx.Done()
			return nil
		}
		r := start(t, nil, f)
		time.Sleep(10 * time.Minute)
		if opened, closed := f.openings(); opened != 2 || closed != 1 {
			t.Errorf("opened %d times and closed %d times, want 2 and 1", opened, closed)
		}
		if s := r.snapshot(t, "p"); s.Pass < 9 || s.Care.Failures != 0 || s.Ended[ops.Failed] != 1 {
			t.Errorf("got %+v, want passes to go on", s)
		}
		if log := r.log.String(); !strings.Contains(log, "queue is gone") {
			t.Errorf("got %s, want what was wrong", log)
		}
	})
}

// sleep sleeps until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
