package s3

import (
	"context"

	"sluice/internal/objects"
	"sluice/pipeline"
)

// Fresh finds what is new in a listing of the keys after begin up to until.
func Fresh(ctx context.Context, store pipeline.Store, begin, until string, list func(func(objects.Object) error) error,
	take func(context.Context, objects.Object, []pipeline.Row) error, move func(context.Context, string, []pipeline.Row) error) error {
	f := &fresh{store: store, until: until, wanted: func(objects.Object) bool { return true }}
	if begin != "" {
		f.from = after(begin)
	}
	f.take = func(ctx context.Context, o objects.Object, with passed) error { return take(ctx, o, with.notes) }
	f.move = func(ctx context.Context, at string, with passed) error { return move(ctx, at, with.notes) }
	if err := list(func(o objects.Object) error { return f.object(ctx, o) }); err != nil {
		return err
	}
	return f.end(ctx)
}
