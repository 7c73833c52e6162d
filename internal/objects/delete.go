package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Delete removes an object. One that is gone is no error. Where the bucket
// keeps versions, it stays as an old one.
func (c *Client) Delete(ctx context.Context, key string) error {
	return c.delete(ctx, &request{op: "DeleteObject", method: http.MethodDelete, key: key})
}

// DeleteVersion removes a version of an object for good. One that is gone is no
// error.
func (c *Client) DeleteVersion(ctx context.Context, key, versionID string) error {
	if versionID == "" {
		return fmt.Errorf("delete %s: no version is given", c.Name(key))
	}
	return c.delete(ctx, &request{op: "DeleteObjectVersion", method: http.MethodDelete, key: key, query: query("versionId", versionID)})
}

// DeleteIf removes an object if it is still the one that is given, by its ETag;
// one that is gone is no error, and [ErrPrecondition] is that it is another one
// now. Where a DELETE cannot be conditional, the object is looked at right
// before, and one that is put in the instant between them is lost.
func (c *Client) DeleteIf(ctx context.Context, o Object) error {
	r := &request{op: "DeleteObject", method: http.MethodDelete, key: o.Key}
	if c.profile.deleteIf && o.ETag != "" {
		r.header = http.Header{"If-Match": {`"` + o.ETag + `"`}}
		err := c.delete(ctx, r)
		if errors.Is(err, ErrPrecondition) { // an earlier try may have removed it, and its reply was lost
			if _, herr := c.Head(ctx, o.Key); errors.Is(herr, ErrNotFound) {
				return nil
			}
		}
		return err
	}
	there, err := c.Head(ctx, o.Key)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case !same(o, there.Object):
		return fmt.Errorf("delete %s: it is another object now: %w", c.Name(o.Key), ErrPrecondition)
	}
	return c.delete(ctx, r)
}

// same says whether what is under a key now is what was there. Few stores give
// no ETag.
func same(was, is Object) bool {
	if was.VersionID != "" && is.VersionID != "" && was.VersionID != is.VersionID {
		return false
	}
	return was.ETag == is.ETag && was.Size == is.Size && (was.ETag != "" || was.Modified.Equal(is.Modified))
}

func (c *Client) delete(ctx context.Context, r *request) error {
	err := c.document(ctx, r, nil)
	if e, ok := err.(*Error); ok && e.gone() {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", c.Name(r.key), err)
	}
	return nil
}

// gone says whether there is nothing to delete. A version that was listed can
// be called invalid for no other reason.
func (e *Error) gone() bool {
	return e.Code == "NoSuchKey" || e.Code == "NoSuchVersion" ||
		e.Code == "InvalidArgument" && strings.Contains(strings.ToLower(e.Message), "version id")
}
