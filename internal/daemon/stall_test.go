package daemon_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/ops"
	"sluice/pipeline"
)

// TestAPassThatGetsNowhereSaysWhereItHangs: for 40 minutes something hangs.
func TestAPassThatGetsNowhereSaysWhereItHangs(t *testing.T) {
	hang := func(ctx context.Context) error { return sleep(ctx, 40*time.Minute) }
	for _, test := range []struct {
		name  string
		plant func(f *fake)
		want  ops.Stall
	}{
		{"plan", func(f *fake) { f.plan = hang }, ops.Stall{Stage: "source", Doing: "opens, or makes the plan of the pass"}},
		{"read", func(f *fake) {
			f.read = func(ctx context.Context, out chan<- *pipeline.Item) error {
				if err := send(ctx, out, "1"); err != nil {
					return err
				}
				return hang(ctx)
			}
		}, ops.Stall{Stage: "source", Lane: "a", Doing: "works, or waits for an answer"}},
		{"write", func(f *fake) {
			f.write = func(ctx context.Context, _ *pipeline.Item) error { return hang(ctx) }
			f.read = func(ctx context.Context, out chan<- *pipeline.Item) error {
				for token := range strings.SplitSeq("123456789", "") {
					if err := send(ctx, out, token); err != nil {
						return err
					}
				}
				return nil
			}
		}, ops.Stall{Stage: "sink", Lane: "a", Doing: "has taken 2 items that are not done"}},
		{"finish", func(f *fake) { f.finish = hang }, ops.Stall{Stage: "sink", Doing: "finishes the pass"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			f := newFake("p")
			f.every, f.stall = 24*time.Hour, 15*time.Minute
			test.plant(f)
			r := start(t, nil, f)
			time.Sleep(14 * time.Minute)
			if s := r.snapshot(t, "p"); s.Care.Stalled != nil {
				t.Errorf("%s: got %+v after 14 minutes, want nothing yet", test.name, s.Care.Stalled)
			}
			time.Sleep(3 * time.Minute)
			s := r.snapshot(t, "p").Care.Stalled
			if s == nil {
				t.Fatalf("%s: got nothing after 17 minutes", test.name)
			}
			if late := s.Since.Sub(began); late < 0 || late > 11*time.Second {
				t.Errorf("%s: got it since %v after the pass began, want since then", test.name, late)
			}
			got := *s
			if got.Since = (time.Time{}); got != test.want {
				t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
			}
			if n := strings.Count(r.log.String(), `msg="no progress"`); n != 1 {
				t.Errorf("%s: got %d warnings, want 1", test.name, n)
			}
			time.Sleep(8 * time.Hour)
			if s := r.snapshot(t, "p"); s.Care.Stalled != nil || s.Last != ops.Complete {
				t.Errorf("%s: got %+v, want it complete", test.name, s)
			}
		})
	}
}

func TestWhatTakesLongAndGetsOnIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, idle := newFake("long"), newFake("idle")
		f.stall, idle.stall, idle.every = 15*time.Minute, 15*time.Minute, 10*time.Hour
		f.write = func(ctx context.Context, _ *pipeline.Item) error { // one large object
			for range 100 {
				if err := sleep(ctx, 10*time.Minute); err != nil {
					return err
				}
				pipeline.Moved(ctx)
			}
			return nil
		}
		r := start(t, nil, f, idle)
		time.Sleep(1001 * time.Minute)
		if s := r.snapshot(t, "long"); s.Last != ops.Complete {
			t.Errorf("got %+v, want it complete", s)
		}
		if strings.Contains(r.log.String(), "no progress") {
			t.Errorf("got %s, want no warning", r.log)
		}
	})
}

func TestOneThatMovesAgainSaysSoAndMayHangAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("p")
		f.stall = time.Minute
		f.read = func(ctx context.Context, out chan<- *pipeline.Item) error {
			for _, token := range []string{"1", "2", "3"} {
				if err := sleep(ctx, 5*time.Minute); err != nil {
					return err
				}
				if err := send(ctx, out, token); err != nil {
					return err
				}
			}
			return nil
		}
		r := start(t, nil, f)
		time.Sleep(time.Hour)
		log := r.log.String()
		if stalls, moves := strings.Count(log, `msg="no progress"`), strings.Count(log, `msg="moves again"`); stalls != 3 || moves < 2 {
			t.Errorf("got %d stalls and %d moves, want 3 of each\n%s", stalls, moves, log)
		}
	})
}
