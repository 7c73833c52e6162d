package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
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
// twice under key, which nobody else uses, and removed again. It stays if the
// credentials do not allow that. It asks once.
func (c *Client) Conditional(ctx context.Context, key string) (bool, error) {
	switch c.profile.conditionalWrites {
	case yes:
		return true, nil
	case no:
		return false, nil
	}
	return c.known.conditional.get(func() (bool, error) { return c.probe(ctx, key) })
}

// probe tries whether an object is put that must not be there and is.
func (c *Client) probe(ctx context.Context, key string) (honoured bool, err error) {
	n := New{Key: key, ContentType: "text/plain"}
	text := []byte("Sluice looks whether this store honours If-None-Match. This object can be deleted.\n")
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		denied := new(Error)
		if derr := c.Delete(ctx, key); derr != nil && !(errors.As(derr, &denied) && denied.Status == http.StatusForbidden) {
			err = errors.Join(err, derr)
		}
	}()
	if err := c.Put(ctx, n, text); err != nil { // without the condition: an answer to it that was lost would look like a refusal
		return false, fmt.Errorf("probe: %w", err)
	}
	n.Absent = true
	err = c.Put(ctx, n, text)
	e := new(Error)
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, ErrPrecondition):
		return true, nil
	case errors.As(err, &e) && (e.Status == 501 || e.Status == 400 || e.Status == 304): // it says that it cannot, or says it in another way
		return false, nil
	}
	return false, fmt.Errorf("probe: %w", err)
}

// Stored is what an item's Body implements whose bytes are an object as it is.
type Stored interface {
	// Stored gives the object, and a client for its bucket.
	Stored() (*Client, Object)
}
