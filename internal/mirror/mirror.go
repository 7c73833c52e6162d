// Package mirror makes a sink of objects a mirror: after a complete pass, what
// lies below the text before the first field of its key is what the source had,
// and nothing else that the pipeline made.
//
// # What is remembered
//
// The Store has a row for each key of the target: which version of its item the
// object was made of, what else its bytes depend on (transforms, key), and the
// stamp of the object. A row is written by the save that passes the item, so
// after the object; it is a fact, and holds for each pass that comes, whatever
// became of the one that wrote it. So an item whose version is in its row, and
// whose object still has the stamp in it, is left out, unopened. Stamps come
// from a listing of the target, page by page beside that of the source.
//
// Each run walks the source from the first item on, and has a number of its own;
// rows of items that it has seen carry it. So Finish tells what the source has
// by the rows alone, merged with a listing of the target in the same order:
// memory does not depend on how many there are. A run that does not come to
// Finish leaves nothing that is acted upon.
//
// # Finish
//
// First it compares, and changes nothing at the target. An object that was
// written or left out in this walk and is not there, or not as it was, is an
// error: the mirror differs. Its row is removed, and the next run copies it
// again. What the walk has not seen is to be deleted: what this pipeline made,
// or with `overwrite: always` anything. If that is more than max_delete allows,
// nothing is deleted. Then it deletes, each object only as it was listed.
package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"

	"sluice/internal/keys"
	"sluice/internal/kind"
	"sluice/internal/roll"
	"sluice/pipeline"
)

// There is an object that is at the target.
type There struct {
	Key string
	roll.Stamp
}

// Target is where a mirror is. Its methods may be called from several goroutines.
type Target interface {
	// Finder is for one lane, which asks for one key after the other, about in
	// their order.
	Finder() Finder
	// List calls f for the objects whose keys begin with prefix, in order of
	// keys (bytes), until f fails.
	List(ctx context.Context, prefix string, f func(There) error) error
	// Made says whether this pipeline made an object as it is there.
	Made(ctx context.Context, o There) (bool, error)
	// Delete removes an object durably, if it is still as it was listed. One
	// that is gone, or is another now, is no error.
	Delete(ctx context.Context, o There) (deleted bool, err error)
	// Name is how messages call an object.
	Name(key string) string
}

// Finder looks for objects by their keys.
type Finder interface {
	Find(ctx context.Context, key string) (s roll.Stamp, ok bool, err error)
}

// Config is what a mirror is made with.
type Config struct {
	Options
	Key       *keys.Template
	Overwrite string            // as of the sink
	Bytes     string            // what the bytes of an object depend on, beside its item
	DryRun    func(kind.Change) // nil: a real run; may be called from several goroutines
}

// Writer writes one pass. It has what [pipeline.Writer] has but Close.
type Writer struct {
	*roll.Writer
	config Config
	store  pipeline.Store
	target Target
	made   string // digest of Config.Bytes and the key
	walk   int64  // number of this run

	mu      sync.Mutex
	lanes   map[string]*finders // by name
	marks   map[string]row      // by key: of items that the walk has seen, to be written
	deleted int64
}

// finders are what a lane is asked about with.
type finders struct {
	rows   Window[row]
	target Finder
	last   string // the key that was asked about last
}

// New returns the writer of a pass: sinks call it in their Open.
func New(p *pipeline.Pass, w *roll.Writer, t Target, c Config) (*Writer, error) {
	sum := sha256.Sum256([]byte(c.Bytes + "\n" + c.Key.String()))
	m := &Writer{Writer: w, config: c, store: p.Store, target: t, made: hex.EncodeToString(sum[:8]), lanes: map[string]*finders{}, marks: map[string]row{}}
	var err error
	if m.walk, err = begin(p.Store); err != nil {
		return nil, err
	}
	w.Note(m)
	return m, nil
}

// Write implements [pipeline.Writer].
func (w *Writer) Write(ctx context.Context, lane pipeline.Lane, state string, in <-chan *pipeline.Item) error {
	defer w.leave(lane.Name)
	if w.config.DryRun != nil {
		return w.rehearse(ctx, lane, in)
	}
	return w.Writer.Write(ctx, lane, state, in)
}

func (w *Writer) leave(lane string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.lanes, lane)
}

func (w *Writer) finders(lane string) *finders {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.lanes[lane]
	if f == nil {
		f = &finders{rows: Window[row]{Page: w.page}, target: w.target.Finder()}
		w.lanes[lane] = f
	}
	return f
}

// Skip implements [pipeline.Skipper]. It marks each key as one that the source
// has, whatever becomes of the item: what cannot be had is there nevertheless.
func (w *Writer) Skip(ctx context.Context, lane pipeline.Lane, it *pipeline.Item) (bool, error) {
	key, err := w.KeyOf(lane, it)
	if err != nil {
		return false, err
	}
	f := w.finders(lane.Name)
	if f.last == key {
		return false, fmt.Errorf("a mirror holds one version of each key, and the source gives several of %s", it.Key)
	}
	f.last = key
	r, _, err := f.rows.Find(ctx, key)
	if err != nil {
		return false, err
	}
	same := r.is(written) && it.Version != "" && r.Version == it.Version && r.Bytes == w.made
	var there bool
	if same || w.config.DryRun != nil {
		var s roll.Stamp
		if s, there, err = f.target.Find(ctx, key); err != nil {
			return false, err
		}
		same = same && there && s == r.Stamp
	}
	if w.config.DryRun != nil {
		w.say(change(same, there), key, it.Size)
	}
	if !same {
		return w.config.DryRun != nil, w.mark(key, row{Walk: w.walk, State: expected})
	}
	r.Walk = w.walk
	return true, w.mark(key, r)
}

// Made implements [roll.Notes]. Its row says more than the mark, and is written
// later than that, or instead of it.
func (w *Writer) Made(key string, it *pipeline.Item, s roll.Stamp) []pipeline.Row {
	w.mu.Lock()
	delete(w.marks, key)
	w.mu.Unlock()
	r := row{Walk: w.walk, State: written, Version: it.Version, Bytes: w.made, Stamp: s}
	return []pipeline.Row{r.at(key)}
}

// Removed implements [roll.Notes].
func (w *Writer) Removed(key string) []pipeline.Row {
	return []pipeline.Row{{Bucket: rowBucket, Key: key}}
}

// Tally implements [pipeline.Tallier].
func (w *Writer) Tally() pipeline.Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return pipeline.Counts{Deleted: w.deleted}
}

// mark writes a row soon, and at the latest when Finish begins.
func (w *Writer) mark(key string, r row) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marks[key] = r
	if len(w.marks) < batch {
		return nil
	}
	return w.flush()
}

// flush writes the marks. The lock is held.
func (w *Writer) flush() error {
	rows := make([]pipeline.Row, 0, len(w.marks))
	for key, r := range w.marks {
		rows = append(rows, r.at(key))
	}
	clear(w.marks)
	return put(w.store, rows)
}
