package s3

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sync/errgroup"

	"sluice/internal/keys"
	"sluice/internal/objects"
	"sluice/pipeline"
)

// hintBucket holds the keys that the pass looks at because a notification named
// them: by key, another spelling of it, or nothing. They are put there when the
// pass is planned, so that an interrupted one goes on with the same.
const hintBucket = "source.hints"

// heads is how many objects a lane asks for at a time.
const heads = 16

// hints sends what is new among the hints of a lane. The token of a position is
// the key of the last hint.
func (l *listing) hints(ctx context.Context, out chan<- *pipeline.Item) error {
	from, err := untoken(l.from.Token)
	if err != nil {
		return err
	}
	for {
		some, err := someRows(l.pass.Store, hintBucket, behind(from), 4*heads, l.mine)
		if err != nil || len(some) == 0 {
			return err
		}
		found, err := l.look(ctx, some)
		if err != nil {
			return err
		}
		for i, o := range found {
			if err := l.hinted(ctx, out, some[i].Key, o); err != nil {
				return err
			}
		}
		from = some[len(some)-1].Key
	}
}

// mine says whether a hint is the lane's.
func (l *listing) mine(key string) bool { return keys.Part(key, l.lane.Parts) == l.lane.Part }

// look asks what is under each key, or its other spelling; nil: nothing.
func (l *listing) look(ctx context.Context, some []pipeline.Row) ([]*objects.Object, error) {
	found := make([]*objects.Object, len(some))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(heads)
	for i, hint := range some {
		g.Go(func() error {
			for _, key := range []string{hint.Key, string(hint.Value)} {
				if key == "" {
					continue
				}
				info, err := l.client.Head(gctx, key)
				if err == nil {
					found[i] = &info.Object
					return nil
				}
				if !errors.Is(err, objects.ErrNotFound) {
					return err
				}
			}
			return nil
		})
	}
	return found, g.Wait()
}

// hinted sends an object if it is there and new.
func (l *listing) hinted(ctx context.Context, out chan<- *pipeline.Item, at string, o *objects.Object) error {
	if o == nil || !l.config.After.leaves(o.Key) || !strings.HasPrefix(o.Key, l.config.Prefix) || !l.wants(*o) {
		return l.move(ctx, out, token(at), passed{})
	}
	old, err := l.pass.Store.Get(knownBucket, o.Key)
	if err != nil {
		return err
	}
	if strings.TrimPrefix(string(old), missed) == l.version(*o) {
		return l.move(ctx, out, token(at), passed{skipped: 1})
	}
	return l.give(ctx, out, *o, token(at), passed{})
}
