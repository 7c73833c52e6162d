package letters

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"

	"sluice/internal/jq"
	"sluice/pipeline"
)

// replayed is the bucket of the letters that were sent again, by identity. A
// row is written by the save that passes the letter: then its record has been
// delivered, or a letter of why it was not is durable.
const replayed = "source.replayed"

// Replay is a [pipeline.Source] of the records of letters that are to be sent
// again, one lane of them, each an item. It knows by the marks in the store
// which ones were, and not by positions: each pass gives all that are left.
type Replay struct {
	Box    *Box
	Filter *Filter
	Edit   *jq.Program // of the records; nil: they are sent as they are
	Stage  string      // the stage to which the records were given

	mu      sync.Mutex
	written map[ID]bool // letters that this replay has made: they are for the next one
}

var _ pipeline.Source = (*Replay)(nil)

// Reset makes the next pass of a store begin anew, whatever became of the last
// one: what was asked for then may be something else.
func Reset(store pipeline.Store) error {
	return store.Put(pipeline.Row{Bucket: "pass", Key: "current"}, pipeline.Row{Bucket: "lanes", Key: replays})
}

// Replayed reads the marks of letters that were sent again. rows gives those of
// a bucket.
func Replayed(rows func(bucket string, f func(key string, value []byte) error) error) (map[ID]bool, error) {
	marks := map[ID]bool{}
	err := rows(replayed, func(key string, _ []byte) error {
		var id ID
		if n, err := hex.Decode(id[:], []byte(key)); err != nil || n != len(id) {
			return fmt.Errorf("%q is no identity of a letter", key)
		}
		marks[id] = true
		return nil
	})
	return marks, err
}

// Open implements [pipeline.Source].
func (r *Replay) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return r, nil }

// Close implements [pipeline.Reader].
func (r *Replay) Close() error { return nil }

// Plan implements [pipeline.Reader].
func (r *Replay) Plan(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{{Name: replays, ID: replays, Parts: 1}}, nil
}

// blocks is how many records may be on their way to the sink.
const blocks = 4

// Read implements [pipeline.Reader].
func (r *Replay) Read(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
	quota := pipeline.NewQuota(blocks)
	return r.Box.Each(ctx, func(l *Letter, line []byte) error {
		if l.Record == nil || l.Stage != r.Stage || r.wrote(l.ID()) {
			return nil
		}
		if ok, err := r.Filter.Chooses(ctx, l, line); !ok {
			return err
		}
		it, err := r.item(ctx, quota, l, line)
		if err != nil {
			return err
		}
		return pipeline.Send(ctx, out, it)
	})
}

// item is the record of a letter, or what the edit makes of it. Its version is
// the letter itself, so that one that is refused again can take its place.
func (r *Replay) item(ctx context.Context, quota *pipeline.Quota, l *Letter, line []byte) (*pipeline.Item, error) {
	id := l.ID().String()
	it := &pipeline.Item{Key: l.Source.Key, Version: string(line), Pos: pipeline.Position{Token: id}, Meta: &pipeline.Meta{},
		Notes: []pipeline.Row{{Bucket: replayed, Key: id, Value: []byte{1}}}}
	lines, err := r.Lines(ctx, l)
	if err != nil {
		it.Counts.Read = 1
		return it, it.Bury(ctx, 0, nil, err)
	}
	if len(lines) == 0 { // the edit has dropped it
		it.Counts.Read, it.Counts.Filtered = 1, 1
		return it, nil
	}
	b, err := quota.Block(ctx)
	if err != nil {
		return nil, err
	}
	for _, rec := range lines {
		if err := b.Reserve(ctx, len(b.B())+len(rec)); err != nil {
			b.Release()
			return nil, err
		}
		b.Write(rec)
	}
	it.Body, it.Size, it.Records = b, int64(len(b.B())), int64(len(lines))
	it.Counts.Created = it.Records - 1
	it.Counts.Read = -it.Counts.Created // the frame adds all records of the item
	return it, nil
}

// Lines gives what is to be sent for a letter: lines that end with a newline.
func (r *Replay) Lines(ctx context.Context, l *Letter) ([][]byte, error) {
	record, err := l.Bytes()
	if err != nil || r.Edit == nil {
		return [][]byte{record}, err
	}
	return edited(ctx, r.Edit, record)
}

// wrote says whether this replay has made a letter.
func (r *Replay) wrote(id ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.written[id]
}

// Dead gives the [pipeline.DeadLetters] for the pipeline of the replay: a letter
// that is refused again takes the place of the one before it, with the record
// that that had.
func (r *Replay) Dead(w *Writer) pipeline.DeadLetters { return again{w, r} }

type again struct {
	*Writer
	replay *Replay
}

// Write implements [pipeline.DeadLetters].
func (a again) Write(ctx context.Context, l pipeline.Letter) error {
	var old Letter
	if err := json.Unmarshal([]byte(l.Version), &old); err != nil {
		return fmt.Errorf("BUG: a letter that is not of a replay: %w", err)
	}
	old.refused(l.Reason, l.Refusal)
	old.Replay++
	a.replay.mu.Lock()
	if a.replay.written == nil {
		a.replay.written = map[ID]bool{}
	}
	a.replay.written[old.ID()] = true
	a.replay.mu.Unlock()
	return a.put(ctx, replays, &old)
}
