package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sluice/internal/objects"
	"sluice/pipeline"
)

// Read implements [pipeline.Reader]. The token of a position is the last key
// before it.
func (r *reader) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	keys, err := r.rest(lane, from)
	if err != nil {
		return err
	}
	if from.Inner != "" {
		if err := r.first(ctx, from.Key, out); err != nil {
			return err
		}
	}
	if r.news {
		return r.readNew(ctx, keys, out)
	}
	return r.list(ctx, keys, func(o objects.Object) error { return pipeline.Send(ctx, out, r.item(o)) })
}

// list calls f for the objects of a range of keys.
func (r *reader) list(ctx context.Context, keys span, f func(objects.Object) error) error {
	return r.client.ListUntil(ctx, r.config.Prefix, keys.after, keys.until, func(o objects.Object) error {
		if !r.config.After.leaves(o.Key) {
			return nil
		}
		return f(o)
	})
}

// rest is the keys of a lane behind a position, or behind the object in which
// that is: keys that appeared before it wait for the next pass.
func (r *reader) rest(lane pipeline.Lane, from pipeline.Position) (span, error) {
	keys, err := parseSpan(lane.Spec)
	if err != nil {
		return keys, err
	}
	after, err := untoken(from.Token)
	if from.Inner != "" {
		after = from.Key
	}
	keys.after = max(keys.after, after)
	return keys, err
}

// first sends the object in which the lane goes on, as it is now. If there is
// none any more, the frame sees that another item comes, or nothing.
func (r *reader) first(ctx context.Context, key string, out chan<- *pipeline.Item) error {
	info, err := r.client.Head(ctx, key)
	if errors.Is(err, objects.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	it := r.item(info.Object)
	if r.news {
		it.Notes = append(it.Notes, known(info.Object))
	}
	return pipeline.Send(ctx, out, it)
}

// item makes an item of an object. What only looks like a directory in the
// consoles of stores holds nothing: it is counted as skipped.
func (r *reader) item(o objects.Object) *pipeline.Item {
	it := &pipeline.Item{Key: o.Key, Version: version(o), Pos: pipeline.Position{Token: token(o.Key)}, Size: o.Size, Records: -1}
	if o.Size == 0 && strings.HasSuffix(o.Key, "/") {
		it.Records, it.Counts.Skipped = 0, 1
		return it
	}
	it.Meta, it.Notes = &pipeline.Meta{Modified: o.Modified}, r.config.After.notes(o)
	it.Body = body{r.client, o}
	return it
}

// version names the bytes of an object. Few stores give no ETag.
func version(o objects.Object) string {
	if o.ETag != "" {
		return o.ETag
	}
	return fmt.Sprintf("%d-%d", o.Size, o.Modified.Unix())
}
