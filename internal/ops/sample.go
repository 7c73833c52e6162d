package ops

import (
	"context"
	"maps"
	"time"

	"sluice/pipeline"
)

// sampled is how often figures are taken down from which rates are made, and
// half a minute how long they count: figures move when units are done, and units
// may be large.
const (
	sampled = 2 * time.Second
	recent  = 30 * time.Second
)

// figures is what was counted at some time.
type figures struct {
	at     time.Time
	total  pipeline.Counts
	stages map[string]stageTotal
	lanes  map[string]pipeline.Flow // of those that move: what their source gave
}

// Sample takes down the figures of all pipelines of a board again and again,
// until ctx ends: views get their rates from them.
func Sample(ctx context.Context, b *Board) {
	tick(ctx, sampled, func(now time.Time) {
		for _, w := range b.Watches() {
			w.sample(now)
		}
	})
}

func (w *Watch) sample(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, _ := w.status()
	w.observe(s)
	w.taken = append(w.taken, w.take(s, now))
	for len(w.taken) > 2 && now.Sub(w.taken[1].at) >= recent {
		w.taken = w.taken[1:]
	}
}

// take takes down what is counted now.
func (w *Watch) take(s pipeline.Status, now time.Time) figures {
	lanes := map[string]pipeline.Flow{}
	for _, l := range s.Lanes {
		if l.Open {
			lanes[l.Name] = given(l)
		}
	}
	return figures{now, w.total, maps.Clone(w.stages), lanes}
}

// given is what the source of a lane gave.
func given(l pipeline.LaneStatus) (f pipeline.Flow) {
	for key, t := range stagesOf(l) {
		if key.stage == "source" {
			f = t.out
		}
	}
	return f
}

// since is from where rates are counted: the oldest figures. seconds is 0 if there
// is none.
func (w *Watch) since(now time.Time) (from figures, seconds float64) {
	if len(w.taken) == 0 {
		return figures{}, 0
	}
	from = w.taken[0]
	return from, max(0, now.Sub(from.at).Seconds())
}

// per is how much n is a second.
func per(n int64, seconds float64) float64 {
	if seconds <= 0 || n < 0 { // it fell: it was begun again
		return 0
	}
	return float64(n) / seconds
}
