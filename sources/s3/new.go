package s3

import (
	"context"
	"fmt"

	"sluice/internal/objects"
	"sluice/pipeline"
)

// News implements [kind.News]: an object is new when its key is, or its
// version, whatever its name and its time.
func (*Config) News() {}

// newID is the ID of a lane whose passes begin anew each time: what was taken
// is in the rows of knownBucket, and not in a position.
func newID(id string, pass int64) string { return fmt.Sprintf("%s, pass %d", id, pass) }

// readNew sends what is new in a range of keys.
func (r *reader) readNew(ctx context.Context, keys span, out chan<- *pipeline.Item) error {
	f := r.fresh(keys, out)
	take := f.object
	if r.config.Start == "now" && r.pass.Number == 1 {
		take = f.pass
	}
	if err := r.list(ctx, keys, func(o objects.Object) error { return take(ctx, o) }); err != nil {
		return err
	}
	return f.end(ctx)
}

// fresh gives what is new to out.
func (r *reader) fresh(keys span, out chan<- *pipeline.Item) *fresh {
	return &fresh{
		store: r.pass.Store, keys: keys, from: behind(keys.after), wanted: func(objects.Object) bool { return true },
		take: func(ctx context.Context, o objects.Object, with passed) error {
			it := r.item(o)
			with.to(it)
			return pipeline.Send(ctx, out, it)
		},
		move: func(ctx context.Context, at string, with passed) error {
			it := &pipeline.Item{Key: at, Pos: pipeline.Position{Token: token(at)}}
			with.to(it)
			return pipeline.Send(ctx, out, it)
		},
	}
}

// to lets an item carry what it passes.
func (p passed) to(it *pipeline.Item) {
	it.Notes = append(p.notes, it.Notes...)
	it.Counts.Skipped += p.skipped
}
