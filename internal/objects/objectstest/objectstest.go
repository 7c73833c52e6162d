// Package objectstest gives tests a bucket of their own on a real S3 store.
package objectstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"sluice/internal/awscreds"
	"sluice/internal/objects"
	"sluice/internal/unit"
	"sluice/test/servers"
)

// Bucket is a bucket that is removed, with all that is in it, when its test
// ends. Its methods are what others do to the bucket meanwhile.
type Bucket struct {
	Name  string
	Store servers.Store
	API   *s3.Client // whose keep-alive is off, so it leaves no goroutine

	t testing.TB
}

// New makes a bucket. The test is skipped if there is no store.
func New(t testing.TB) *Bucket {
	t.Helper()
	b := &Bucket{Name: "sluice-" + strings.ToLower(rand.Text()), Store: servers.S3(t), t: t}
	b.API = s3.New(s3.Options{
		Region: b.Store.Region, BaseEndpoint: &b.Store.Endpoint, UsePathStyle: true, HTTPClient: plain{},
		Credentials:                credentials.NewStaticCredentialsProvider(b.Store.AccessKey, b.Store.SecretKey, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	_, err := b.API.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &b.Name})
	b.must(err)
	t.Cleanup(b.remove)
	return b
}

// Config is the options with which the bucket is reached at an endpoint, a
// proxy for example; "" is the store itself. Requests are tried again for 20 s.
func (b *Bucket) Config(endpoint string) objects.Config {
	if endpoint == "" {
		endpoint = b.Store.Endpoint
	}
	return objects.Config{
		Bucket: b.Name, Endpoint: endpoint, Region: b.Store.Region,
		Config: awscreds.Config{AccessKey: unit.Secret(b.Store.AccessKey), SecretKey: unit.Secret(b.Store.SecretKey)},
		Retry:  unit.Duration(20 * time.Second),
	}
}

// Put puts an object.
func (b *Bucket) Put(key string, body []byte) {
	b.t.Helper()
	_, err := b.API.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &b.Name, Key: &key, Body: bytes.NewReader(body)})
	b.must(err)
}

// PutAs puts an object with a content type, metadata and tags (a=1&b=2).
func (b *Bucket) PutAs(key string, body []byte, contentType string, meta map[string]string, tags string) {
	b.t.Helper()
	_, err := b.API.PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: &b.Name, Key: &key, Body: bytes.NewReader(body), ContentType: &contentType, Metadata: meta, Tagging: &tags})
	b.must(err)
}

// Tags gives the tags of an object.
func (b *Bucket) Tags(key string) map[string]string {
	b.t.Helper()
	out, err := b.API.GetObjectTagging(context.Background(), &s3.GetObjectTaggingInput{Bucket: &b.Name, Key: &key})
	b.must(err)
	tags := map[string]string{}
	for _, t := range out.TagSet {
		tags[*t.Key] = *t.Value
	}
	return tags
}

// Delete removes an object.
func (b *Bucket) Delete(key string) {
	b.t.Helper()
	_, err := b.API.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &b.Name, Key: &key})
	b.must(err)
}

// Get gives the bytes of an object.
func (b *Bucket) Get(key string) []byte {
	b.t.Helper()
	out, err := b.API.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &b.Name, Key: &key})
	b.must(err)
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	b.must(err)
	return body
}

// Objects gives all objects, by key.
func (b *Bucket) Objects() map[string]string {
	b.t.Helper()
	all := map[string]string{}
	for _, key := range b.Keys() {
		all[key] = string(b.Get(key))
	}
	return all
}

// Keys gives the keys of all objects, in order.
func (b *Bucket) Keys() (keys []string) {
	b.t.Helper()
	pages := s3.NewListObjectsV2Paginator(b.API, &s3.ListObjectsV2Input{Bucket: &b.Name, EncodingType: types.EncodingTypeUrl})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		b.must(err)
		for _, o := range page.Contents {
			keys = append(keys, b.decoded(*o.Key, page.EncodingType))
		}
	}
	return keys
}

// decoded is a key of a listing that was asked to encode them, and says whether
// it did.
func (b *Bucket) decoded(key string, as types.EncodingType) string {
	b.t.Helper()
	if as != types.EncodingTypeUrl {
		return key
	}
	key, err := url.QueryUnescape(key)
	b.must(err)
	return key
}

// Meta gives the metadata of an object.
func (b *Bucket) Meta(key string) map[string]string {
	b.t.Helper()
	out, err := b.API.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: &b.Name, Key: &key})
	b.must(err)
	return out.Metadata
}

// Uploads gives the keys of uploads that were not ended.
func (b *Bucket) Uploads() (keys []string) {
	b.t.Helper()
	for _, u := range b.uploads() {
		keys = append(keys, *u.Key)
	}
	return keys
}

// AbortUploads aborts uploads that were not ended.
func (b *Bucket) AbortUploads() {
	b.t.Helper()
	for _, u := range b.uploads() {
		_, err := b.API.AbortMultipartUpload(context.Background(), &s3.AbortMultipartUploadInput{Bucket: &b.Name, Key: u.Key, UploadId: u.UploadId})
		b.must(err)
	}
}

// uploads lists uploads. MinIO lists them out of its memory, and there are some
// which it knows nothing of when it is asked for one: when the client of the
// request that begins one is killed.
func (b *Bucket) uploads() (all []types.MultipartUpload) {
	b.t.Helper()
	ctx := context.Background()
	out, err := b.API.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &b.Name})
	b.must(err)
	for _, u := range out.Uploads {
		_, err := b.API.ListParts(ctx, &s3.ListPartsInput{Bucket: &b.Name, Key: u.Key, UploadId: u.UploadId})
		if e := smithy.APIError(nil); errors.As(err, &e) && e.ErrorCode() == "NoSuchUpload" {
			continue
		}
		b.must(err)
		all = append(all, u)
	}
	return all
}

// Needs skips the test if the store has not what the test is about.
func (b *Bucket) Needs(what string, has bool) {
	b.t.Helper()
	if !has {
		b.t.Skipf("%s has no %s", b.Store, what)
	}
}

// Versioned switches versions on. The test is skipped if the store has none.
func (b *Bucket) Versioned() {
	b.t.Helper()
	b.Needs("versions", b.Store.Versions())
	_, err := b.API.PutBucketVersioning(context.Background(), &s3.PutBucketVersioningInput{
		Bucket: &b.Name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	b.must(err)
}

// remove removes the bucket and what is in it.
func (b *Bucket) remove() {
	ctx := context.Background()
	b.AbortUploads()
	pages := s3.NewListObjectVersionsPaginator(b.API, &s3.ListObjectVersionsInput{Bucket: &b.Name, EncodingType: types.EncodingTypeUrl})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			break
		}
		for _, v := range page.Versions {
			b.API.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.Name, Key: aws.String(b.decoded(*v.Key, page.EncodingType)), VersionId: v.VersionId})
		}
		for _, v := range page.DeleteMarkers {
			b.API.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.Name, Key: aws.String(b.decoded(*v.Key, page.EncodingType)), VersionId: v.VersionId})
		}
	}
	for _, key := range b.Keys() {
		b.Delete(key)
	}
	_, err := b.API.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &b.Name})
	b.must(err)
}

func (b *Bucket) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// plain is an HTTP client without connections that outlive their request.
type plain struct{}

// Do implements the HTTP client of the SDK.
func (plain) Do(req *http.Request) (*http.Response, error) {
	req.Close = true
	return http.DefaultTransport.RoundTrip(req)
}
