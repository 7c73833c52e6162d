package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"sluice/internal/objects"
	"sluice/internal/roll"
	"sluice/pipeline"
)

// uploadBucket holds the uploads that were begun and not ended: id to key.
const uploadBucket = "sink.uploads"

// target makes objects. It implements [roll.Target].
type target struct {
	client      *objects.Client
	store       pipeline.Store
	overwrite   string
	contentType string
	parts       *parts
}

// Create implements [roll.Target].
func (t *target) Create(ctx context.Context, key string, owner roll.Owner, meta *pipeline.Meta) (roll.Object, error) {
	o := &object{target: t, owner: hashed(owner), new: objects.New{Key: key, ContentType: t.contentType}}
	o.new.Meta = metadata(o.owner)
	if meta != nil {
		o.new.ContentType = cmp.Or(t.contentType, meta.ContentType)
	}
	if t.overwrite != roll.Always {
		absent, err := o.may(ctx)
		if err != nil {
			return nil, err
		}
		o.new.Absent = absent
	}
	o.ctx, o.cancel = context.WithCancel(ctx)
	return o, nil
}

// may says that the object may be written, and whether there is none yet.
func (o *object) may(ctx context.Context) (absent bool, err error) {
	there, err := o.client.Head(ctx, o.new.Key)
	if errors.Is(err, objects.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, roll.Allow(o.overwrite, o.client.Name(o.new.Key), o.owner, ownerOf(there.Meta))
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
		if theirs := ownerOf(there.Meta); theirs == nil || !owner.Stale(*theirs) {
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
	may, err := roll.Removable(t.overwrite, t.client.Name(key), hashed(owner), ownerOf(there.Meta))
	if err != nil || !may {
		return !may, err
	}
	return false, t.client.Delete(ctx, key)
}

// abortLeft aborts the uploads that a run which was killed left behind.
func (t *target) abortLeft(ctx context.Context) error {
	left := map[string]string{}
	err := t.store.Range(uploadBucket, "", func(id string, key []byte) error {
		left[id] = string(key)
		return nil
	})
	if err != nil {
		return fmt.Errorf("state: uploads: %w", err)
	}
	for id, key := range left {
		if err := t.client.Abort(ctx, key, id); err != nil {
			return err
		}
		if err := t.forget(id); err != nil {
			return err
		}
	}
	return nil
}

// remember puts an upload into the Store.
func (t *target) remember(id, key string) error {
	return t.note(pipeline.Row{Bucket: uploadBucket, Key: id, Value: []byte(key)})
}

// forget removes an upload that has ended.
func (t *target) forget(id string) error {
	return t.note(pipeline.Row{Bucket: uploadBucket, Key: id})
}

func (t *target) note(row pipeline.Row) error {
	if err := t.store.Put(row); err != nil {
		return fmt.Errorf("state: upload: %w", err)
	}
	return nil
}
