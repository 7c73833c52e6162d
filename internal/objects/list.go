package objects

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Object is what a listing says of an object.
type Object struct {
	Key      string
	ETag     string    // without quotes: names the bytes; says nothing else
	Size     int64     // in bytes
	Modified time.Time // whole seconds: a reply to HEAD says no more
	Class    string    // of storage; "" is the usual one
}

// List calls f for the objects whose keys begin with prefix and come after a
// key, in order of keys (bytes), until f fails. It holds one page of 1,000
// objects at a time. A listing that is out of order is an error: who goes on
// after a key would miss what comes late.
func (c *Client) List(ctx context.Context, prefix, after string, f func(Object) error) error {
	in := &s3.ListObjectsV2Input{
		Bucket: &c.bucket, Prefix: given(prefix), StartAfter: given(after),
		EncodingType: types.EncodingTypeUrl, // else a control byte in one key makes the page unreadable
	}
	for {
		page, err := c.page(ctx, in)
		if err != nil {
			return fmt.Errorf("list %s: %w", c.Name(prefix), err)
		}
		for _, o := range page.Contents {
			object, err := entry(page, o)
			if err == nil && object.Key <= after {
				err = fmt.Errorf("the store lists %q after %q: its keys are not in order", object.Key, after)
			}
			if err != nil {
				return fmt.Errorf("list %s: %w", c.Name(prefix), err)
			}
			after = object.Key
			if err := f(object); err != nil {
				return err
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		if in.ContinuationToken = page.NextContinuationToken; aws.ToString(in.ContinuationToken) == "" {
			return fmt.Errorf("list %s: the store says that there is more after %q, but not how to ask for it", c.Name(prefix), after)
		}
		in.StartAfter = nil
	}
}

func (c *Client) page(ctx context.Context, in *s3.ListObjectsV2Input) (page *s3.ListObjectsV2Output, err error) {
	err = c.do(ctx, func() (err error) {
		page, err = c.api.ListObjectsV2(ctx, in)
		return err
	})
	return page, err
}

// Count counts the objects on the first page of a listing, and says whether
// there are more.
func (c *Client) Count(ctx context.Context, prefix string) (n int, more bool, err error) {
	page, err := c.page(ctx, &s3.ListObjectsV2Input{Bucket: &c.bucket, Prefix: given(prefix), EncodingType: types.EncodingTypeUrl})
	if err != nil {
		return 0, false, fmt.Errorf("list %s: %w", c.Name(prefix), err)
	}
	return len(page.Contents), aws.ToBool(page.IsTruncated), nil
}

// entry reads one entry of a page. A store that does not know the encoding
// does not say that it has used it.
func entry(page *s3.ListObjectsV2Output, o types.Object) (Object, error) {
	key := aws.ToString(o.Key)
	if page.EncodingType == types.EncodingTypeUrl {
		decoded, err := url.QueryUnescape(key)
		if err != nil {
			return Object{}, fmt.Errorf("key %q: %w", key, err)
		}
		key = decoded
	}
	if key == "" || o.Size == nil {
		return Object{}, fmt.Errorf("entry %q has no key or no size", key)
	}
	return Object{
		Key: key, ETag: unquote(o.ETag), Size: *o.Size, Modified: aws.ToTime(o.LastModified).Truncate(time.Second), Class: class(string(o.StorageClass)),
	}, nil
}

// Reach asks the bucket for a sign of life, and says what is wrong if there is
// none.
func (c *Client) Reach(ctx context.Context) error {
	err := c.do(ctx, func() error {
		_, err := c.api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &c.bucket})
		return err
	})
	var answer *Error
	if errors.As(err, &answer) { // a reply to HEAD has no reason in it: ask for one
		_, err = c.page(ctx, &s3.ListObjectsV2Input{Bucket: &c.bucket, MaxKeys: aws.Int32(1)})
	}
	if err != nil {
		return fmt.Errorf("bucket %s: %w", c.bucket, err)
	}
	return nil
}

// given is nil for an option that is not given.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func unquote(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }

func class(c string) string {
	if c == string(types.ObjectStorageClassStandard) {
		return ""
	}
	return c
}
