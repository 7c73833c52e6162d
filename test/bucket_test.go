package test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"sluice/test/servers"
)

// bucket is a bucket of the real store, read and written without our code.
type bucket struct {
	store  servers.Store
	name   string
	client *s3.Client
}

// newBucket makes a bucket that goes with the test.
func newBucket(t *testing.T) *bucket {
	t.Helper()
	b := bucketAt(t, servers.S3(t), strings.Trim(unique(t)[max(0, len(unique(t))-60):], "-"))
	t.Cleanup(func() {
		ctx, cancel := within(time.Minute)
		defer cancel()
		for _, k := range b.keys(t, "") {
			b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &k})
		}
		b.client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &b.name})
	})
	return b
}

// bucketAt makes a bucket in a store.
func bucketAt(t *testing.T, store servers.Store, name string) *bucket {
	t.Helper()
	b := &bucket{store: store, name: name}
	b.client = s3.New(s3.Options{
		BaseEndpoint: aws.String(store.Endpoint), Region: store.Region, UsePathStyle: true,
		Credentials:                credentials.NewStaticCredentialsProvider(store.AccessKey, store.SecretKey, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	ctx, cancel := within(time.Minute)
	defer cancel()
	if _, err := b.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &b.name}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bucket) put(t *testing.T, key string, body []byte) {
	t.Helper()
	if err := b.tryPut(key, body); err != nil {
		t.Fatal(err)
	}
}

// tryPut is put for where a test cannot end.
func (b *bucket) tryPut(key string, body []byte) error {
	ctx, cancel := within(time.Minute)
	defer cancel()
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.name, Key: &key, Body: bytes.NewReader(body)})
	return err
}

func (b *bucket) delete(t *testing.T, key string) {
	t.Helper()
	if err := b.tryDelete(key); err != nil {
		t.Fatal(err)
	}
}

// tryDelete is delete for where a test cannot end.
func (b *bucket) tryDelete(key string) error {
	ctx, cancel := within(time.Minute)
	defer cancel()
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &key})
	return err
}

func (b *bucket) get(t *testing.T, key string) []byte {
	t.Helper()
	ctx, cancel := within(time.Minute)
	defer cancel()
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// sum is the SHA-256 of what the objects below prefix hold, in the order of keys.
func (b *bucket) sum(t *testing.T, prefix string) string {
	t.Helper()
	h := sha256.New()
	for _, k := range slices.Sorted(slices.Values(b.keys(t, prefix))) {
		h.Write(b.get(t, k))
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func (b *bucket) keys(t *testing.T, prefix string) (keys []string) {
	t.Helper()
	ctx, cancel := within(time.Minute)
	defer cancel()
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys
}

// uploads lists what was begun and neither completed nor aborted.
func (b *bucket) uploads(t *testing.T) (list []types.MultipartUpload) {
	t.Helper()
	ctx, cancel := within(time.Minute)
	defer cancel()
	out, err := b.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &b.name})
	if err != nil {
		t.Fatal(err)
	}
	return out.Uploads
}

// objects returns all objects below prefix: key to bytes.
func (b *bucket) objects(t *testing.T, prefix string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, k := range b.keys(t, prefix) {
		all[k] = string(b.get(t, k))
	}
	return all
}

// lines returns what all gzip objects below prefix hold, in the order of keys.
func (b *bucket) lines(t *testing.T, prefix string) []byte {
	t.Helper()
	var all bytes.Buffer
	for _, k := range slices.Sorted(slices.Values(b.keys(t, prefix))) {
		z, err := gzip.NewReader(bytes.NewReader(b.get(t, k)))
		if err != nil {
			t.Fatalf("%s: %v", k, err)
		}
		if _, err := io.Copy(&all, z); err != nil {
			t.Fatalf("%s: %v", k, err)
		}
	}
	return all.Bytes()
}
