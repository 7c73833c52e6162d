package s3

import (
	"context"
	"errors"

	"sluice/internal/objects"
	"sluice/internal/roll"
)

// condition finds out on which condition the object may be made. Where the store
// makes it only if there is none, that takes no question, unless it would be in
// vain: if there was one under the last key, there is likely to be one here.
func (o *object) condition(ctx context.Context) error {
	if o.asked || o.Overwrite == roll.Always {
		return nil
	}
	if o.conditional && !o.crowded.Load() {
		o.asked, o.new.Absent = true, true
		return nil
	}
	return o.ask(ctx)
}

// ask looks whether there is an object under the key, and whether it may be
// replaced: that one and no other, where the store can see to it.
func (o *object) ask(ctx context.Context) error {
	if o.asked || o.Overwrite == roll.Always {
		return nil
	}
	there, err := o.client.Head(ctx, o.new.Key)
	if errors.Is(err, objects.ErrNotFound) {
		o.crowded.Store(false)
		o.asked, o.new.Absent, o.new.Match = true, o.conditional, ""
		return nil
	}
	if err != nil {
		return err
	}
	return o.replace(there)
}

// replace makes it the condition that the object is still the one that is there.
func (o *object) replace(there objects.Info) error {
	mine, theirs := compared(o.owner, there.Meta)
	if err := roll.Allow(o.Overwrite, o.client.Name(o.new.Key), mine, theirs); err != nil {
		return err
	}
	o.crowded.Store(true)
	o.asked, o.new.Absent, o.new.Match = true, false, ""
	if o.conditional {
		o.new.Match = there.ETag
	}
	return nil
}

// tries is how often a commit is tried while what is under its key changes.
const tries = 5

// commit makes the object visible. What is under its key after an answer that
// says that the condition does not hold is ours already, because a reply was
// lost, or may be replaced, or is another's.
func (o *object) commit(ctx context.Context) error {
	if err := o.settle(ctx); err != nil {
		return err
	}
	if err := o.condition(ctx); err != nil {
		return err
	}
	var err error
	for range tries {
		if err = o.request(ctx); !o.unsure(err) {
			return err
		}
		ours, aerr := o.inspect(ctx)
		if ours || aerr != nil {
			return aerr
		}
		if errors.Is(err, objects.ErrNoUpload) {
			return err
		}
	}
	return err
}

// settle finds out, when the bytes were read, what the object is to be beside
// them. Version and metadata are of what was read: an item may have been
// replaced since it was listed.
func (o *object) settle(ctx context.Context) error {
	if o.item != nil {
		if v := value(o.item.Version); v != o.owner.Version {
			o.owner.Version = v
			o.new.Meta = metadata(o.owner)
		}
		o.item = nil
	}
	return o.inherit(ctx)
}

// unsure says of an error that it may follow a reply that was lost, or that what
// is there has changed.
func (o *object) unsure(err error) bool {
	return errors.Is(err, objects.ErrPrecondition) || errors.Is(err, objects.ErrNoUpload) || o.new.Match != "" && errors.Is(err, objects.ErrNotFound)
}

// inspect says whether what is there is this very object; else it finds out on
// which condition to go on.
func (o *object) inspect(ctx context.Context) (ours bool, err error) {
	there, err := o.client.Head(ctx, o.new.Key)
	if errors.Is(err, objects.ErrNotFound) { // it was there a moment ago
		o.new.Absent, o.new.Match = o.conditional && o.Overwrite != roll.Always, ""
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if mine, theirs := compared(o.owner, there.Meta); theirs != nil && *theirs == mine && there.Size == o.size {
		o.etag = there.ETag
		return true, nil // a run beside this one may have made it: then this upload is left, and not done
	}
	return false, o.replace(there)
}

func (o *object) request(ctx context.Context) error {
	o.new.Made = func(etag string) { o.etag, o.uploads.done = etag, o.upload }
	if o.upload == "" {
		return o.client.Put(ctx, o.new, o.part)
	}
	return o.client.Complete(ctx, o.new, o.upload, o.etags)
}
