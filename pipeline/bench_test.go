package pipeline_test

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"testing"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// take is a sink that does nothing with blocks.
func take(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		if err := it.Done(); err != nil {
			return err
		}
	}
}

func bench(b *testing.B, e *ends, stages ...pipeline.Stage) {
	b.ReportAllocs()
	b.ResetTimer()
	e.plan, e.write = names("a"), take
	p := e.pipeline(&pipelinetest.World{}, stages...)
	p.Depth = 4
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if res, err := p.Run(b.Context()); err != nil || !res.Complete {
		b.Fatal(res, err)
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(b.N), "exact-allocs/op")
}

// BenchmarkFrame moves blocks of 1 MiB that are already full: what the frame
// itself costs. One op is one item.
func BenchmarkFrame(b *testing.B) {
	e := &ends{}
	e.read = func(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
		q := pipeline.NewQuota(8)
		fill := make([]byte, pipeline.BlockSize)
		for range b.N {
			blk, err := q.Block(ctx)
			if err != nil {
				return err
			}
			blk.Write(fill)
			if err := pipeline.Send(ctx, out, blk.Item("k", pipeline.Position{Token: "t"}, 1000)); err != nil {
				return err
			}
		}
		return nil
	}
	b.SetBytes(pipeline.BlockSize)
	bench(b, e)
}

// BenchmarkFrameEmpty moves blocks without bytes: no memory is copied.
func BenchmarkFrameEmpty(b *testing.B) {
	e := &ends{}
	e.read = func(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
		q := pipeline.NewQuota(8)
		for range b.N {
			blk, err := q.Block(ctx)
			if err != nil {
				return err
			}
			if err := pipeline.Send(ctx, out, blk.Item("k", pipeline.Position{Token: "t"}, 0)); err != nil {
				return err
			}
		}
		return nil
	}
	bench(b, e)
}

// BenchmarkLinesEdit splits a stream into blocks and edits each record. One op
// is one record of 500 bytes.
func BenchmarkLinesEdit(b *testing.B) {
	rec := append(bytes.Repeat([]byte{'x'}, 499), '\n')
	e := stream(&pipeline.Item{Key: "k"}, func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(&repeat{rec: rec, n: b.N}), nil
	})
	identity := pipeline.Edit(func(_ context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
		dst.Write(rec)
		return pipeline.Keep, nil
	})
	b.SetBytes(int64(len(rec)))
	bench(b, e, pipeline.Stage{Name: "lines", Transform: pipeline.Lines{Blocks: 4}}, pipeline.Stage{Name: "edit", Transform: identity.Transform(2, 0)})
}

// repeat reads rec n times.
type repeat struct {
	rec   []byte
	n, at int
}

func (r *repeat) Read(p []byte) (n int, err error) {
	for n < len(p) && r.n > 0 {
		m := copy(p[n:], r.rec[r.at:])
		n += m
		if r.at += m; r.at == len(r.rec) {
			r.at, r.n = 0, r.n-1
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
