package daemon

import (
	"context"
	"fmt"
	"time"

	"sluice/internal/ops"
	"sluice/pipeline"
)

// progress is what changes while a pass gets on.
type progress struct {
	planned time.Time
	ended   int
	moved   int64 // by all stages of all lanes
	counts  pipeline.Counts
	saved   time.Time
}

// lookForStall looks again and again, until ctx ends, whether the pass under way
// gets on.
func (w *worker) lookForStall(ctx context.Context) {
	defer w.stalled(nil)
	began := time.Now()
	tick := time.NewTicker(max(time.Millisecond, min(w.job.Stall/10, 10*time.Second)))
	defer tick.Stop()
	last, at, said := progress{}, began, false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		status, _ := w.watch.Status()
		now := progressOf(status, w.watch.Snapshot().Saved)
		switch {
		case now != last:
			if said {
				w.stalled(nil)
				w.log.Info("moves again", "after", time.Since(at).Round(time.Second).String())
			}
			last, at, said = now, time.Now(), false
		case !said && time.Since(at) >= w.job.Stall:
			said = true
			s := hanging(status, began, at)
			w.stalled(&s)
			w.log.Warn("no progress", "stage", s.Stage, "lane", s.Lane, "since", s.Since.Format(time.RFC3339), "doing", s.Doing)
		}
	}
}

func (w *worker) stalled(s *ops.Stall) {
	w.watch.Care(func(c *ops.Care) { c.Stalled = s })
}

func progressOf(s pipeline.Status, saved time.Time) progress {
	p := progress{planned: s.Planned, saved: saved}
	for _, l := range s.Lanes {
		p.counts.Add(l.State.Counts)
		if l.State.Ended {
			p.ended++
		}
		for _, stage := range l.Stages {
			p.moved += stage.Moved
		}
	}
	return p
}

// hanging says where a pass hangs that began at some time and got on last at
// another.
func hanging(s pipeline.Status, began, moved time.Time) ops.Stall {
	if s.Planned.Before(began) {
		return ops.Stall{Since: moved, Stage: "source", Doing: "opens, or makes the plan of the pass"}
	}
	for _, l := range s.Lanes {
		if l.Open {
			return hangingIn(l, moved)
		}
	}
	return ops.Stall{Since: moved, Stage: "sink", Doing: "finishes the pass"}
}

// hangingIn says which stage of a lane holds up the others: the last that does
// not wait for another. If each does, it is the sink, which holds what it has
// taken.
func hangingIn(l pipeline.LaneStatus, moved time.Time) ops.Stall {
	stall := ops.Stall{Since: moved, Lane: l.Name, Stage: "sink", Doing: held(l)}
	for _, s := range l.Stages {
		if s.Waits == "" && !s.Ended {
			stall.Stage, stall.Doing = s.Name, "works, or waits for an answer"
			if s.Name == "sink" {
				stall.Doing = held(l)
			}
		}
	}
	return stall
}

func held(l pipeline.LaneStatus) string {
	return fmt.Sprintf("has taken %d items that are not done", l.Held)
}
