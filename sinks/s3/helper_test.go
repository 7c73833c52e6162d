package s3_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/internal/kind"
	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sinks/s3"
)

// items is a source of one lane with streams, each of its own position.
type items []*pipeline.Item

func (s items) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }
func (s items) Close() error                                                  { return nil }

func (s items) Plan(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{{Name: "lane", ID: "id", Parts: 1}}, nil
}

func (s items) Read(ctx context.Context, _ pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	n := 0
	fmt.Sscan(from.Token, &n)
	for i, it := range s[n:] {
		copied := *it
		copied.Pos.Token = fmt.Sprint(n + i + 1)
		if err := pipeline.Send(ctx, out, &copied); err != nil {
			return err
		}
	}
	return nil
}

// item is a stream.
func item(key, content string) *pipeline.Item {
	return &pipeline.Item{Key: key, Version: "v", Size: int64(len(content)), Records: -1,
		Body: pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(content)), nil
		})}
}

// random gives n bytes that are the same for the same seed.
func random(seed byte, n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return string(b)
}

// options are those of a sink into a bucket, seen at an endpoint.
func options(b *objectstest.Bucket, endpoint, key string) *s3.Config {
	c := &s3.Config{Config: b.Config(endpoint), Key: key, Part: 5 << 20, Overwrite: "own", Preserve: true}
	c.Roll.Bytes = 64 << 20
	c.Quirks.ConditionalWrites = "no" // which others try
	if b.Store.Conditional() {
		c.Quirks.ConditionalWrites = "yes"
	}
	return c
}

// pipe is a pipeline into a sink that goes on with what store knows.
func pipe(t *testing.T, src pipeline.Source, c *s3.Config, store pipeline.Store) *pipeline.Pipeline {
	t.Helper()
	if p := c.Problems(kind.Env{}); len(p) > 0 {
		t.Fatal(p)
	}
	sink, err := c.Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return &pipeline.Pipeline{Name: "mine", Source: src, Sink: sink, Store: store, Lanes: 1}
}

func fresh() *pipelinetest.Store { return &pipelinetest.Store{World: &pipelinetest.World{}} }

// uploads gives the rows of uploads in a store.
func uploads(t *testing.T, s pipeline.Store) (keys []string) {
	t.Helper()
	for _, bucket := range []string{"sink.uploads", "sink.beginnings"} {
		if err := s.Range(bucket, "", func(_ string, key []byte) error {
			keys = append(keys, string(key))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

// clean checks that nothing was left: no upload at the store, no row of one.
func clean(t *testing.T, b *objectstest.Bucket, s pipeline.Store) {
	t.Helper()
	if got := b.Uploads(); len(got) > 0 {
		t.Errorf("uploads left at the store: %q", got)
	}
	if got := uploads(t, s); len(got) > 0 {
		t.Errorf("uploads left in the state: %q", got)
	}
}
