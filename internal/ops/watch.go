// Package ops shows people and machines what pipelines do: reports, progress,
// metrics, health and logs. All of it looks at the same [Watch], so all of it
// tells the same.
package ops

import (
	"context"
	"maps"
	"sync"
	"time"

	"sluice/pipeline"
)

// Watch runs the passes of one pipeline, one after the other, and knows what
// they do. Its other methods may be called at any time, from any goroutine.
type Watch struct {
	name string

	mu      sync.Mutex
	p       *pipeline.Pipeline // nil: none yet
	store   *watchedStore
	notes   []string
	care    Care
	running bool
	before  pipeline.Status            // of the last run: what Status gives until the new one has its plan
	done    int64                      // records in total when the run began
	pass    int64                      // whose counts are in seen
	seen    map[string]pipeline.Counts // of lanes, by name: what is in total
	total   pipeline.Counts            // of this process; none goes back
	retries map[string]int64           // of the runs that have ended
	ended   map[Outcome]int64          // runs, by outcome
	last    *Report                    // of the run that ended last
	success time.Time                  // when a pass was last complete
	covered time.Time                  // when the last complete pass began, also of earlier processes
	about   About
	history history
	taken   []figures

	stages     map[string]stageTotal    // by name
	stagesSeen map[laneStage]stageTotal // what is in stages
	dead       *dead
	took       Times // of the runs that have ended
}

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

// NewWatch is the watch of a pipeline of that name that is not there yet.
func NewWatch(name string) *Watch {
	return &Watch{name: name, store: &watchedStore{}, retries: map[string]int64{}, ended: map[Outcome]int64{}, stages: map[string]stageTotal{}, dead: &dead{}}
}

// Use watches p, which runs under the watch from then on: its Source and its
// Store are wrapped, and Dead if it has one. It may take the place of another
// that no longer runs; what is counted in this process goes on. notes are for the
// reports.
func (w *Watch) Use(p *pipeline.Pipeline, notes []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.p, w.notes, w.pass, w.seen, w.stagesSeen = p, notes, 0, nil, nil
	w.history.load(p.Store)
	if saved, err := pipeline.Load(p.Store); err == nil { // else the next pass says what is wrong
		w.covered = saved.Covered
	}
	if w.success.IsZero() {
		w.success = w.history.success()
	}
	w.store = &watchedStore{Store: p.Store}
	p.Store, p.Source = w.store, watchedSource{p.Source, w}
	if p.Dead != nil {
		p.Dead = watchedLetters{p.Dead, w.dead}
	}
}

// Describe says what the pipeline is.
func (w *Watch) Describe(a About) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.about = a
}

// Name is the name of the pipeline.
func (w *Watch) Name() string { return w.name }

// Care is what a supervisor says of a pipeline, beside what its passes say.
type Care struct {
	Failures int       // in a row; 0: the last pass did not fail
	Failing  time.Time // since when
	Error    string    // of the last failure
	Next     time.Time // when the next pass begins; zero: one is under way, or none is to come
	Paused   bool
	Stalled  *Stall // nil: it moves, or need not
	Hooks    int64  // hooks that failed in this process

	Interval time.Duration // the longest between passes that are due; 0: none are
}

// Care lets f change what the supervisor says.
func (w *Watch) Care(f func(*Care)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.care)
}

// Fail reports that an error kept the pipeline from beginning a pass.
func (w *Watch) Fail(err error) Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := NeverBegan(err)
	w.last = &r
	w.ended[r.Outcome]++
	return r
}

// Pass runs one pass, as [pipeline.Pipeline.Run] does, and reports on it.
func (w *Watch) Pass(ctx context.Context) Report {
	began := time.Now()
	p := w.begin()
	res, err := p.Run(ctx)
	r := w.end(p, began, res, err)
	w.remember(r, began)
	return r
}

func (w *Watch) begin() *pipeline.Pipeline {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before, _ = w.p.Status()
	w.running, w.taken = true, nil
	w.done = w.total.Read + w.total.Created
	return w.p
}

func (w *Watch) end(p *pipeline.Pipeline, began time.Time, res pipeline.Result, err error) Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, _ := p.Status()
	w.observe(s)
	if s.Pass != res.Pass {
		s = pipeline.Status{Pass: res.Pass} // it ended before it had a plan
	}
	w.total.Deleted += max(0, res.Counts.Deleted-deleted(s.Lanes)) // what Finish did
	s.Retries = res.Retries
	for cause, n := range s.Retries {
		w.retries[cause] += n
	}
	r := NewReport(res, s, err)
	r.Notes = w.notes
	took := time.Since(began)
	w.took.add(took)
	r.Seconds = took.Round(time.Millisecond).Seconds()
	r.moved = w.total.Read + w.total.Created - w.done
	if r.Outcome == Complete || r.Outcome == Partial {
		w.success = time.Now()
		if !s.Began.IsZero() {
			w.covered = s.Began
		}
	}
	w.running, w.last = false, &r
	w.ended[r.Outcome]++
	return r
}

