package s3

import (
	"context"

	"sluice/internal/objects"
	"sluice/pipeline"
)

// Lister is what a plan asks of a bucket.
type Lister = lister

// Span is a range of keys, after one and up to another.
type Span struct{ After, Until string }

// Split divides the keys of a bucket.
func Split(ctx context.Context, l Lister, prefix, after string, few, wanted int) (all []Span, requests int64, err error) {
	s := &splitter{lister: l, prefix: prefix, after: after, wanted: wanted}
	spans, err := s.split(ctx, few)
	for _, s := range spans {
		again, perr := parseSpan(s.String())
		if perr != nil {
			return nil, 0, perr
		}
		all = append(all, Span{again.after, again.until})
	}
	return all, min(s.asked.Load(), most), err
}

// Page and Prefixes are of a splitter's questions.
var _ lister = (*objects.Client)(nil)

// Token and Untoken are of keys in positions.
var Token, Untoken = token, untoken

// ErrSum is why bytes are not believed.
var ErrSum = errSum

// Fresh finds what is new in a listing of the keys after begin up to until.
func Fresh(ctx context.Context, store pipeline.Store, begin, until string, list func(func(objects.Object) error) error,
	take func(context.Context, objects.Object, []pipeline.Row) error, move func(context.Context, string, []pipeline.Row) error) error {
	f := &fresh{
		store: store, keys: span{begin, until}, from: behind(begin),
		version: func(o objects.Object) string { return o.ETag },
		wanted:  func(objects.Object) bool { return true },
		move:    func(ctx context.Context, at string, with passed) error { return move(ctx, at, with.notes) },
	}
	f.take = func(ctx context.Context, o objects.Object, with passed) error {
		return take(ctx, o, append(with.notes, known(o.Key, o.ETag)))
	}
	if err := list(func(o objects.Object) error { return f.object(ctx, o) }); err != nil {
		return err
	}
	return f.end(ctx)
}

// ItemOf is the item of an object. Its client is to be closed.
func ItemOf(ctx context.Context, cfg Config, o objects.Object) (*pipeline.Item, *objects.Client) {
	client, err := cfg.Client(ctx, 1)
	if err != nil {
		panic(err)
	}
	return (&reader{Source: &Source{config: cfg}, client: client, pass: &pipeline.Pass{}}).item(o, newAhead(0)), client
}
