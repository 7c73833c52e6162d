package ops

import (
	"cmp"
	"slices"
	"time"

	"sluice/pipeline"
)

// mostLanes is how many lanes a [Detail] lists.
const mostLanes = 500

// Detail is all that is known of the pipeline. data says that it may show what
// records hold: examples of dead letters.
func (w *Watch) Detail(now time.Time, data bool) Detail {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, _ := w.status()
	w.observe(s)
	d := Detail{View: w.view(s, now), Notes: append([]string{}, w.notes...), History: w.history.list(), Configuration: w.about.Configuration}
	d.Lanes, d.LanesLeftOut = w.laneViews(s, now)
	d.DeadLetters = DeadLetters{Place: w.about.Letters, Reasons: w.dead.list()}
	if w.about.Letters != "" && w.about.Named {
		d.DeadLetters.Show, d.DeadLetters.Replay = "sluice dead-letters list "+w.name, "sluice dead-letters replay "+w.name
	}
	for i := range d.DeadLetters.Reasons {
		if !data {
			d.DeadLetters.Reasons[i].Example = nil
		}
	}
	return d
}

// laneOrder is the order in which lanes are listed.
var laneOrder = []string{"open", "failed", "waiting", "ended"}

func (w *Watch) laneViews(s pipeline.Status, now time.Time) (views []LaneView, omitted int) {
	views = []LaneView{}
	from, seconds := w.since(now)
	lanes := slices.Clone(s.Lanes)
	slices.SortStableFunc(lanes, func(a, b pipeline.LaneStatus) int {
		return cmp.Compare(slices.Index(laneOrder, laneState(a)), slices.Index(laneOrder, laneState(b)))
	})
	omitted = max(0, len(lanes)-mostLanes)
	for _, l := range lanes[:len(lanes)-omitted] {
		views = append(views, laneView(l, from.lanes, seconds))
	}
	return views, omitted
}

func laneState(l pipeline.LaneStatus) string {
	switch {
	case l.State.Ended:
		return "ended"
	case l.Open:
		return "open"
	case l.Err != nil:
		return "failed"
	}
	return "waiting"
}

func laneView(l pipeline.LaneStatus, old map[string]pipeline.Flow, seconds float64) LaneView {
	c, pos := l.State.Counts, l.State.Pos
	v := LaneView{
		Name: l.Name, State: laneState(l), Expected: held(l), Starts: l.State.Start, Held: l.Held,
		Position: Place{cut(pos.Token, mostText), cut(pos.Key, mostText), cut(pos.Inner, mostText)},
	}
	v.Records, v.Bytes, v.Objects = counted(c)
	before, moved := old[l.Name]
	if !moved {
		seconds = 0
	}
	now := given(l)
	v.Done, v.Left = far(c, v.Expected, per(now.Records-before.Records, seconds), per(now.Bytes-before.Bytes, seconds))
	switch {
	case l.State.Ended:
		v.Done, v.Left = new(1.0), nil
	case l.Open:
		v.Stage = busyStage(l)
	case l.Err != nil:
		v.Error = l.Err.Error()
	}
	return v
}

// busyStage is the stage of a lane for which the others wait: the last one that
// waits for none; the sink, if each waits: it holds what it has taken.
func busyStage(l pipeline.LaneStatus) string {
	name := "sink"
	for _, s := range l.Stages {
		if s.Waits == "" && !s.Ended {
			name = s.Name
		}
	}
	switch name {
	case "place":
		return "source"
	case "ledger":
		return "sink"
	}
	return name
}

// memory is what the lanes that are open may take, and the bytes of the blocks
// that they hold.
func (w *Watch) memory() (reserved, held int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, _ := w.status()
	return memoryOf(s, w.about)
}

func memoryOf(s pipeline.Status, a About) (reserved, held int64) {
	open := int64(0)
	for _, l := range s.Lanes {
		if !l.Open {
			continue
		}
		open++
		for _, stage := range l.Stages {
			held += stage.Held
		}
	}
	if open > 0 {
		reserved = open*a.Lane + a.Shared
	}
	return reserved, held
}
