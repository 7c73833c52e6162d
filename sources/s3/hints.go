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

// hint is a key that a notification named.
type hint struct{ key, or string }

// hinted gives the new objects among those that notifications named.
type hinted struct {
	client *objects.Client
	store  pipeline.Store
	wanted func(objects.Object) bool
	take   func(ctx context.Context, o objects.Object, at string, with passed) error
	move   func(ctx context.Context, at string, with passed) error
}

// read reads the hints of a lane after a key. The token of a position is the
// key of the last hint.
func (h *hinted) read(ctx context.Context, lane pipeline.Lane, from string) error {
	for {
		some, err := h.some(lane, from)
		if err != nil || len(some) == 0 {
			return err
		}
		found, err := h.look(ctx, some)
		if err != nil {
			return err
		}
		for i, o := range found {
			if err := h.give(ctx, some[i].key, o); err != nil {
				return err
			}
		}
		from = some[len(some)-1].key
	}
}

// some reads the next hints of a lane.
func (h *hinted) some(lane pipeline.Lane, from string) (some []hint, err error) {
	enough := errors.New("enough")
	err = h.store.Range(hintBucket, behind(from), func(key string, or []byte) error {
		if keys.Part(key, lane.Parts) != lane.Part {
			return nil
		}
		some = append(some, hint{key, string(or)})
		if len(some) == 4*heads {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return some, err
}

// look asks what is under each key; nil: nothing.
func (h *hinted) look(ctx context.Context, some []hint) ([]*objects.Object, error) {
	found := make([]*objects.Object, len(some))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(heads)
	for i, hint := range some {
		g.Go(func() error {
			for _, key := range []string{hint.key, hint.or} {
				if key == "" {
					continue
				}
				info, err := h.client.Head(gctx, key)
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

// give takes an object if it is there and new.
func (h *hinted) give(ctx context.Context, at string, o *objects.Object) error {
	if o == nil || !h.wanted(*o) {
		return h.move(ctx, at, passed{})
	}
	old, err := h.store.Get(knownBucket, o.Key)
	if err != nil {
		return err
	}
	if is := version(*o); strings.TrimPrefix(string(old), missed) == is {
		return h.move(ctx, at, passed{skipped: 1})
	}
	return h.take(ctx, *o, at, passed{notes: []pipeline.Row{known(*o)}})
}
