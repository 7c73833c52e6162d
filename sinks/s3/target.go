package s3

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"

	"sluice/internal/objects"
	"sluice/internal/roll"
	"sluice/pipeline"
)

// target makes objects. It implements [roll.Target].
type target struct {
	*Config
	client      *objects.Client
	store       pipeline.Store
	parts       *parts
	conditional bool        // the store makes an object only if there is none, if it is told so
	crowded     atomic.Bool // there was an object under the last key that was looked at
	refused     atomic.Bool // the store does not copy objects of the source
	copies      atomic.Bool // it has copied one
}

// Create implements [roll.Target].
func (t *target) Create(ctx context.Context, d roll.Draft) (roll.Object, error) {
	o := &object{target: t, uploads: journal{t: t, key: d.Key}, owner: hashed(d.Owner), single: d.Owner.Source != "" && cap(t.parts.small) > 0, new: objects.New{Key: d.Key}}
	if err := t.describe(&o.new, d.Beside); err != nil {
		return nil, err
	}
	if d.First.Meta != nil {
		o.new.ContentType = cmp.Or(o.new.ContentType, d.First.Meta.ContentType)
	}
	o.new.Meta = metadata(o.owner)
	o.ctx, o.cancel = context.WithCancel(ctx)
	if !o.single {
		return o, nil
	}
	o.item = d.First
	from := originalOf(d.First)
	if from == nil {
		return o, nil
	}
	if t.Preserve {
		o.of = from
	}
	if c, source := from.body.Stored(); t.client.SameStore(c) {
		return &copied{o, c, source}, nil
	}
	return o, nil
}

// Sweep implements [roll.Target].
func (t *target) Sweep(ctx context.Context, prefix string, owner roll.Owner, stale func(key string) bool) error {
	owner = hashed(owner)
	return t.client.List(ctx, prefix, "", func(o objects.Object) error {
		if !stale(o.Key) {
			return nil
		}
		there, err := t.client.Head(ctx, o.Key)
		if errors.Is(err, objects.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if mine, theirs := compared(owner, there.Meta); theirs == nil || !mine.Stale(*theirs) {
			return nil
		}
		return t.client.Delete(ctx, o.Key)
	})
}

// Remove implements [roll.Target].
func (t *target) Remove(ctx context.Context, key string, owner roll.Owner) (stays bool, err error) {
	there, err := t.client.Head(ctx, key)
	if errors.Is(err, objects.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	mine, theirs := compared(hashed(owner), there.Meta)
	if may, err := roll.Removable(t.Overwrite, t.client.Name(key), mine, theirs); err != nil || !may {
		return !may, err
	}
	return false, t.client.DeleteIf(ctx, there.Object)
}