func deleted(lanes []pipeline.LaneStatus) (n int64) {
	for _, l := range lanes {
		n += l.State.Counts.Deleted
	}
	return n
}

// Report returns the report of the pass that ended last; ok is false if none has.
func (w *Watch) Report() (r Report, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		return r, false
	}
	return *w.last, true
}

// Writable is false after a write to the state that failed.
func (w *Watch) Writable() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, failed := w.store.last()
	return !failed
}

// Status is the picture of the pass under way, or of the last; see
// [pipeline.Pipeline.Status].
func (w *Watch) Status() (s pipeline.Status, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status()
}

func (w *Watch) status() (s pipeline.Status, ok bool) {
	if w.p == nil {
		return s, false
	}
	return w.p.Status()
}

// sink is that of the pipeline; nil: there is none yet.
func (w *Watch) sink() pipeline.Sink {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.p == nil {
		return nil
	}
	return w.p.Sink
}

// observe adds to total what was counted since it was last called. Counts of a
// lane fall when it starts over and when a pass begins; then all of them are new.
func (w *Watch) observe(s pipeline.Status) {
	if s.Pass == 0 {
		return
	}
	w.observeStages(s)
	if s.Pass != w.pass {
		w.pass, w.seen = s.Pass, map[string]pipeline.Counts{}
	}
	for _, l := range s.Lanes {
		w.total.Add(risen(w.seen[l.Name], l.State.Counts))
		w.seen[l.Name] = l.State.Counts
	}
}

// resume takes what earlier processes counted of a pass out of the totals.
func (w *Watch) resume(p *pipeline.Pass) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.Lanes == nil || p.Number == w.pass {
		return
	}
	w.pass, w.seen = p.Number, map[string]pipeline.Counts{}
	for name, st := range p.Last {
		w.seen[name] = st.Counts
	}
}

// risen is by how much each of the counts rose; one that fell began at 0 again.
func risen(old, c pipeline.Counts) pipeline.Counts {
	since := func(old, n int64) int64 {
		if n < old {
			return n
		}
		return n - old
	}
	return pipeline.Counts{
		Read: since(old.Read, c.Read), Created: since(old.Created, c.Created),
		Written: since(old.Written, c.Written), Filtered: since(old.Filtered, c.Filtered), Dead: since(old.Dead, c.Dead),
		Unknown: since(old.Unknown, c.Unknown), Skipped: since(old.Skipped, c.Skipped),
		GivenUp: since(old.GivenUp, c.GivenUp), Deleted: since(old.Deleted, c.Deleted),
		BytesRead: since(old.BytesRead, c.BytesRead), BytesWritten: since(old.BytesWritten, c.BytesWritten),
		ObjectsRead: since(old.ObjectsRead, c.ObjectsRead), ObjectsWritten: since(old.ObjectsWritten, c.ObjectsWritten),
	}
}

// Snapshot is what a pipeline is doing.
type Snapshot struct {
	Name    string
	Care    Care            // what its supervisor says
	Running bool            // a pass is under way
	Last    Outcome         // of the pass that ended last; "" if none has
	Pass    int64           // the one under way, or the last; 0 before the first has its plan
	Counts  pipeline.Counts // of that pass, earlier processes included
	Lanes   Lanes
	Records int64 // expected of the pass; 0 if unknown
	Bytes   int64 // likewise

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
		Total: w.total, Retries: w.retried(s), Ended: maps.Clone(w.ended),
		Saved: saved, Success: w.success, Took: w.took.clone(),
	}
	shot.reserved, shot.held = memoryOf(s, w.about)
	if w.last != nil {
		shot.Last = w.last.Outcome
	}
	shot.Records, shot.Bytes = expected(s.Lanes)
	for _, l := range s.Lanes {
		shot.Counts.Add(l.State.Counts)
	}
	return shot
}

// expected adds up what lanes hold; it is 0 unless it is known of all that
// have not ended.
func expected(lanes []pipeline.LaneStatus) (records, bytes int64) {
	known, sized := true, true
	for _, l := range lanes {
		records, bytes = records+l.Records, bytes+l.Bytes
		known = known && (l.Records > 0 || l.State.Ended)
		sized = sized && (l.Bytes > 0 || l.State.Ended)
	}
	if !known {
		records = 0
	}
	if !sized {
		bytes = 0
	}
	return records, bytes
}

// watchedSource tells the watch how far the pass is that it opens.
type watchedSource struct {
	pipeline.Source
	w *Watch
}

// Open implements [pipeline.Source].
func (s watchedSource) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Reader, error) {
	s.w.resume(p)
	return s.Source.Open(ctx, p)
}

// watchedStore knows when it was last written to, and whether that failed.
type watchedStore struct {
	pipeline.Store

	mu     sync.Mutex
	at     time.Time
	failed bool
}

// Put implements [pipeline.Store].
func (s *watchedStore) Put(rows ...pipeline.Row) error {
	err := s.Store.Put(rows...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed = err != nil; !s.failed {
		s.at = time.Now()
	}
	return err
}

func (s *watchedStore) last() (at time.Time, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, s.failed
}
