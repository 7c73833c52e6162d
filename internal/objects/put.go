package objects

import (
	"bytes"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The limits of S3.
const (
	MinPart  = 5 << 20 // bytes of a part that is not the last
	MaxPart  = 5 << 30
	MaxParts = 10_000 // of one object
)

// New says what an object is to be, beside its bytes.
type New struct {
	Key         string
	ContentType string            // "": the store's default
	Meta        map[string]string // user metadata: lower-case names, ASCII values
	Absent      bool              // it is to be made only if there is none: else ErrPrecondition
}

// Info is what there is to know of an object without reading it.
type Info struct {
	Object
	Meta map[string]string
}

// Head asks what an object is. The error is [ErrNotFound] if there is none.
func (c *Client) Head(ctx context.Context, key string) (Info, error) {
	var out *s3.HeadObjectOutput
	err := c.do(ctx, func() (err error) {
		out, err = c.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: &key})
		return err
	})
	if err != nil {
		return Info{}, fmt.Errorf("head %s: %w", c.Name(key), err)
	}
	return Info{Meta: out.Metadata, Object: Object{
		Key: key, ETag: unquote(out.ETag), Size: aws.ToInt64(out.ContentLength),
		Modified: aws.ToTime(out.LastModified), Class: class(string(out.StorageClass)),
	}}, nil
}

// Put makes an object of body in one request. With n.Absent, [ErrPrecondition]
// may also mean that an earlier try succeeded and its reply was lost.
func (c *Client) Put(ctx context.Context, n New, body []byte) error {
	err := c.do(ctx, func() error {
		_, err := c.api.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &c.bucket, Key: &n.Key, ContentType: given(n.ContentType), Metadata: n.Meta,
			IfNoneMatch: n.ifNoneMatch(), Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("put %s: %w", c.Name(n.Key), err)
	}
	return nil
}

func (n *New) ifNoneMatch() *string {
	if n.Absent {
		return aws.String("*")
	}
	return nil
}

// Begin begins an upload in parts and returns its id. A reply that is lost
// leaves an upload behind that nobody knows.
func (c *Client) Begin(ctx context.Context, n New) (upload string, err error) {
	err = c.do(ctx, func() error {
		out, err := c.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: &c.bucket, Key: &n.Key, ContentType: given(n.ContentType), Metadata: n.Meta,
		})
		if err == nil {
			upload = aws.ToString(out.UploadId)
		}
		return err
	})
	if err == nil && upload == "" {
		err = fmt.Errorf("the store gave no upload id")
	}
	if err != nil {
		return "", fmt.Errorf("put %s: begin upload: %w", c.Name(n.Key), err)
	}
	return upload, nil
}

// Part uploads part number n, from 1 on, of an upload, and returns its ETag.
func (c *Client) Part(ctx context.Context, key, upload string, n int, body []byte) (etag string, err error) {
	err = c.do(ctx, func() error {
		out, err := c.api.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &c.bucket, Key: &key, UploadId: &upload, PartNumber: aws.Int32(int32(n)),
			Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		})
		if err == nil {
			etag = aws.ToString(out.ETag)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("put %s: part %d: %w", c.Name(key), n, err)
	}
	return etag, nil
}

// Complete makes the object of an upload of its parts, whose ETags are in
// order. [ErrNoUpload] and, with n.Absent, [ErrPrecondition] may also mean that
// an earlier try succeeded and its reply was lost.
func (c *Client) Complete(ctx context.Context, n New, upload string, etags []string) error {
	parts := make([]types.CompletedPart, len(etags))
	for i := range etags {
		parts[i] = types.CompletedPart{ETag: &etags[i], PartNumber: aws.Int32(int32(i + 1))}
	}
	err := c.do(ctx, func() error {
		_, err := c.api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &c.bucket, Key: &n.Key, UploadId: &upload, IfNoneMatch: n.ifNoneMatch(),
			MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("put %s: complete: %w", c.Name(n.Key), err)
	}
	return nil
}

// Abort removes an upload and its parts. One that is gone is no error.
func (c *Client) Abort(ctx context.Context, key, upload string) error {
	err := c.do(ctx, func() error {
		_, err := c.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &c.bucket, Key: &key, UploadId: &upload})
		return err
	})
	if e, ok := err.(*Error); ok && e.Status == 404 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("abort upload of %s: %w", c.Name(key), err)
	}
	return nil
}

// Delete removes an object. One that is gone is no error.
func (c *Client) Delete(ctx context.Context, key string) error {
	err := c.do(ctx, func() error {
		_, err := c.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &c.bucket, Key: &key})
		return err
	})
	if e, ok := err.(*Error); ok && e.Code == "NoSuchKey" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", c.Name(key), err)
	}
	return nil
}
