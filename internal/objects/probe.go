package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"sluice/pipeline"
)

// known is what was found out about a bucket.
type known struct{ versions, conditional fact }

// fact is something that is asked once.
type fact struct {
	mu    sync.Mutex
	asked bool
	value bool
}

// get gives the fact, which f finds out if nobody has. Who asks meanwhile waits.
func (k *fact) get(f func() (bool, error)) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked {
		return k.value, nil
	}
	value, err := f()
	if err == nil {
		k.asked, k.value = true, value
	}
	return value, err
}

// Conditional says whether the store honours If-None-Match, so that New.Absent
// means something. If its profile does not know, that is tried: an object is put
// and uploaded in parts under key, which nobody else uses, where there is one,
// and removed again. It asks once.
func (c *Client) Conditional(ctx context.Context, key string) (bool, error) {
	if known := c.profile.conditional; known != try {
		return known == yes, nil
	}
	return c.known.conditional.get(func() (honoured bool, err error) {
		if honoured, err = c.probe(ctx, key); err != nil {
			err = fmt.Errorf("probe: %w", err)
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return honoured, errors.Join(err, c.unprobe(end, key))
	})
}

// unprobe removes what a probe made, with all its versions, and what one that
// was killed had begun. Who may not delete is told what was left.
func (c *Client) unprobe(ctx context.Context, key string) error {
	err := c.Uploads(ctx, key, func(key, id string, _ time.Time) error { return c.Abort(ctx, key, id) })
	if err != nil {
		pipeline.Logger(ctx).Debug("uploads of a probe cannot be looked for", "object", c.Name(key), "error", err)
	}
	there, err := c.Head(ctx, key)
	if err == nil && there.VersionID != "" {
		err = c.Versions(ctx, key, "", func(v Version) error { return c.DeleteVersion(ctx, v.Key, v.VersionID) })
	} else if err == nil {
		err = c.Delete(ctx, key)
	}
	if e := new(Error); errors.As(err, &e) && e.Status == http.StatusForbidden {
		pipeline.Logger(ctx).Warn("the object of a probe cannot be removed", "object", c.Name(key), "error", err)
		return nil
	}
	return ignoring(err, ErrNotFound)
}

const (
	probeText = "Sluice looks whether this store honours If-None-Match. This object can be deleted.\n"
	probeLie  = "This store does not honour If-None-Match, though it said so.\n"
)

// probe tries whether an object is made that must not be there and is. A store
// that refuses everything does not honour the condition, nor does one that
// refuses, and does it all the same.
func (c *Client) probe(ctx context.Context, key string) (bool, error) {
	n := New{Key: key, ContentType: "text/plain", Absent: true}
	if refused, err := refusal(c.Put(ctx, n, []byte(probeText))); err != nil {
		return false, err
	} else if refused { // perhaps an earlier try made it, and its reply was lost
		if _, err := c.Head(ctx, key); err != nil {
			return false, ignoring(err, ErrNotFound)
		}
	}
	if refused, err := refusal(c.Put(ctx, n, []byte(probeLie))); err != nil || !refused {
		return false, err
	}
	if refused, err := c.probeUpload(ctx, n); err != nil || !refused {
		return false, err
	}
	there, err := c.Head(ctx, key)
	return there.Size == int64(len(probeText)), err
}

// probeUpload tries the same with an upload in parts.
func (c *Client) probeUpload(ctx context.Context, n New) (refused bool, err error) {
	upload, err := c.Begin(ctx, n)
	if err != nil {
		return false, err
	}
	etag, err := c.Part(ctx, n.Key, upload, 1, []byte(probeLie))
	if err == nil {
		refused, err = refusal(c.Complete(ctx, n, upload, []string{etag}))
	}
	if err == nil && !refused {
		return false, nil
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return refused, errors.Join(err, c.Abort(end, n.Key, upload))
}

// refusal says whether err is that a condition does not hold. That a store does
// not know conditions is no error either.
func refusal(err error) (bool, error) {
	e := new(Error)
	if errors.As(err, &e) && slices.Contains([]int{http.StatusNotModified, http.StatusBadRequest, http.StatusNotImplemented}, e.Status) {
		return false, nil
	}
	return errors.Is(err, ErrPrecondition), ignoring(err, ErrPrecondition)
}

// ignoring gives err, unless it is one that does not matter.
func ignoring(err, not error) error {
	if errors.Is(err, not) {
		return nil
	}
	return err
}

// Stored is what an item's Body implements whose bytes are an object as it is.
type Stored interface {
	// Stored gives the object, and a client for its bucket.
	Stored() (*Client, Object)
}
