package ops

import (
	"maps"
	"time"

	"sluice/pipeline"
)

// About is what a pipeline is, for those who look at it.
type About struct {
	Stages        []Named // in order
	Configuration string  // YAML: in effect, without secrets
	Letters       string  // where dead letters are; "": nowhere
	Named         bool    // commands can name it: it is in a configuration
	Lane, Shared  int64   // bytes that a lane takes at most, and all together beside that
}

// Named is a stage.
type Named struct{ Name, Kind string }

// View is what the pipeline is doing now.
func (w *Watch) View(now time.Time) View {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, _ := w.status()
	w.observe(s)
	return w.view(s, now)
}

func (w *Watch) view(s pipeline.Status, now time.Time) View {
	saved, _ := w.store.last()
	v := View{
		Name: w.name, State: w.state(), Running: w.running, Next: w.care.Next.UTC(), Saved: saved.UTC(), Success: w.success.UTC(),
		Stalled: w.care.Stalled, Retries: w.retried(s), Dead: w.total.Dead, Hooks: w.care.Hooks,
	}
	if w.last != nil {
		v.Last = w.last.Outcome
	}
	if w.care.Failures > 0 {
		v.Failing = &Failing{w.care.Failing.UTC(), w.care.Failures, w.care.Error}
	}
	from, seconds := w.since(now)
	v.Rates = rates(from.total, w.total, seconds)
	v.Rates.live(w.stages["source"].out, from.stages["source"].out, w.stages["sink"].in, from.stages["sink"].in, seconds)
	v.Pass = w.passView(s, v.Rates)
	v.Stages = w.stageViews(from.stages, seconds)
	v.Lag = w.lag(v, came(reached(s.Lanes)), now)
	return v
}

// state is what the pipeline is doing, in a word.
func (w *Watch) state() State {
	switch {
	case w.care.Paused:
		return StatePaused
	case w.care.Stalled != nil:
		return StateStalled
	case w.care.Failures > 0:
		return StateFailing
	case w.running:
		return StateRunning
	case !w.care.Next.IsZero():
		return StateWaiting
	case w.last == nil:
		return StateBegins
	}
	return State(w.last.Outcome)
}

// retried is what was tried again in this process.
func (w *Watch) retried(s pipeline.Status) map[string]int64 {
	all := maps.Clone(w.retries)
	if w.running && !(s.Pass == w.before.Pass && maps.Equal(s.Retries, w.before.Retries)) {
		for cause, n := range s.Retries {
			all[cause] += n
		}
	}
	return all
}

func rates(old, now pipeline.Counts, seconds float64) Rates {
	return Rates{
		RecordsIn: per(now.Read+now.Created-old.Read-old.Created, seconds), RecordsOut: per(now.Written-old.Written, seconds),
		BytesIn: per(now.BytesRead-old.BytesRead, seconds), BytesOut: per(now.BytesWritten-old.BytesWritten, seconds),
		ObjectsIn: per(now.ObjectsRead-old.ObjectsRead, seconds), ObjectsOut: per(now.ObjectsWritten-old.ObjectsWritten, seconds),
	}
}

// live puts what moves now in the place of what was delivered, where it is
// known: units may be large, and are delivered all at once.
func (r *Rates) live(in, inThen, out, outThen pipeline.Flow, seconds float64) {
	set := func(rate *float64, now, then int64) {
		if now > 0 {
			*rate = per(now-then, seconds)
		}
	}
	set(&r.RecordsIn, in.Records, inThen.Records)
	set(&r.BytesIn, in.Bytes, inThen.Bytes)
	set(&r.RecordsOut, out.Records, outThen.Records)
	set(&r.BytesOut, out.Bytes, outThen.Bytes)
}

func (w *Watch) passView(s pipeline.Status, r Rates) PassView {
	c := reached(s.Lanes)
	v := PassView{Number: s.Pass, Began: s.Began.UTC(), Lanes: stock(s.Lanes)}
	v.Records, v.Bytes, v.Objects = counted(c)
	v.Expected = expected(s.Lanes)
	v.Done, v.Left = far(c, v.Expected, r.RecordsIn, r.BytesIn)
	if s.Pass > 0 && v.Lanes.Ended == v.Lanes.Total {
		v.Done, v.Left = new(1.0), nil
	}
	return v
}

// counted gives counts by what they count.
func counted(c pipeline.Counts) (Records, Bytes, Objects) {
	return Records{c.Read, c.Created, c.Written, c.Filtered, c.Dead, c.Unknown}, Bytes{c.BytesRead, c.BytesWritten},
		Objects{c.ObjectsRead, c.ObjectsWritten, c.Skipped, c.Deleted, c.GivenUp}
}

func stock(lanes []pipeline.LaneStatus) LaneStock {
	n := countLanes(lanes)
	return LaneStock{n.Total, n.Total - n.Open - n.Ended - n.Failed, n.Open, n.Ended, n.Failed}
}

// lag is how far the destination is behind. One that has nothing more to do is
// not: nobody says that it is to follow its source.
func (w *Watch) lag(v View, have Expected, now time.Time) (l Lag) {
	switch v.State {
	case StateComplete, StatePartial:
		return l
	}
	if !w.covered.IsZero() {
		l.Seconds = new(max(0, now.Sub(w.covered).Seconds()))
	}
	behind := func(of, have int64) *int64 {
		if of <= 0 {
			return nil
		}
		return new(max(0, of-have))
	}
	if v.Pass.Number > 0 && v.Pass.Lanes.Ended == v.Pass.Lanes.Total {
		l.Records, l.Bytes, l.Objects = new(int64(0)), new(int64(0)), new(int64(0))
		return l
	}
	l.Records = behind(v.Pass.Expected.Records, have.Records)
	l.Bytes = behind(v.Pass.Expected.Bytes, have.Bytes)
	l.Objects = behind(v.Pass.Expected.Objects, have.Objects)
	return l
}

// stageViews says what stages did in the last seconds.
func (w *Watch) stageViews(old map[string]stageTotal, seconds float64) []StageView {
	all, busiest := []StageView{}, 0
	for i, s := range w.about.Stages {
		d := w.stages[s.Name].sub(old[s.Name])
		v := StageView{Name: s.Name, Kind: s.Kind}
		if open := d.open().Seconds(); open > 0 && seconds > 0 {
			v.Busy, v.Receiving, v.Sending = d.busy.Seconds()/open, d.receiving.Seconds()/open, d.sending.Seconds()/open
		}
		flow := d.out
		if i == len(w.about.Stages)-1 {
			flow = d.in
		}
		v.Items, v.Records, v.Bytes = per(flow.Items, seconds), per(flow.Records, seconds), per(flow.Bytes, seconds)
		all = append(all, v)
		if v.Busy > all[busiest].Busy {
			busiest = i
		}
	}
	if len(all) > 0 && all[busiest].Busy > 0 {
		all[busiest].Busiest = true
	}
	return all
}
