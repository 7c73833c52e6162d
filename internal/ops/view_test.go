package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/ops"
	"sluice/pipeline"
)

var named = []ops.Named{{Name: "source", Kind: "fake"}, {Name: "sink", Kind: "fake"}}

func TestAViewShowsWhatMovesNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(&source{n: 100, expect: 100}, &sink{dead: 5}, newStore())
		w.Describe(ops.About{Stages: named, Letters: "dead/p", Named: true, Lane: 10, Shared: 1, Configuration: "lanes: 1\n"})
		if v := w.View(time.Now()); v.State != ops.StateBegins || v.Stages == nil || v.Retries == nil {
			t.Errorf("got %+v, want a pipeline that begins", v)
		}
		ctx, stop := context.WithCancel(t.Context())
		var g errgroup.Group
		g.Go(func() error { ops.Sample(ctx, ops.NewBoard(w)); return nil })
		g.Go(func() error { w.Pass(ctx); return nil })
		time.Sleep(40500 * time.Millisecond)
		v := w.View(time.Now())
		if v.State != ops.StateRunning || v.Pass.Number != 1 || v.Pass.Records.Read != 40 || v.Pass.Records.Dead != 1 || v.Dead != 1 || v.Pass.Lanes.Open != 1 {
			t.Errorf("got %+v, want 40 records of pass 1", v)
		}
		if *v.Pass.Done != 0.4 || *v.Pass.Left < 55 || *v.Pass.Left > 65 || v.Rates.RecordsIn < 0.9 || v.Rates.RecordsIn > 1.1 || v.Rates.BytesOut < 2.5 {
			t.Errorf("got %+v, %+v, want a record a second and a minute to go", v.Pass, v.Rates)
		}
		if s := v.Stages; len(s) != 2 || !s[0].Busiest || s[0].Busy < 0.99 || s[1].Busiest || s[1].Receiving < 0.99 || s[0].Kind != "fake" || s[1].Records < 0.9 {
			t.Errorf("got %+v, want a source that is busy and a sink that waits", s)
		}
		if *v.Lag.Records != 60 || v.Lag.Seconds != nil {
			t.Errorf("got %+v, want 60 records behind, and no time before a pass was complete", v.Lag)
		}
		d := w.Detail(time.Now(), true)
		if l := d.Lanes; len(l) != 1 || l[0].State != "open" || *l[0].Left < 55 || l[0].Stage != "source" || l[0].Position.Token != "40" {
			t.Errorf("got %+v, want a lane under way", l)
		}
		if r := d.DeadLetters; r.Replay != "sluice dead-letters replay p" || len(r.Reasons) != 1 || r.Reasons[0].Count != 1 || r.Reasons[0].Example.Record != "{}" {
			t.Errorf("got %+v, want one reason with its example", r)
		}
		if got := w.Detail(time.Now(), false).DeadLetters.Reasons[0]; got.Example != nil || got.Count != 1 {
			t.Errorf("got %+v, want no example for who may not see data", got)
		}
		if w.Detail(time.Now(), true).DeadLetters.Reasons[0].Example == nil {
			t.Error("got no example any more")
		}
		stop()
		g.Wait()
		if v := w.View(time.Now()); v.State != ops.StateStopped || v.Running {
			t.Errorf("got %+v, want it stopped", v)
		}
	})
}

func TestStatesAreToldApart(t *testing.T) {
	w := ops.NewWatch("p")
	for _, c := range []struct {
		care ops.Care
		want ops.State
	}{
		{ops.Care{Paused: true, Failures: 1}, ops.StatePaused},
		{ops.Care{Failures: 2, Error: "no", Stalled: &ops.Stall{}}, ops.StateStalled},
		{ops.Care{Failures: 2, Error: "no", Next: time.Now()}, ops.StateFailing},
		{ops.Care{Next: time.Now()}, ops.StateWaiting},
	} {
		w.Care(func(care *ops.Care) { *care = c.care })
		v := w.View(time.Now())
		if v.State != c.want || (v.Failing != nil) != (c.care.Failures > 0) {
			t.Errorf("%+v: got %s, %+v, want %s", c.care, v.State, v.Failing, c.want)
		}
	}
}

// TestLagIsTheTimeSinceTheLastCompletePassBegan: also for the next process, and
// while another pass fails.
func TestLagIsTheTimeSinceTheLastCompletePassBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStore()
		w := watch(&source{n: 5}, &sink{}, st) // takes 5 s
		w.Care(func(c *ops.Care) { c.Next = time.Now().Add(time.Hour) })
		w.Pass(t.Context())
		time.Sleep(10 * time.Second)
		if l := w.View(time.Now()).Lag; *l.Seconds != 15 || *l.Records != 0 {
			t.Errorf("got %v, want 15 s since the pass began, and nothing to go", *l.Seconds)
		}
		src := &source{n: 5, fail: errors.New("no route")}
		w.Use(newPipeline(src, &sink{}, st), nil)
		w.Pass(t.Context())
		w = watch(src, &sink{}, st) // another process
		w.Pass(t.Context())
		if l := w.View(time.Now()).Lag; *l.Seconds < 20 {
			t.Errorf("got %v s, want the lag to grow while passes fail", *l.Seconds)
		}
	})
}

func TestOneThatHasNothingMoreToDoIsNotBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(&source{n: 1}, &sink{}, newStore())
		w.Pass(t.Context())
		if v := w.View(time.Now()); v.State != ops.StateComplete || v.Lag.Seconds != nil || *v.Pass.Done != 1 {
			t.Errorf("got %+v, want it complete and no lag", v)
		}
	})
}

func TestTheHistoryOfPassesIsInTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, src := newStore(), &source{n: 2}
		w := watch(src, &sink{}, st)
		w.Pass(t.Context())
		src.planErr = nil
		src.fail = errors.New("no route")
		for range 3 {
			w.Pass(t.Context())
		}
		src.fail = nil
		w.Pass(t.Context())
		w = watch(src, &sink{}, st) // another process
		h := w.Detail(time.Now(), true).History
		if len(h) != 2 || h[0].Pass != 2 || h[0].Outcome != ops.Complete || h[0].Tries != 4 || h[1].Pass != 1 || h[1].Tries != 1 {
			t.Errorf("got %+v, want pass 2, begun four times, and pass 1", h)
		}
		if got := w.View(time.Now()).Success; !got.Equal(h[0].Ended) {
			t.Errorf("got %v, want when pass 2 ended", got)
		}
		for range 110 {
			w.Pass(t.Context())
		}
		if h := watch(src, &sink{}, st).Detail(time.Now(), true).History; len(h) != 100 || h[0].Pass != 112 {
			t.Errorf("got %d passes, want the last 100", len(h))
		}
	})
}

// TestReasonsOfDeadLettersAreBounded: they are labels of a metric.
func TestReasonsOfDeadLettersAreBounded(t *testing.T) {
	w := ops.NewWatch("p")
	p := newPipeline(&source{}, &sink{}, newStore())
	w.Use(p, nil)
	write := func(l pipeline.Letter) {
		if err := p.Dead.Write(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 50 {
		write(pipeline.Letter{Stage: "sink", Reason: fmt.Sprintf("400: field [%d] is no number", n), Refusal: &pipeline.Refusal{Type: "mapper"}})
		write(pipeline.Letter{Stage: "lines", Reason: fmt.Sprintf("a record of %d bytes is too long", n)})
		write(pipeline.Letter{Stage: "sink", Reason: "word" + strings.Repeat("x", n), Record: []byte("\xff" + strings.Repeat("y", 5000))})
	}
	reasons := w.Detail(time.Now(), true).DeadLetters.Reasons
	if len(reasons) != 21 || reasons[0].Reason != "a record of N bytes is too long" || reasons[0].Count != 50 || reasons[1].Reason != "mapper" || reasons[2].Reason != "other" {
		t.Errorf("got %d: %+v, want 20 reasons and others", len(reasons), reasons[:3])
	}
	for _, r := range reasons {
		if e := r.Example; len(e.Record) > 2010 || strings.Contains(e.Record, "\xff") {
			t.Errorf("got an example of %d bytes, want text of 2000", len(e.Record))
		}
	}
}

func TestTheAPIGivesEmptyListsAndNoNulls(t *testing.T) {
	h := site(ops.Site{Guard: ops.Guard{Loopback: true}, Board: ops.NewBoard(ops.NewWatch("p"))})
	for _, path := range []string{"/api/v1/pipelines", "/api/v1/pipelines/p"} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", "http://localhost"+path, nil))
		var got map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		for name, v := range got {
			if v == nil {
				t.Errorf("%s: got null for %s", path, name)
			}
		}
		if rec.Header().Get("Cache-Control") != "no-store" || rec.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %v", path, rec.Header())
		}
	}
}

// opening is a source that is tried again before it is open, and fails.
type opening struct{ source }

func (*opening) Open(ctx context.Context, _ *pipeline.Pass) (pipeline.Reader, error) {
	pipeline.Retried(ctx, "503")
	return nil, errors.New("too much to do")
}

func TestRetriesBeforeAPassHasItsPlanAreCounted(t *testing.T) {
	w := ops.NewWatch("p")
	p := newPipeline(&source{}, &sink{}, newStore())
	p.Source = &opening{}
	w.Use(p, nil)
	if r := w.Pass(t.Context()); r.Retries["503"] != 1 {
		t.Errorf("got %+v, want one in the report", r)
	}
	w.Pass(t.Context())
	if v := w.View(time.Now()); v.Retries["503"] != 2 {
		t.Errorf("got %v, want both passes counted", v.Retries)
	}
}

// TestTotalsOfStagesAddUpOverPasses, however often they are looked at.
func TestTotalsOfStagesAddUpOverPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(&source{n: 10}, &sink{}, newStore())
		b := ops.NewBoard(w)
		ctx, stop := context.WithCancel(t.Context())
		var g errgroup.Group
		g.Go(func() error { ops.Sample(ctx, b); return nil })
		for range 3 {
			w.Pass(ctx)
		}
		stop()
		g.Wait()
		families, err := ops.Registry(ops.Build{}, b, 0).Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				key := f.GetName()
				for _, l := range m.GetLabel() {
					key += " " + l.GetValue()
				}
				got[key] = m.GetCounter().GetValue()
			}
		}
		for key, want := range map[string]float64{
			"sluice_stage_records_total out p source": 30, "sluice_stage_records_total in p sink": 30, "sluice_stage_bytes_total in p sink": 90,
			"sluice_stage_seconds_total busy p source": 30, "sluice_stage_seconds_total receiving p sink": 30, "sluice_stage_seconds_total busy p sink": 0,
		} {
			if v, ok := got[key]; !ok || v < want-0.1 || v > want+0.1 {
				t.Errorf("%s: got %v, want %v", key, v, want)
			}
		}
	})
}
