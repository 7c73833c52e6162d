package ops

import (
	"maps"
	"time"

	"sluice/pipeline"
)

// Snapshot is what a pipeline is doing.
type Snapshot struct {
	Name     string
	Care     Care            // what its supervisor says
	Running  bool            // a pass is under way
	Last     Outcome         // of the pass that ended last; "" if none has
	Pass     int64           // the one under way, or the last; 0 before the first has its plan
	Counts   pipeline.Counts // of that pass, earlier processes included
	Lanes    Lanes
	Expected Expected // of the pass

	Total   pipeline.Counts   // of all passes in this process; none goes back
	Retries map[string]int64  // likewise, by cause
	Ended   map[Outcome]int64 // passes that ended in this process
	Saved   time.Time         // when the state was last written; zero if it was not
	Success time.Time         // when a pass was last complete; likewise
	Took    Times             // of the passes that ended in this process

	stages         map[string]stageTotal
	dead           []DeadReason
	lag            Lag
	limits         map[pipeline.Limit]int
	reserved, held int64
	writable       bool
}

// Snapshot returns what the pipeline is doing now.
func (w *Watch) Snapshot() Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, _ := w.status()
	w.observe(s)
	saved, failed := w.store.last()
	v := w.view(s, time.Now())
	shot := Snapshot{
		stages: maps.Clone(w.stages), dead: w.dead.list(), lag: v.Lag, limits: s.Limits, writable: !failed,
		Name: w.name, Care: w.care, Running: w.running, Pass: s.Pass, Lanes: countLanes(s.Lanes),
		Counts: reached(s.Lanes), Expected: v.Pass.Expected, Total: w.total, Retries: w.retried(s), Ended: maps.Clone(w.ended),
		Saved: saved, Success: w.success, Took: w.took.clone(),
	}
	shot.reserved, shot.held = memoryOf(s, w.about)
	if w.last != nil {
		shot.Last = w.last.Outcome
	}
	return shot
}
