package ops_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/ops"
)

func TestAPassThatDeliversAllIsComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := watch(&source{n: 5}, &sink{}, newStore()).Pass(t.Context())
		if r.Outcome != ops.Complete || r.Records.Read != 5 || r.Records.Written != 5 || r.Pass != 1 || r.Error != "" {
			t.Errorf("got %+v, want pass 1 complete with 5 records", r)
		}
		if r.Lanes.Total != 1 || r.Lanes.Ended != 1 || r.Retries["503"] != 5 || r.Seconds != 5 {
			t.Errorf("got %+v, want 1 of 1 lanes, 5 retries, 5 seconds", r)
		}
	})
}

func TestAPassWithADeadLetterIsPartial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := watch(&source{n: 5}, &sink{dead: 2}, newStore()).Pass(t.Context())
		if r.Outcome != ops.Partial || r.Records.Dead != 1 || r.Records.Written != 4 {
			t.Errorf("got %+v, want partial with 1 dead and 4 written", r)
		}
	})
}

func TestAPassWhoseSourceFailsIsFailedAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := watch(&source{n: 1, fail: errors.New("no route")}, &sink{}, newStore()).Pass(t.Context())
		if want := "source: lane a: no route"; r.Outcome != ops.Failed || r.Error != want {
			t.Errorf("got %s %q, want failed %q", r.Outcome, r.Error, want)
		}
		r = watch(&source{planErr: errors.New("no index")}, &sink{}, newStore()).Pass(t.Context())
		if r.Outcome != ops.Failed || r.Pass != 0 || r.Retries == nil {
			t.Errorf("got %+v, want failed before the pass had a plan", r)
		}
	})
}

func TestAPassThatIsStoppedResumesAndCountsTheWholePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, src := newStore(), &source{n: 10}
		ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer cancel()
		if r := watch(src, &sink{}, st).Pass(ctx); r.Outcome != ops.Stopped || r.Records.Written != 4 {
			t.Fatalf("got %+v, want stopped with 4 written", r)
		}
		w := watch(src, &sink{}, st) // another process
		r := w.Pass(t.Context())
		if r.Outcome != ops.Complete || r.Records.Written != 10 || r.Pass != 1 {
			t.Errorf("got %+v, want pass 1 complete with 10 written", r)
		}
		if got := w.Snapshot().Total.Written; got != 6 {
			t.Errorf("got %d written by this process, want 6", got)
		}
	})
}

func TestTotalsNeverGoBackWhenALaneStartsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{n: 6, lost: 4}
		w := watch(src, &sink{}, newStore())
		done := make(chan ops.Report, 1)
		go func() { done <- w.Pass(t.Context()) }()
		last := int64(0)
		for range 40 {
			time.Sleep(250 * time.Millisecond)
			s := w.Snapshot()
			if s.Total.Read < last {
				t.Fatalf("got %d read after %d", s.Total.Read, last)
			}
			last = s.Total.Read
		}
		if r := <-done; r.Outcome != ops.Complete {
			t.Errorf("got %+v, want complete", r)
		}
		if last = w.Snapshot().Total.Read; last != 10 {
			t.Errorf("got %d read in all, want 4 before and 6 after the lane started over", last)
		}
		if got := w.Snapshot().Counts.Read; got != 6 {
			t.Errorf("got %d read in the pass, want 6", got)
		}
	})
}

func TestTotalsAndRetriesAddUpOverPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(&source{n: 3}, &sink{}, newStore())
		for range 3 {
			if r := w.Pass(t.Context()); r.Outcome != ops.Complete || r.Records.Written != 3 {
				t.Fatalf("got %+v, want complete with 3 written", r)
			}
		}
		s := w.Snapshot()
		if s.Total.Written != 9 || s.Retries["503"] != 9 || s.Pass != 3 || s.Ended[ops.Complete] != 3 || s.Running {
			t.Errorf("got %+v, want 9 written, 9 retries, 3 passes", s)
		}
		if !s.Success.Equal(time.Now()) || s.Saved.IsZero() {
			t.Errorf("got success %v, saved %v, want now", s.Success, s.Saved)
		}
	})
}

func TestWhatFinishDeletesIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(&source{n: 2}, &sink{finished: 3}, newStore())
		for pass := range int64(2) {
			if r := w.Pass(t.Context()); r.Objects.Deleted != 3 {
				t.Errorf("got %+v, want 3 deleted", r.Objects)
			}
			if got, want := w.Snapshot().Total.Deleted, 3*(pass+1); got != want {
				t.Errorf("got %d deleted in all, want %d", got, want)
			}
		}
	})
}

func TestAStateThatCannotBeWrittenIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStore()
		w := watch(&source{n: 1}, &sink{}, st)
		if !w.Writable() {
			t.Error("got not writable before anything was written")
		}
		st.fail(errors.New("disk full"))
		if r := w.Pass(t.Context()); r.Outcome != ops.Failed || w.Writable() {
			t.Errorf("got %s, writable %v, want failed and not writable", r.Outcome, w.Writable())
		}
		st.fail(nil)
		if r := w.Pass(t.Context()); r.Outcome != ops.Complete || !w.Writable() {
			t.Errorf("got %s, writable %v, want complete and writable", r.Outcome, w.Writable())
		}
	})
}

// TestCountsGoOnWhenAPipelineIsReplaced: a pass that was stopped goes on in
// another pipeline under the same watch.
func TestCountsGoOnWhenAPipelineIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStore()
		w := watch(&source{n: 4}, &sink{}, st)
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		if r := w.Pass(ctx); r.Outcome != ops.Stopped || r.Records.Written != 2 {
			t.Fatalf("got %+v, want stopped with 2 written", r)
		}
		w.Use(newPipeline(&source{n: 4}, &sink{}, st), []string{"a note"})
		if s := w.Snapshot(); s.Total.Written != 2 || s.Pass != 0 {
			t.Errorf("got %+v, want 2 written and no pass yet", s)
		}
		if r := w.Pass(t.Context()); r.Outcome != ops.Complete || r.Records.Written != 4 || len(r.Notes) != 1 {
			t.Errorf("got %+v, want complete with 4 written", r)
		}
		if s := w.Snapshot(); s.Total.Written != 4 || s.Retries["503"] != 4 || s.Ended[ops.Stopped] != 1 {
			t.Errorf("got %+v, want 4 written and 4 retries in all", s)
		}
	})
}

func TestWhatKeptAPipelineFromBeginningIsItsReport(t *testing.T) {
	w := ops.NewWatch("p")
	if s := w.Snapshot(); s.Name != "p" || s.Running || !w.Writable() {
		t.Errorf("got %+v, want a pipeline that is not there yet", s)
	}
	w.Fail(errors.New("no state"))
	if r, ok := w.Report(); !ok || r.Outcome != ops.Failed || r.Error != "no state" {
		t.Errorf("got %+v, %v, want failed", r, ok)
	}
}
