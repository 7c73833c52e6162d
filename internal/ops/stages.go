package ops

import (
	"time"

	"sluice/pipeline"
)

// stageTotal is what a stage has done in all lanes and passes of this process.
// None of it goes back.
type stageTotal struct {
	busy, receiving, sending time.Duration
	in, out                  pipeline.Flow
}

func (t stageTotal) add(o stageTotal) stageTotal {
	return stageTotal{t.busy + o.busy, t.receiving + o.receiving, t.sending + o.sending, sumFlow(t.in, o.in), sumFlow(t.out, o.out)}
}

func (t stageTotal) sub(o stageTotal) stageTotal {
	return t.add(stageTotal{-o.busy, -o.receiving, -o.sending, minus(o.in), minus(o.out)})
}

func (t stageTotal) open() time.Duration { return t.busy + t.receiving + t.sending }

func sumFlow(a, b pipeline.Flow) pipeline.Flow {
	return pipeline.Flow{Items: a.Items + b.Items, Records: a.Records + b.Records, Bytes: a.Bytes + b.Bytes}
}

func minus(f pipeline.Flow) pipeline.Flow {
	return pipeline.Flow{Items: -f.Items, Records: -f.Records, Bytes: -f.Bytes}
}

// laneStage is a stage of the chain of a lane that began at some time.
type laneStage struct {
	lane, stage string
	began       time.Time
}

// stagesOf gives the totals of the stages of a lane's chain, those that the
// configuration names. What stands between source and sink to count items knows
// what the source gave and what the sink was given.
func stagesOf(l pipeline.LaneStatus) map[laneStage]stageTotal {
	all := map[laneStage]stageTotal{}
	var given pipeline.Flow
	source := laneStage{}
	for _, s := range l.Stages {
		key, t := laneStage{l.Name, s.Name, s.Began}, stageTotal{s.Open - s.Receiving - s.Sending, s.Receiving, s.Sending, s.Took, s.Gave}
		t.busy = max(0, t.busy) // a wait may have begun between two looks at the clock
		switch s.Name {
		case "source":
			source = key
		case "place":
			from := all[source]
			from.out = s.Took
			all[source] = from
			continue
		case "ledger":
			given = s.Gave
			continue
		case "sink":
			t.in, t.out = given, pipeline.Flow{}
		}
		all[key] = t
	}
	return all
}

// observeStages adds to the totals of stages what they did since it was last
// called.
func (w *Watch) observeStages(s pipeline.Status) {
	seen := map[laneStage]stageTotal{}
	for _, l := range s.Lanes {
		for key, now := range stagesOf(l) {
			seen[key] = now
			w.stages[key.stage] = w.stages[key.stage].add(risenStage(w.stagesSeen[key], now))
		}
	}
	w.stagesSeen = seen
}

// risenStage is by how much a total rose. The clock is read several times for
// it, so that a part of it may seem to have fallen.
func risenStage(old, now stageTotal) stageTotal {
	d := now.sub(old)
	d.busy, d.receiving, d.sending = max(0, d.busy), max(0, d.receiving), max(0, d.sending)
	return d
}
