package pipeline

import (
	"context"
	"errors"
	"log/slog"
)

// ErrStartOver is wrapped by the error of a Read whose position no longer
// holds. The lane starts again at its beginning, in the same run.
var ErrStartOver = errors.New("position no longer holds")

// ErrStopped is returned by a Read or Run that ended before its input did
// because the run is stopping. Its lane is not ended.
var ErrStopped = errors.New("stopped")

// Pass is one walk over what the source has. It is plain data but for Store.
type Pass struct {
	Pipeline string // its name
	Parallel int    // lanes that run at a time; a source that can choose plans at least as many
	Number   int64
	Lanes    []Lane               // the plan; nil while it is made
	Last     map[string]LaneState // by name: how far lanes are durable; empty for a pass that takes everything
	Store    Store                // bucket names of a source begin with "source", of a sink with "sink"
}

// Lane is a part of a pass that is read in order and resumed by itself.
//
// One that is Aside gives no data but documents about it, which count no
// records. No transform sees them, and a sink makes an object of each, under
// the item's key, beside the data, or what they describe. It comes first in a
// plan: a sink may let the data wait for it.
type Lane struct {
	Name        string // unique in the plan
	ID          string // what positions depend on; they hold while it is the same
	Spec        string // what to read, and up to where; its meaning belongs to the source
	Part, Parts int    // Part of Parts among the lanes that share an index
	Records     int64  // expected, 0 if unknown: for progress only
	Bytes       int64  // likewise
	Start       int    // how often the lane has started over in this pass; set by the frame
	Aside       bool   // its items are documents, not data
}

// Source opens passes.
type Source interface {
	// Open is called once per run, before anything else. The pass has its plan
	// if it is an interrupted one that goes on.
	Open(ctx context.Context, p *Pass) (Reader, error)
}

// Reader reads one pass.
type Reader interface {
	// Plan returns the lanes of a new pass. Each has an end, fixed now.
	Plan(ctx context.Context) ([]Lane, error)
	// Read sends the items of lane that come after from, in order, and returns
	// nil once it has sent all up to the planned end. If from.Inner is set, it
	// sends the item from.Key first. When ctx ends it stops; items it has sent
	// stay readable. One call per lane, several at a time.
	Read(ctx context.Context, lane Lane, from Position, out chan<- *Item) error
	// Close frees what the reader holds. It is always called, and last.
	Close() error
}

// Saver is a Reader that acts on what was delivered: it acknowledges, deletes,
// moves.
type Saver interface {
	// Saved follows each save that moved lane to pos: all before pos is durable
	// at the sink and will never be read again. Rows that items carried as
	// notes are in the store. It is repeated for each lane when a run begins,
	// because the last one may have ended between the save and the call. An
	// error ends the run.
	Saved(ctx context.Context, lane Lane, pos Position) error
}

// Counter is a Reader whose plan cannot say how much there is.
type Counter interface {
	// Count says what lane holds after from, for progress only: about what Read
	// sends. ok is false if that cannot be known. It is called beside Read, once
	// for each lane in a run of a pass that reads all there is, and ends with
	// ctx. An error is logged, and changes nothing.
	Count(ctx context.Context, lane Lane, from Position) (objects, bytes int64, ok bool, err error)
}

// Transform turns the items of a lane into others.
type Transform interface {
	// Run serves one lane: it takes items until in is closed and gives items in
	// the same order, handing on positions, notes and counts. It never closes out.
	Run(ctx context.Context, in <-chan *Item, out chan<- *Item) error
}

// Sink opens passes for writing.
type Sink interface {
	// Open is called once per run, when the pass has its plan.
	Open(ctx context.Context, p *Pass) (Writer, error)
}

// Writer makes the items of one pass durable.
type Writer interface {
	// Write serves one lane, several are served at a time. state is what it
	// said with the last saved unit. When in is closed it makes everything it
	// holds durable, says so (see [Unit]) and returns nil. An error ends the run.
	Write(ctx context.Context, lane Lane, state string, in <-chan *Item) error
	// Finish is called once all lanes are durable and saved, and never for a
	// pass that is not complete. It may be called again, to the same effect.
	Finish(ctx context.Context) error
	// Close frees what the writer holds. It is always called, and last.
	Close() error
}

// Skipper is a Writer that may not want an item. It is asked before the item
// is opened by any stage.
type Skipper interface {
	Skip(ctx context.Context, lane Lane, it *Item) (bool, error)
}

// WholePass is a Sink that acts on what is missing from a pass. For it, done
// means taken: its interrupted pass starts again with the first item, source
// errors end the run, and Saved is not called before Finish has returned.
type WholePass interface{ WholePass() }

// Tallier is a Writer whose Finish does what counts: it deletes. Tally says what
// it did in this run, beside what items were counted for.
type Tallier interface{ Tally() Counts }

// Stage is a named transform.
type Stage struct {
	Name string
	Transform
}

// Sized is a Source, Transform or Sink that says how much memory it holds at
// most, in bytes: each lane for itself (blocks in its quota, part buffers,
// codec windows), and all of them together beside that (see [Large]).
type Sized interface{ Need() (lane, shared int64) }

// stage is what the frame tells the functions of a stage through their context.
type stage struct {
	*chain
	name     string
	large    *large    // nil: a stage that has no blocks of its own
	activity *activity // nil: what is done for all lanes
}

type stageKey struct{}

// Stopping is closed once the run stops: a stage that splits items then ends
// at the next record and returns [ErrStopped]. It is nil outside a run.
func Stopping(ctx context.Context) <-chan struct{} {
	if s, ok := ctx.Value(stageKey{}).(stage); ok {
		return s.run.soft.Done()
	}
	return nil
}

// Logger returns the logger of the stage, with pipeline, stage and, in a lane,
// lane as attributes; slog.Default outside a run.
func Logger(ctx context.Context) *slog.Logger {
	s, ok := ctx.Value(stageKey{}).(stage)
	if !ok {
		return slog.Default()
	}
	log := s.run.log().With("stage", s.name)
	if s.lane.Name != "" {
		log = log.With("lane", s.lane.Name)
	}
	return log
}

// as is the context of what a source or sink does for all lanes.
func (r *run) as(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, stageKey{}, stage{chain: &chain{run: r}, name: name})
}

func (r *run) log() *slog.Logger {
	if r.Log == nil {
		return slog.Default().With("pipeline", r.Name)
	}
	return r.Log.With("pipeline", r.Name)
}

// Retried tells the frame that something was tried again, and why: a constant
// word or two that becomes a label of a metric. It does nothing outside a run.
func Retried(ctx context.Context, cause string) {
	if s, ok := ctx.Value(stageKey{}).(stage); ok {
		s.run.meter.retried(cause)
	}
}

// Limited tells the frame how many requests of a class, a constant word, a stage
// may have under way at the same time; 0 is any number. It does nothing outside a
// run.
func Limited(ctx context.Context, class string, n int) {
	if s, ok := ctx.Value(stageKey{}).(stage); ok {
		s.run.meter.limited(Limit{s.name, class}, n)
	}
}
