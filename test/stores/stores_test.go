// Package stores_test holds against a real S3 store what Sluice says of any:
// source, frame and sink at once, and the program where it is killed.
// `make test-stores` runs it on each store of [servers.Products].
package stores_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"sluice/internal/kind"
	"sluice/internal/objects/objectstest"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	sinks3 "sluice/sinks/s3"
	sources3 "sluice/sources/s3"
)

// program is the built binary.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sluice-test-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "sluice")
	build := exec.Command("go", "build", "-o", program, "sluice/cmd/sluice")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// source reads a bucket.
func source(t *testing.T, b *objectstest.Bucket) pipeline.Source {
	t.Helper()
	src, err := (&sources3.Config{Config: b.Config("")}).Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// part is the size of parts.
const part = 5 << 20

// sink writes to a bucket, each object under the key of its item.
func sink(t *testing.T, b *objectstest.Bucket, endpoint string) pipeline.Sink {
	t.Helper()
	s, err := (&sinks3.Config{Config: b.Config(endpoint), Key: "{key}", Part: unit.Bytes(part), Overwrite: "own"}).Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pipe is a pipeline of one lane that has never run.
func pipe(src pipeline.Source, dst pipeline.Sink) *pipeline.Pipeline {
	return &pipeline.Pipeline{Name: "stores", Source: src, Sink: dst, Lanes: 1, Store: &pipelinetest.Store{World: &pipelinetest.World{}}}
}

// run runs a pipeline once. What is not complete has an error.
func run(t *testing.T, src pipeline.Source, dst pipeline.Sink) error {
	t.Helper()
	res, err := pipe(src, dst).Run(t.Context())
	if err == nil && !res.Complete {
		t.Fatal("it is not complete and has no error")
	}
	return err
}

// item is an object that is to be made.
type item struct {
	key  string
	body []byte
}

// items is a source of them, in this order.
type items []item

func (s items) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }
func (s items) Close() error                                                  { return nil }

func (s items) Plan(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{{Name: "lane", ID: "lane", Parts: 1}}, nil
}

func (s items) Read(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
	for _, i := range s {
		err := pipeline.Send(ctx, out, &pipeline.Item{
			Key: i.key, Version: "1", Pos: pipeline.Position{Token: i.key}, Size: int64(len(i.body)), Records: -1,
			Body: pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(i.body)), nil }),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// memory is a sink that keeps what it is given.
type memory struct {
	mu      sync.Mutex
	objects map[string]string
	order   []string // of the keys
}

func (m *memory) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) {
	m.objects = map[string]string{}
	return m, nil
}

func (m *memory) Finish(context.Context) error { return nil }
func (m *memory) Close() error                 { return nil }

func (m *memory) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		body, err := contents(ctx, it)
		if err != nil {
			return err
		}
		m.mu.Lock()
		m.objects[it.Key] = body
		m.order = append(m.order, it.Key)
		m.mu.Unlock()
		if err := it.Done(); err != nil {
			return err
		}
	}
}

// contents is the bytes of an item; "" of one that only looks like a directory.
func contents(ctx context.Context, it *pipeline.Item) (body string, err error) {
	if it.Body == nil {
		return "", nil
	}
	r, err := it.Body.Open(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	b, err := io.ReadAll(r)
	return string(b), err
}
