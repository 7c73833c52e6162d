package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/test/fakestore"
	"sluice/test/servers"
)

const smallSize = 2 << 10

// measureSmall prints the figures of many small objects.
func (b *bench) measureSmall(ctx context.Context) (err error) {
	s5cmd, err := servers.S5cmd(ctx)
	if err != nil {
		return err
	}
	if b.store, err = servers.StoreAt(os.Getenv("SLUICE_TEST_S3")); err != nil || b.store.Endpoint == "" {
		return errors.Join(errors.New("there is no store: use make bench-s3"), err)
	}
	real := b.api()
	bucket := fmt.Sprintf("bench-%x", time.Now().UnixNano())
	if _, err := real.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, empty(context.WithoutCancel(ctx), real, bucket)) }()
	if err := b.files(); err != nil {
		return err
	}
	var forgetful fakestore.Store
	return forgetful.Serve(func(fake string) error {
		return delayed(host(b.store.Endpoint), b.latency, func(slow string) error {
			return delayed(host(fake), b.latency, func(slowFake string) error {
				s := small{b, s5cmd, place{"http://" + slow, bucket, ""}, place{"http://" + slowFake, "bench", ""}, fake}
				return s.print(ctx)
			})
		})
	})
}

// files makes the files that are the objects.
func (b *bench) files() error {
	dir := filepath.Join(b.dir, "files")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	body, random := make([]byte, smallSize), rand.NewChaCha8([32]byte{1})
	for i := range b.objects {
		random.Read(body)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%07d", i)), body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// small is the programs and places of the measurement.
type small struct {
	*bench
	s5cmd      string
	real, fake place // where requests take longer
	sink       string
}

// print measures and prints a table.
func (s *small) print(ctx context.Context) error {
	fmt.Printf("\n%d objects of %d bytes, %v added to each request, median of %d\n\n%-28s | %10s %10s | %10s %10s | %8s %8s\n%-28s | %10s %10s | %10s %10s | %8s %8s\n",
		s.objects, smallSize, s.latency, s.runs, "", "objects/s", "", "CPU us", "per object", "RSS MB", "",
		"", "sluice", "s5cmd", "sluice", "s5cmd", "sluice", "s5cmd")
	for _, row := range []struct {
		name string
		f    func(ctx context.Context, by string) (cost, error)
	}{
		{"write, forgetful store", func(ctx context.Context, by string) (cost, error) { return s.write(ctx, by, s.fake) }},
		{"write, " + s.store.String(), func(ctx context.Context, by string) (cost, error) { return s.write(ctx, by, s.real) }},
		{"read, " + s.store.String(), s.read},
	} {
		ours, err := s.median(func() (cost, error) { return row.f(ctx, "sluice") })
		if err != nil {
			return err
		}
		theirs, err := s.median(func() (cost, error) { return row.f(ctx, "s5cmd") })
		if err != nil {
			return err
		}
		n := float64(s.objects)
		us := func(c cost) float64 { return float64(c.cpu.Microseconds()) / n }
		fmt.Printf("%-28s | %10.0f %10.0f | %10.0f %10.0f | %8.0f %8.0f\n", row.name, n/ours.wall.Seconds(), n/theirs.wall.Seconds(),
			us(ours), us(theirs), float64(ours.rss)/1e6, float64(theirs.rss)/1e6)
	}
	return nil
}

// write writes the files to a place, below a prefix of its own.
func (s *small) write(ctx context.Context, by string, to place) (cost, error) {
	to.prefix = fmt.Sprintf("%s-%x/", by, time.Now().UnixNano())
	if by == "s5cmd" {
		return s.command(ctx, s.s5cmd, "--endpoint-url", to.url, "--log", "error", "cp", "files/", "s3://"+to.bucket+"/"+to.prefix)
	}
	file, err := s.configure("{file: {path: ./files}}", "[]", s.stage(to, `key: "{key}"`))
	if err != nil {
		return cost{}, err
	}
	c, done, err := s.bench.sluice(ctx, file)
	if err == nil && done.Objects.Written < int64(s.objects) {
		err = fmt.Errorf("sluice wrote %d objects, want %d", done.Objects.Written, s.objects)
	}
	return c, err
}

// read reads what s5cmd has written to the real store last.
func (s *small) read(ctx context.Context, by string) (cost, error) {
	from := s.real
	from.prefix = "s5cmd-"
	if err := s.prefix(ctx, &from); err != nil {
		return cost{}, err
	}
	if by == "s5cmd" {
		to := fmt.Sprintf("read-%x/", time.Now().UnixNano())
		return s.command(ctx, s.s5cmd, "--endpoint-url", from.url, "--log", "error", "cp", "s3://"+from.bucket+"/"+from.prefix+"*", to)
	}
	to := place{s.sink, "bench", fmt.Sprintf("read-%x/", time.Now().UnixNano())}
	file, err := s.configure(s.stage(from), "[]", s.stage(to, `key: "{lane}-{sequence}"`, "roll: {bytes: 1GiB}"))
	if err != nil {
		return cost{}, err
	}
	c, done, err := s.bench.sluice(ctx, file)
	if err == nil && done.Objects.Read != int64(s.objects) {
		err = fmt.Errorf("sluice read %d objects, want %d", done.Objects.Read, s.objects)
	}
	return c, err
}

// prefix makes the prefix of p the first folder that begins so.
func (s *small) prefix(ctx context.Context, p *place) error {
	out, err := s.api().ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &p.bucket, Prefix: &p.prefix, Delimiter: aws.String("/")})
	if err != nil {
		return err
	}
	if len(out.CommonPrefixes) == 0 {
		return fmt.Errorf("nothing was written below %s", p.prefix)
	}
	p.prefix = *out.CommonPrefixes[0].Prefix
	return nil
}

// api is a client of the real store.
func (b *bench) api() *s3.Client {
	return s3.New(s3.Options{BaseEndpoint: &b.store.Endpoint, Region: b.store.Region, UsePathStyle: true,
		Credentials:                credentials.NewStaticCredentialsProvider(b.store.AccessKey, b.store.SecretKey, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired})
}

// empty removes a bucket and what is in it.
func empty(ctx context.Context, api *s3.Client, bucket string) error {
	pages := s3.NewListObjectsV2Paginator(api, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			if _, err := api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: o.Key}); err != nil {
				return err
			}
		}
	}
	_, err := api.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &bucket})
	return err
}

// host is host and port of a URL.
func host(url string) string { return strings.TrimPrefix(strings.TrimSuffix(url, "/"), "http://") }
