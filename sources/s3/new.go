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

// new sends what is new of the objects that list gives: those of the lane that
// come after a key.
func (l *listing) new(ctx context.Context, out chan<- *pipeline.Item, after string, list func(f func(objects.Object) error) error) error {
	f := &fresh{
		store: l.pass.Store, keys: l.keys, from: behind(after), version: l.version, wanted: l.wants,
		take: func(ctx context.Context, o objects.Object, with passed) error {
			return l.give(ctx, out, o, token(o.Key), with)
		},
		move: func(ctx context.Context, at string, with passed) error { return l.move(ctx, out, token(at), with) },
	}
	take := f.object
	if l.config.Start == "now" && l.pass.Number == 1 {
		take = f.pass
	}
	if err := list(func(o objects.Object) error { return take(ctx, o) }); err != nil {
		return err
	}
	return f.end(ctx)
}
