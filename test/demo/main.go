// Command demo dumps indices of a real OpenSearch to a real S3 store, removes
// the indices, and loads them back. `make demo` starts the servers and runs it
// with the program under test as its argument. It exits with 1 if anything
// differs afterwards.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// indices are those of test/testdata.
var indices = []string{"access-log", "nginx-status"}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo SLUICE")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, sluice string) error {
	dir, err := os.MkdirTemp("", "sluice-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	env := append(os.Environ(), "DEMO_DIR="+dir, "DEMO_DATA=test/testdata")
	d := demo{ctx: ctx, url: os.Getenv("SLUICE_TEST_OPENSEARCH"), store: store(os.Getenv("SLUICE_TEST_S3")), program: sluice, env: env}
	if _, err := d.store.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("archive")}); err != nil {
		return fmt.Errorf("create the bucket: %w", err)
	}
	return d.play()
}

func store(endpoint string) *s3.Client {
	return s3.New(s3.Options{BaseEndpoint: &endpoint, Region: "us-east-1", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("test", "testsecret", "")})
}

type demo struct {
	ctx     context.Context
	url     string
	store   *s3.Client
	program string
	env     []string
}

func (d *demo) play() error {
	if err := d.sluice("fill"); err != nil {
		return err
	}
	before, err := d.counts()
	if err != nil {
		return err
	}
	fmt.Println("in the index:", before)
	if err := d.sluice("dump"); err != nil {
		return err
	}
	if err := d.objects(); err != nil {
		return err
	}
	for _, index := range indices {
		if _, err := d.call("DELETE", "/"+index); err != nil {
			return err
		}
	}
	fmt.Println("the indices are removed")
	if err := d.sluice("load"); err != nil {
		return err
	}
	after, err := d.counts()
	if err != nil {
		return err
	}
	fmt.Println("in the index:", after)
	if fmt.Sprint(before) != fmt.Sprint(after) {
		return errors.New("the indices do not hold what they held before")
	}
	return nil
}

// sluice runs one pipeline of demo.yaml.
func (d *demo) sluice(pipeline string) error {
	fmt.Println("\n$ sluice run -c test/demo/demo.yaml", pipeline)
	cmd := exec.CommandContext(d.ctx, d.program, "run", "-c", "test/demo/demo.yaml", pipeline)
	cmd.Env, cmd.Stdout, cmd.Stderr = d.env, os.Stdout, os.Stderr
	return cmd.Run()
}

// objects shows what is in the bucket.
func (d *demo) objects() error {
	pages := s3.NewListObjectsV2Paginator(d.store, &s3.ListObjectsV2Input{Bucket: aws.String("archive")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(d.ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			fmt.Printf("s3://archive/%s  %d bytes\n", *o.Key, *o.Size)
		}
	}
	return nil
}

// counts asks the cluster itself.
func (d *demo) counts() (map[string]int64, error) {
	counts := map[string]int64{}
	for _, index := range indices {
		b, err := d.call("GET", "/"+index+"/_count")
		if err != nil {
			return nil, err
		}
		var r struct{ Count int64 }
		if err := json.Unmarshal(b, &r); err != nil {
			return nil, err
		}
		counts[index] = r.Count
	}
	return counts, nil
}

func (d *demo) call(method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(d.ctx, method, d.url+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, b)
	}
	return b, err
}
