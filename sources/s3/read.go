package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"sluice/internal/objects"
	"sluice/pipeline"
)

// Read implements [pipeline.Reader]. It lists ahead of what it sends, so that
// small objects can be fetched before their turn.
func (r *reader) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	list, err := r.lister(lane, from)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	list.ahead = newAhead(int64(r.config.ReadAhead))
	defer context.AfterFunc(ctx, list.ahead.end)()
	for range fetchers {
		g.Go(func() error {
			list.ahead.fetch(ctx)
			return nil
		})
	}
	listed := make(chan *pipeline.Item, lookahead)
	g.Go(func() error {
		if err := list.all(ctx, listed); err != nil {
			return err
		}
		close(listed)
		return nil
	})
	g.Go(func() error {
		defer list.ahead.end()
		for {
			it, ok, err := pipeline.Receive(ctx, listed)
			if !ok {
				return err
			}
			if err := pipeline.Send(ctx, out, it); err != nil {
				return err
			}
		}
	})
	return g.Wait()
}

// listing lists what is left of a lane.
type listing struct {
	*reader
	ahead *ahead
	keys  span // behind the position
	spec  spec
	lane  pipeline.Lane
	from  pipeline.Position
	left  int // objects that nobody wants, since the last one that somebody did
}

func (r *reader) lister(lane pipeline.Lane, from pipeline.Position) (*listing, error) {
	spec, keys, err := parseSpec(lane.Spec)
	return &listing{reader: r, keys: keys, spec: spec, lane: lane, from: from}, err
}

// all sends all items.
func (l *listing) all(ctx context.Context, out chan<- *pipeline.Item) error {
	if l.spec.Keys == metadataLane {
		return l.metadata(ctx, out)
	}
	if l.config.Versions == allVersions {
		return l.versions(ctx, out)
	}
	if l.spec.Keys == hintLanes {
		return l.hints(ctx, out)
	}
	after, err := untoken(l.from.Token)
	if err != nil {
		return err
	}
	if l.from.Inner != "" { // that object comes first; keys that appeared before it wait for the next pass
		after = l.from.Key
		if err := l.first(ctx, out); err != nil {
			return err
		}
	}
	after = max(l.keys.after, after)
	list := func(f func(objects.Object) error) error { return l.each(ctx, after, f) }
	if l.news {
		return l.new(ctx, out, after, list)
	}
	return list(func(o objects.Object) error { return l.send(ctx, out, o, token(o.Key)) })
}

// each calls f for the objects of the lane that come after a key.
func (l *listing) each(ctx context.Context, after string, f func(objects.Object) error) error {
	return l.client.ListUntil(ctx, l.config.Prefix, after, l.keys.until, func(o objects.Object) error {
		if !l.config.After.leaves(o.Key) {
			return nil
		}
		return f(o)
	})
}

// first sends the object in which the lane goes on, as it is now. If there is
// none any more, the frame sees that another item comes, or nothing.
func (l *listing) first(ctx context.Context, out chan<- *pipeline.Item) error {
	info, err := l.client.Head(ctx, l.from.Key)
	if errors.Is(err, objects.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	it := l.item(info.Object, l.ahead)
	if b, ok := it.Body.(*body); ok {
		b.pinned = it.Version == l.from.Version
	}
	return pipeline.Send(ctx, out, it)
}

// send sends an object, if it is wanted. Where many are not, a position alone
// moves the lane on.
func (l *listing) send(ctx context.Context, out chan<- *pipeline.Item, o objects.Object, token string) error {
	if !l.wants(o) {
		if l.left++; l.left < full {
			return nil
		}
		return l.move(ctx, out, token, passed{})
	}
	return l.give(ctx, out, o, token, passed{})
}

// wants says whether an object is one of those that were asked for.
func (l *listing) wants(o objects.Object) bool {
	return l.wanted.takes(o, strings.TrimPrefix(o.Key, l.config.Prefix), l.spec.times)
}

// give sends an object, and what comes with it.
func (l *listing) give(ctx context.Context, out chan<- *pipeline.Item, o objects.Object, token string, with passed) error {
	l.left = 0
	it := l.item(o, l.ahead)
	it.Pos.Token = token
	with.to(it)
	if b, ok := it.Body.(*body); ok {
		b.pinned = l.from.Inner != "" && o.Key == l.from.Key && it.Version == l.from.Version // a hint's
		if !archives[o.Class] {
			l.ahead.add(b)
		}
	}
	return pipeline.Send(ctx, out, it)
}

// move sends a position alone.
func (l *listing) move(ctx context.Context, out chan<- *pipeline.Item, token string, with passed) error {
	l.left = 0
	it := &pipeline.Item{Pos: pipeline.Position{Token: token}}
	with.to(it)
	return pipeline.Send(ctx, out, it)
}

// item makes an item of an object. What only looks like a directory in the
// consoles of stores holds nothing: it is counted as skipped.
func (r *reader) item(o objects.Object, a *ahead) *pipeline.Item {
	it := &pipeline.Item{Key: o.Key, Version: r.version(o), Pos: pipeline.Position{Token: token(o.Key)}, Size: o.Size, Records: -1, Notes: r.notes(o)}
	if o.Size == 0 && strings.HasSuffix(o.Key, "/") {
		it.Records, it.Counts.Skipped = 0, 1
		return it
	}
	it.Meta = &pipeline.Meta{Modified: o.Modified}
	it.Body = &body{reader: r, ahead: a, item: it, content: r.client.Content(o), size: o.Size}
	return it
}

// notes are the rows that the save writes which covers an object.
func (r *reader) notes(o objects.Object) []pipeline.Row {
	notes := r.config.After.notes(o.Key, r.version(o))
	if r.news {
		notes = append(notes, known(o.Key, r.version(o)))
	}
	return notes
}

// version names the bytes of an object. Few stores give no ETag.
func (r *reader) version(o objects.Object) string {
	switch {
	case r.config.Versions == allVersions:
		return cmp.Or(o.VersionID, "null") // as stores call the one that has none
	case o.ETag != "":
		return o.ETag
	}
	return fmt.Sprintf("%d-%d", o.Size, o.Modified.Unix())
}
