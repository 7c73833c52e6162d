package objects

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/pipeline"
)

// From is an object of any bucket of the same store.
type From struct {
	Bucket string
	Object
}

const (
	mostCopied = 5 << 30   // bytes that one request copies
	copiedPart = 512 << 20 // bytes of a part of what is larger; more if there would be too many
	copiers    = 4         // parts of one object that are copied at the same time
)

// Copy makes an object of the bytes of another one, which do not leave the
// store. It must still be the one that is given: [ErrPrecondition] if it is not,
// or with n.Absent if there is an object already, an earlier try's for example;
// [ErrNotFound] if it is gone. All that n does not say is what the store makes of
// it; but nil Tags are those of the other object.
func (c *Client) Copy(ctx context.Context, n New, from From) error {
	err := c.copy(ctx, n, from)
	if err != nil {
		return fmt.Errorf("copy %s/%s to %s: %w", from.Bucket, from.Key, c.Name(n.Key), err)
	}
	return nil
}

func (c *Client) copy(ctx context.Context, n New, from From) error {
	if from.Size > mostCopied {
		return c.copyParts(ctx, n, from)
	}
	h := n.headers()
	n.conditional(h)
	from.headers(h)
	h["X-Amz-Metadata-Directive"] = []string{"REPLACE"}
	if n.Tags != nil {
		h["X-Amz-Tagging-Directive"] = []string{"REPLACE"}
	}
	var reply struct {
		XMLName xml.Name `xml:"CopyObjectResult"`
		ETag    string
	}
	r := &request{op: "CopyObject", method: http.MethodPut, key: n.Key, header: h}
	if err := c.document(ctx, r, &reply); err != nil {
		return err
	}
	if err := c.unchanged(ctx, from); err != nil {
		return err
	}
	n.made(reply.ETag)
	return nil
}

// headers says in a request what is copied.
func (f *From) headers(h http.Header) {
	source := escape(f.Bucket + "/" + f.Key)
	if strings.HasPrefix(f.Bucket, "arn:") {
		source = escape(f.Bucket + "/object/" + f.Key)
	}
	if f.VersionID != "" {
		source += "?versionId=" + url.QueryEscape(f.VersionID)
	}
	h["X-Amz-Copy-Source"] = []string{source}
	if f.ETag != "" {
		h["X-Amz-Copy-Source-If-Match"] = []string{`"` + f.ETag + `"`}
	}
}

// unchanged looks after a copy whether its source is still the same, at stores
// that may have ignored that condition.
func (c *Client) unchanged(ctx context.Context, from From) error {
	if c.profile.conditional == yes || from.VersionID != "" {
		return nil
	}
	bucket, err := c.where.bucket(ctx, from.Bucket)
	if err != nil {
		return err
	}
	there, err := c.head(ctx, &bucket, from.Key, "")
	if err == nil && !same(from.Object, there.Object) {
		err = ErrPrecondition
	}
	return err
}

// copyParts copies an object that is too large for one request.
func (c *Client) copyParts(ctx context.Context, n New, from From) error {
	if n.Tags == nil {
		bucket, err := c.where.bucket(ctx, from.Bucket)
		if err != nil {
			return err
		}
		if n.Tags, err = c.tags(ctx, &bucket, from.Key, from.VersionID); err != nil {
			return err
		}
	}
	upload, err := c.Begin(ctx, n)
	if upload == "" {
		return err
	}
	var etags []string
	if err == nil {
		etags, err = c.parts(ctx, n.Key, upload, from)
	}
	if err == nil {
		err = c.unchanged(ctx, from)
	}
	if err == nil {
		return c.Complete(ctx, n, upload, etags)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, c.Abort(end, n.Key, upload))
}

// parts copies all parts of an object.
func (c *Client) parts(ctx context.Context, key, upload string, from From) ([]string, error) {
	most := int64(c.profile.maxParts)
	size := max(copiedPart, c.profile.minPart, (from.Size+most-1)/most)
	etags := make([]string, (from.Size+size-1)/size)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(copiers)
	for i := range etags {
		g.Go(func() (err error) {
			first := int64(i) * size
			last := min(first+size, from.Size) - 1
			etags[i], err = c.copyPart(ctx, key, part(upload, i+1), from, fmt.Sprintf("bytes=%d-%d", first, last))
			return err
		})
	}
	return etags, g.Wait()
}

func (c *Client) copyPart(ctx context.Context, key, query string, from From, bytes string) (string, error) {
	h := http.Header{"X-Amz-Copy-Source-Range": {bytes}}
	from.headers(h)
	var reply struct {
		XMLName              xml.Name `xml:"CopyPartResult"`
		ETag, ChecksumCRC32C string
	}
	if err := c.document(ctx, &request{op: "UploadPartCopy", method: http.MethodPut, key: key, query: query, header: h}, &reply); err != nil {
		return "", err
	}
	if reply.ETag == "" {
		return "", errors.New("the store gave no ETag")
	}
	pipeline.Moved(ctx)
	return strings.TrimSpace(reply.ETag + " " + reply.ChecksumCRC32C), nil
}

// SameStore says whether a copy on the server may be tried from the bucket of
// another client: the endpoint is the same, and so are the credentials.
func (c *Client) SameStore(other *Client) bool {
	return strings.TrimSuffix(c.config.Endpoint, "/") == strings.TrimSuffix(other.config.Endpoint, "/") &&
		c.place.scheme == other.place.scheme && reflect.DeepEqual(c.config.Config, other.config.Config)
}
