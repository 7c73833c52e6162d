package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// bench is one measurement: servers with documents in them, and a directory.
type bench struct {
	options
	task             // what all tasks have in common
	self    string   // this program
	dir     string   // configuration and states
	stop    func()   // ends the canned servers
	indices []string // to be removed
	bucket  bool     // likewise
}

// newBench finds the servers, or starts them if they are canned.
func newBench(ctx context.Context, o options) (b *bench, err error) {
	b = &bench{options: o, stop: func() {}}
	b.task = task{
		Search: os.Getenv("SLUICE_TEST_OPENSEARCH"), Store: os.Getenv("SLUICE_TEST_S3"),
		Bucket: fmt.Sprintf("bench-%x", time.Now().UnixNano()),
		Lanes:  o.lanes, Documents: o.documents, Bytes: o.bytes,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.self, err = os.Executable(); err != nil {
		return b, err
	}
	if b.dir, err = os.MkdirTemp("", "sluice-bench-"); err != nil {
		return b, err
	}
	if b.servers == "canned" {
		if err := b.startCanned(ctx); err != nil {
			return b, err
		}
	}
	if b.Search == "" || b.Store == "" && !b.read && !b.load {
		return b, errors.New("there are no servers: use make bench, bench-read or bench-load, or -servers canned")
	}
	return b, nil
}

// size is the bytes of n records.
func (b *bench) size(n int) int64 {
	return int64(n) * int64(b.records(b.source(n)).Len())
}

// fill makes an index and objects with all documents, and with half of them.
// Canned servers have them.
func (b *bench) fill(ctx context.Context) error {
	if _, err := store(b.Store).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &b.Bucket}); err != nil {
		return fmt.Errorf("create a bucket: %w", err)
	}
	b.bucket = true
	if b.servers == "canned" {
		return nil
	}
	for _, n := range []int{b.documents, b.documents / 2} {
		fmt.Fprintf(os.Stderr, "making %d documents\n", n)
		if err := b.newIndex(ctx, b.source(n)); err != nil {
			return err
		}
		for _, p := range []string{"index", "objects"} {
			if _, err := b.sluice(ctx, n, p, b.source(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// source is the index that holds n documents.
func (b *bench) source(n int) string { return fmt.Sprintf("%s-from-%d", b.Bucket, n) }

// newIndex makes an index that does not index, so that the servers' time is
// short, unless that is what is measured.
func (b *bench) newIndex(ctx context.Context, name string) error {
	b.indices = append(b.indices, name)
	return b.call(ctx, "PUT", "/"+name, fmt.Sprintf(
		`{"settings":{"number_of_shards":%d,"number_of_replicas":0,"refresh_interval":"-1"},"mappings":{"enabled":%v}}`, b.Lanes, b.load))
}

// removeIndex removes the last index that was made.
func (b *bench) removeIndex(ctx context.Context) error {
	last := len(b.indices) - 1
	name := b.indices[last]
	b.indices = b.indices[:last]
	return b.call(ctx, "DELETE", "/"+name, "")
}

func (b *bench) call(ctx context.Context, method, path, body string) error {
	req, err := http.NewRequestWithContext(ctx, method, b.Search+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %d %.300s", method, path, resp.StatusCode, text)
	}
	return err
}

// close removes all that was made, also after failures.
func (b *bench) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	for len(b.indices) > 0 {
		errs = append(errs, b.removeIndex(ctx))
	}
	if b.servers == "real" && b.bucket {
		errs = append(errs, b.removeBucket(ctx))
	}
	b.stop()
	if b.dir != "" {
		errs = append(errs, os.RemoveAll(b.dir))
	}
	return errors.Join(errs...)
}

func (b *bench) removeBucket(ctx context.Context) error {
	s := store(b.Store)
	pages := s3.NewListObjectsV2Paginator(s, &s3.ListObjectsV2Input{Bucket: &b.Bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			if _, err := s.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.Bucket, Key: o.Key}); err != nil {
				return err
			}
		}
	}
	_, err := s.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &b.Bucket})
	return err
}

// store is a client of the S3 store that does the least: it does not hash.
func store(endpoint string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", UsePathStyle: true,
		Credentials:                credentials.NewStaticCredentialsProvider("test", "testsecret", ""),
		HTTPClient:                 client(),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}, func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	})
}

// client is an HTTP client with buffers for bulk data.
func client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableCompression: true, MaxIdleConnsPerHost: 64, ReadBufferSize: 128 << 10, WriteBufferSize: 64 << 10,
	}}
}

// startCanned starts the canned servers, which say where they are.
func (b *bench) startCanned(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, b.self, "canned", b.encoded())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	b.stop = func() { cmd.Process.Kill(); cmd.Wait() }
	lines := bufio.NewReader(out)
	for _, url := range []*string{&b.Search, &b.Store} {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("the canned servers do not start: %w", err)
		}
		*url = strings.TrimSpace(line)
	}
	return nil
}

// path is a file of the measurement.
func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }
