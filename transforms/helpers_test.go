package transforms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/transforms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var env = kind.Env{Pipeline: "p", Workers: 2, MaxRecord: 1 << 20}

// The transforms with the defaults of their options.
func gunzip() kind.Transform { return &transforms.Gunzip{MaxRatio: 1000} }
func unzstd() kind.Transform { return &transforms.Unzstd{MaxRatio: 1000, MaxWindow: 8 << 20} }
func decompress() kind.Transform {
	return &transforms.Decompress{MaxRatio: 1000, MaxWindow: unit.Bytes(8 << 20)}
}
func gz(level int) kind.Transform     { return &transforms.Gzip{Level: level} }
func zst(level string) kind.Transform { return &transforms.Zstd{Level: level} }

func build(t testing.TB, k kind.Transform) pipeline.Transform {
	t.Helper()
	tr, err := k.Build(env)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// bytesBody is the body of a source: it can be entered at offsets, and may
// break. It does not compare its length itself.
type bytesBody struct {
	b      []byte
	end    error  // instead of io.EOF
	read   *int64 // bytes that were read
	starts *[]int64
	small  int           // bytes of one Read; 0: as many as asked for
	delay  time.Duration // of one Read
}

func (b bytesBody) Open(ctx context.Context) (io.ReadCloser, error) { return b.OpenFrom(ctx, "0") }
func (b bytesBody) OpenFrom(_ context.Context, mark string) (io.ReadCloser, error) {
	at, err := strconv.ParseInt(mark, 10, 64)
	if err != nil || at > int64(len(b.b)) {
		return nil, fmt.Errorf("mark %q, %v", mark, err)
	}
	if b.starts != nil {
		*b.starts = append(*b.starts, at)
	}
	return &bytesReader{b, bytes.NewReader(b.b[at:])}, nil
}

type bytesReader struct {
	bytesBody
	r *bytes.Reader
}

func (r *bytesReader) Close() error { return nil }
func (r *bytesReader) Read(p []byte) (int, error) {
	time.Sleep(r.delay)
	if r.small > 0 {
		p = p[:min(r.small, len(p))]
	}
	n, err := r.r.Read(p)
	if r.read != nil {
		*r.read += int64(n)
	}
	if err == io.EOF && r.end != nil {
		err = r.end
	}
	return n, err
}

// notEntered hides that a body can be entered.
type notEntered struct{ pipeline.Body }

// item is an item of a source with a body of size bytes, or -1.
func item(key string, b pipeline.Body, size int64) *pipeline.Item {
	return &pipeline.Item{Key: key, Version: "1", Pos: pipeline.Position{Token: "end"}, Size: size, Records: -1, Body: b}
}

// pass gives one item to a transform and returns what it gives.
func pass(t testing.TB, tr pipeline.Transform, items ...*pipeline.Item) []*pipeline.Item {
	t.Helper()
	in, out := make(chan *pipeline.Item), make(chan *pipeline.Item, len(items))
	go func() {
		defer close(in)
		for _, it := range items {
			in <- it
		}
	}()
	if err := tr.Run(t.Context(), in, out); err != nil {
		t.Fatal(err)
	}
	close(out)
	var got []*pipeline.Item
	for it := range out {
		got = append(got, it)
	}
	if len(got) != len(items) {
		t.Fatalf("%d items, want %d", len(got), len(items))
	}
	return got
}

// expand gives what a transform makes of a file, read to its end or error.
func expand(t testing.TB, k kind.Transform, key string, b []byte, size int64) ([]byte, error) {
	t.Helper()
	return read(t, pass(t, build(t, k), item(key, bytesBody{b: b}, size))[0].Body)
}

func read(t testing.TB, b pipeline.Body) ([]byte, error) {
	r, err := b.Open(t.Context())
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(r)
	return got, errors.Join(err, r.Close())
}

// block gives bytes as a block.
func block(t testing.TB, q *pipeline.Quota, b []byte) *pipeline.Item {
	t.Helper()
	blk, err := q.Block(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	blk.Write(b)
	return blk.Item("k", pipeline.Position{Token: "t"}, int64(bytes.Count(b, []byte("\n"))))
}

// one compresses bytes as one member or frame.
func one(t testing.TB, k kind.Transform, b []byte) []byte {
	t.Helper()
	return oneBy(t, build(t, k), b)
}

func oneBy(t testing.TB, tr pipeline.Transform, b []byte) []byte {
	t.Helper()
	got, err := read(t, pass(t, tr, block(t, pipeline.NewQuota(1), b))[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// records makes n records that compress like logs do.
func records(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"_index":"logs","_id":"%d","_source":{"@timestamp":"2026-01-%02dT00:00:00Z","message":"GET /%x %d","bytes":%d}}`+"\n", i, i%28+1, i*i*7919, i%5*100, i*i%4096)
	}
	return b.Bytes()
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func stage(t testing.TB, name string, k kind.Transform) pipeline.Stage {
	return pipeline.Stage{Name: name, Transform: build(t, k)}
}

// ends is a source of items, all in one lane, and a sink that joins them.
type ends struct {
	items  []func() *pipeline.Item
	got    strings.Builder
	failAt int // the item that the sink does not take, from 1; 0: none
	taken  int
}

func (e *ends) pipeline(store *pipelinetest.Store, stages ...pipeline.Stage) *pipeline.Pipeline {
	return &pipeline.Pipeline{Name: "p", Source: source{e}, Sink: sink{e}, Stages: stages, Store: store, Lanes: 1, Depth: 1, Grace: time.Second}
}

type source struct{ *ends }

func (s source) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }
func (s source) Close() error                                                  { return nil }
func (s source) Plan(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{{Name: "a", ID: "a"}}, nil
}
func (s source) Read(ctx context.Context, _ pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	k := 0
	fmt.Sscan(from.Token, &k)
	for ; k < len(s.items); k++ {
		it := s.items[k]()
		it.Pos = pipeline.Position{Token: fmt.Sprint(k + 1)}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
	return nil
}

type sink struct{ *ends }

func (s sink) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return s, nil }
func (s sink) Close() error                                                  { return nil }
func (s sink) Finish(context.Context) error                                  { return nil }
func (s sink) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		if s.taken++; s.taken == s.failAt {
			return errors.New("disk full")
		}
		r, err := it.Body.Open(ctx)
		if err != nil {
			return err
		}
		_, err = io.Copy(&s.got, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		if err := it.Done(); err != nil {
			return err
		}
	}
}
