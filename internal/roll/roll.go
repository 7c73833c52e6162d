// Package roll is the logic of every sink that makes objects: which items go
// into one object, what it is called, when it is complete and what is said of
// it to the frame. Where the bytes go is the business of a [Target].
//
// # Rolled
//
// With {sequence} in the key, the items of a lane go into one object until one
// of these:
//
//   - its stored bytes have reached Bytes, and the item has a position;
//   - the next item would bring more than Records records into it: no object
//     holds more. A single block with more is an error, blocks are not divided;
//   - it has 5,000 items, which only happens with small streams;
//   - it is Every old, counted from its first byte, and its last item has a
//     position;
//   - the input ends.
//
// The state of a lane is the number of objects it has made. Where an object
// ends is put into the Store before it is completed if the run stops, or if
// time could have ended it sooner; a lane that is read again from before it ends
// the object at the same place (contract 9). Without bytes there is no object.
//
// # One object per item
//
// Without {sequence} every item is an object, also an empty one. Items must be
// streams: a block is a piece of something, and its key is not its own. One body
// is read at a time; objects whose bytes the target has in memory, and those
// that it makes without reading them, are committed meanwhile (see [Later],
// [Copier]), up to [InFlight] of a lane at a time, and in any order. Two of one
// key are never under way together.
//
// # Beside the data
//
// Items of a lane that is aside are objects of their own, whatever the key is:
// each under the text before the first field and the item's key. A later pass
// of the pipeline replaces them.
//
// # Walks that are not the first
//
// A lane that has started over, or goes on after a run that ended in its
// middle, may make fewer objects than were made before. Those of this pass that
// the last walk did not write again are removed at the end of Write.
//
// # Manifest
//
// A manifest is an object that says what a pass has made. Finish writes it last,
// so where there is one, the pass is complete. It is NDJSON:
//
//   - the first line is a [Head];
//   - each line after it is a [Line], one for each object of the pass, in order
//     of keys (bytes), as a store lists them;
//   - the last line is a [Total]. Without one the manifest was cut.
//
// Its lines are rows of the Store, written by the save that passes the object:
// they take no memory, but some 300 bytes of the state for each object, until
// the next pass begins.
package roll

import (
	"context"
	"io"
	"time"

	"sluice/internal/check"
	"sluice/internal/keys"
	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Target makes objects visible. Its methods may be called from several
// goroutines; those of one object are called by one.
type Target interface {
	// Create begins an object. Nothing is visible before Commit. It, or Commit
	// at the latest, fails with what [Allow] says if there is one under the key
	// that may not be replaced.
	Create(ctx context.Context, d Draft) (Object, error)
	// Sweep removes the objects whose keys begin with prefix, of which stale
	// says by their keys that the lane did not write them, and which are
	// [Owner.Stale] to owner.
	Sweep(ctx context.Context, prefix string, owner Owner, stale func(key string) bool) error
	// Remove removes the object of an item that no longer exists at the source,
	// durably, if [Removable] says so. One that is gone is no error. stays says
	// that there is one, which is another's.
	Remove(ctx context.Context, key string, owner Owner) (stays bool, err error)
}

// Draft is what an object is to be.
type Draft struct {
	Key    string
	Owner  Owner
	First  *pipeline.Item // the first in it, and the only one if Owner.Source is set; not opened yet, read-only
	Beside bool           // it lies beside the data: nothing holds for it that is said of data
}

// Object is a new object on its way. Write keeps no slice. Errors name the object.
type Object interface {
	io.Writer
	// Commit makes the object durable and visible, in one step, under its key.
	// It is called once, and nothing but Abort after it.
	Commit(ctx context.Context) error
	// Abort leaves nothing behind. It is called unless Commit returned nil, and
	// its context lives on for a few seconds when the run is over.
	Abort(ctx context.Context) error
}

// Later is an [Object] that can say, when all of its bytes are written, that it
// may be committed while the lane writes its next one: it holds them in memory
// of its own.
type Later interface{ Later() bool }

// Copier is an [Object] of a single item that can perhaps be made without
// reading the item, and while the lane writes its next one.
type Copier interface {
	// Copy does that, and commits it; n is its size in bytes. If it is not ok,
	// nothing was done, and the bytes have to be written.
	Copy(ctx context.Context) (n int64, ok bool, err error)
}

// Tagged is an [Object] that knows, once it is committed, by what the store
// identifies its bytes.
type Tagged interface{ ETag() string }

// Options are the options `roll` of a sink. The zero value of each: no limit.
type Options struct {
	Bytes   unit.Bytes    `yaml:"bytes" default:"64MiB" doc:"Stored bytes after which an object ends, at the block that reaches it."`
	Records int64         `yaml:"records" min:"0" doc:"The most records in one object; 0 means any number."`
	Every   unit.Duration `yaml:"every" doc:"Age at which an object ends, counted from its first byte; 0 means any age."`
}

// Problems checks the options against the template of the key.
func (o Options) Problems(t *keys.Template) (problems []kind.Problem) {
	if t.Rolled() {
		return nil
	}
	add := func(option string) {
		problems = append(problems, kind.Problem{Option: "roll." + option, Message: "each item is an object of its own: objects roll if the key has {sequence}"})
	}
	if o.Records > 0 {
		add("records")
	}
	if o.Every > 0 {
		add("every")
	}
	return problems
}

// Spec is what a sink wants to be made.
type Spec struct {
	Key      *keys.Template
	Manifest *keys.Template // nil: none; see [Manifest]
	Roll     Options
}

// Objects is about how many a sink makes of a load: each lane has its own. -1: it
// is not known.
func (s Spec) Objects(in check.Load) int64 {
	if !s.Key.Rolled() {
		return in.Objects
	}
	if in.Bytes < 0 && in.Records < 0 {
		return -1
	}
	n := max(check.Over(in.Bytes, int64(s.Roll.Bytes)), check.Over(in.Records, s.Roll.Records))
	if in.Bytes == 0 || in.Records == 0 {
		return 0
	}
	return max(n, int64(in.Lanes))
}

// Writer has the Write and Finish of a [pipeline.Writer]; the sink adds Close.
type Writer struct {
	Spec
	pass   *pipeline.Pass
	target Target
	date   time.Time
	notes  Notes
}

// New returns the writer of a pass: sinks call it in their Open. It keeps the
// date of the pass in the Store, and removes rows of earlier passes.
func New(p *pipeline.Pass, s Spec, target Target) (*Writer, error) {
	w := &Writer{Spec: s, pass: p, target: target}
	if err := forget(p); err != nil {
		return nil, err
	}
	var err error
	if w.date, err = date(p, s); err != nil {
		return nil, err
	}
	return w, w.head()
}

// Need is the most memory that Write takes for a lane, in bytes, without what
// its target takes.
const Need = copyBuffer

const copyBuffer = 128 << 10
