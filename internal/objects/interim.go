package objects

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

var errUntil = errors.New("past the end")

// ListUntil is List of the keys up to the key until; "" is no end.
func (c *Client) ListUntil(ctx context.Context, prefix, after, until string, f func(Object) error) error {
	err := c.List(ctx, prefix, after, func(o Object) error {
		if until != "" && o.Key > until {
			return errUntil
		}
		return f(o)
	})
	if err == errUntil {
		return nil
	}
	return err
}

// Page gives the objects of one page of at most max keys after a key.
func (c *Client) Page(ctx context.Context, prefix, after string, max int) (objects []Object, more bool, err error) {
	page, err := c.page(ctx, &s3.ListObjectsV2Input{Bucket: &c.bucket, Prefix: given(prefix), StartAfter: given(after),
		EncodingType: types.EncodingTypeUrl, MaxKeys: aws.Int32(int32(min(1000, max)))})
	if err != nil {
		return nil, false, err
	}
	for _, o := range page.Contents {
		object, err := entry(page, o)
		if err != nil {
			return nil, false, err
		}
		objects = append(objects, object)
	}
	return objects, aws.ToBool(page.IsTruncated), nil
}

// Prefixes gives what keys begin with up to the next delimiter behind prefix.
func (c *Client) Prefixes(ctx context.Context, prefix, delimiter, after string) (prefixes []string, more bool, err error) {
	page, err := c.page(ctx, &s3.ListObjectsV2Input{Bucket: &c.bucket, Prefix: given(prefix), StartAfter: given(after),
		EncodingType: types.EncodingTypeUrl, Delimiter: given(delimiter)})
	if err != nil {
		return nil, false, err
	}
	for _, p := range page.CommonPrefixes {
		o, err := entry(page, types.Object{Key: p.Prefix, Size: aws.Int64(0)})
		if err != nil {
			return nil, false, err
		}
		if o.Key > after {
			prefixes = append(prefixes, o.Key)
		}
	}
	return prefixes, aws.ToBool(page.IsTruncated), nil
}
