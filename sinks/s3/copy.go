package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"sluice/internal/objects"
	"sluice/internal/roll"
	"sluice/pipeline"
)

// original is an object whose bytes an item has as they are. It may be another
// one, of the same key, once the item was read: what was replaced since it was
// listed is taken as it is now.
type original struct{ body objects.Stored }

// informed is a body that knows, once it was read, what the store has said of
// the object with its bytes.
type informed interface{ Info() objects.Info }

// originalOf finds the object whose bytes an item has; nil: there is none.
func originalOf(it *pipeline.Item) *original {
	if s, ok := it.Body.(objects.Stored); ok {
		return &original{s}
	}
	return nil
}

// copied is an object that the store may make of another one of its own.
type copied struct {
	*object
	from   *objects.Client
	source objects.Object
}

// Copy implements [roll.Copier]. No store can be told to copy only if there is
// nothing under the key, so it looks there first.
func (c *copied) Copy(ctx context.Context) (n int64, ok bool, err error) {
	if c.refused.Load() {
		return 0, false, nil
	}
	if err := c.ask(ctx); err != nil {
		return 0, false, err
	}
	made := c.new
	if c.Preserve {
		info, err := head(ctx, c.from, c.source)
		if err != nil {
			return 0, false, nil // who reads it says what is wrong
		}
		if err := c.adopt(&made, info); err != nil {
			return 0, false, err
		}
	} else if made.Tags == nil {
		made.Tags = map[string]string{} // not those of the original
	}
	if err := c.copy(ctx, made); err != nil {
		return 0, false, c.refusal(ctx, err)
	}
	if err := c.placed(ctx); err != nil {
		return 0, false, err
	}
	c.copies.Store(true)
	c.size = c.source.Size
	return c.size, true, c.end(ctx)
}

// copy has the store make the object. An upload that it takes is known before
// anything is in it.
func (c *copied) copy(ctx context.Context, n objects.New) error {
	n.Absent, n.Match = false, ""
	n.Journal = &c.uploads
	n.Made = func(etag string) { c.etag, c.uploads.done = etag, c.uploads.last() }
	return c.client.Copy(ctx, n, objects.From{Bucket: c.from.Bucket(), Object: c.source})
}

// refusal is nil if the store has said that it does not copy this: then the
// bytes go through Sluice. A store that has never copied is not asked again.
func (c *copied) refusal(ctx context.Context, err error) error {
	if errors.Is(err, objects.ErrPrecondition) || errors.Is(err, objects.ErrNotFound) {
		return nil // the original has changed, which says nothing of the store
	}
	var e *objects.Error
	if !errors.As(err, &e) || e.Status >= 500 && e.Status != http.StatusNotImplemented {
		return err
	}
	if !c.copies.Load() && c.refused.CompareAndSwap(false, true) {
		pipeline.Logger(ctx).Info("the store does not copy objects of the source, they are read and written", "reason", err)
	}
	return nil
}

// head asks what an object is beside its bytes. It must still be the one that is
// known.
func head(ctx context.Context, c *objects.Client, o objects.Object) (objects.Info, error) {
	info, err := c.HeadVersion(ctx, o.Key, o.VersionID)
	switch {
	case errors.Is(err, objects.ErrNotFound):
		return info, fmt.Errorf("%s: vanished since it was listed: %w", c.Name(o.Key), pipeline.ErrGone)
	case err != nil:
		return info, err
	case o.ETag != "" && info.ETag != o.ETag:
		return info, fmt.Errorf("%s: replaced since it was listed: %w", c.Name(o.Key), pipeline.ErrGone)
	}
	return info, nil
}

// inherit gives the object what its original has beside its bytes, once.
func (o *object) inherit(ctx context.Context) error {
	from := o.of
	if from == nil {
		return nil
	}
	info, tags, err := from.about(ctx, o.new.Tags == nil)
	if err != nil {
		return err
	}
	if o.new.Tags == nil {
		o.new.Tags = tags
	}
	if err := o.adopt(&o.new, info); err != nil {
		return err
	}
	o.of = nil
	return nil
}

// about gives what the original has beside its bytes, and its tags if they are
// wanted. Who has read the bytes was told most of it with them.
func (f *original) about(ctx context.Context, wanted bool) (info objects.Info, tags map[string]string, err error) {
	c, o := f.body.Stored()
	if k, ok := f.body.(informed); ok {
		info = k.Info()
		wanted = wanted && (info.ETag == "" || info.Tagged > 0)
	}
	if info.ETag == "" {
		if info, err = head(ctx, c, o); err != nil {
			return info, nil, err
		}
	}
	if wanted {
		tags, err = tagsOf(ctx, c, o)
	}
	return info, tags, err
}

// tagsOf asks for the tags. A store that has none says that it does not know
// what is meant.
func tagsOf(ctx context.Context, c *objects.Client, o objects.Object) (map[string]string, error) {
	tags, err := c.Tags(ctx, o.Key, o.VersionID)
	var e *objects.Error
	switch {
	case err == nil:
		return tags, nil
	case errors.Is(err, objects.ErrNotFound):
		return nil, fmt.Errorf("%w: %w", err, pipeline.ErrGone)
	case errors.As(err, &e) && (e.Status == http.StatusNotImplemented || e.Status == http.StatusMethodNotAllowed):
		return nil, nil
	case errors.As(err, &e) && e.Status == http.StatusForbidden:
		return nil, fmt.Errorf("%w; or say with tags which ones objects are to have, or preserve: false", err)
	}
	return nil, err
}

// mostMeta is how many bytes of user metadata an object has at most.
const mostMeta = 2048

// adopt puts what an original has beside its bytes into n, where options do not
// say otherwise. With its user metadata, that of the owner may have to be short.
func (o *object) adopt(n *objects.New, from objects.Info) error {
	n.ContentType = cmp.Or(n.ContentType, from.ContentType)
	n.CacheControl = cmp.Or(n.CacheControl, from.CacheControl)
	n.ContentEncoding = cmp.Or(n.ContentEncoding, from.ContentEncoding)
	n.ContentDisposition = cmp.Or(n.ContentDisposition, from.ContentDisposition)
	n.ContentLanguage = cmp.Or(n.ContentLanguage, from.ContentLanguage)
	theirs := maps.Clone(from.Meta)
	maps.DeleteFunc(theirs, func(name, _ string) bool { return strings.HasPrefix(name, metaPrefix) })
	for _, owner := range []roll.Owner{o.owner, tight(o.owner)} {
		meta := metadata(owner)
		maps.Copy(meta, theirs)
		if size(meta) <= mostMeta {
			n.Meta, o.owner = meta, owner
			return nil
		}
	}
	return fmt.Errorf("put %s: the user metadata of %s, %d bytes, and that of Sluice, %d, are more than the %d that an object can have: set preserve: false, or leave it out",
		o.client.Name(n.Key), from.Key, size(theirs), size(metadata(tight(o.owner))), mostMeta)
}

func size(meta map[string]string) (n int) {
	for name, value := range meta {
		n += len(name) + len(value)
	}
	return n
}
