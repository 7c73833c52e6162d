package transforms

import (
	"context"
	"io"
	"sync"

	"sluice/internal/kind"
	"sluice/pipeline"
)

// compressor is a transform that compresses. It is safe for several lanes,
// which share its idle encoders.
type compressor struct {
	pipeline.Transform
	need   int64 // of a lane
	shared int64
}

// Need implements [pipeline.Sized].
func (c compressor) Need() (lane, shared int64) { return c.need, c.shared }

// encoder is a compressing writer that can be used again. What it writes
// depends on the bytes alone, not on how they were cut into writes.
type encoder interface {
	io.WriteCloser
	Reset(io.Writer)
}

// idle is an encoder between two uses. It holds no block.
type idle struct {
	encoder
	dst struct{ io.Writer }
}

// newCompressor makes a compressor of encoders that take size bytes each.
func newCompressor(env kind.Env, workers *int, size int64, make func() (encoder, error)) (compressor, error) {
	n := max(1, env.Workers)
	if workers != nil {
		n = max(1, *workers)
	}
	first, err := make()
	if err != nil {
		return compressor{}, err
	}
	pool := &sync.Pool{New: func() any {
		e, _ := make() // it worked once
		return &idle{encoder: e}
	}}
	pool.Put(&idle{encoder: first})
	filter := pipeline.Filter(func(_ context.Context, dst io.Writer, src io.Reader) error {
		e := pool.Get().(*idle)
		err := e.compress(dst, src)
		pool.Put(e)
		return err
	})
	need := pipeline.FilterSize(n) + int64(n)*size
	return compressor{filter.Transform(n), need, pipeline.LargeSize(env.MaxRecord)}, nil
}

// compress writes src to dst as one member or frame.
func (e *idle) compress(dst io.Writer, src io.Reader) error {
	e.dst.Writer = dst
	defer func() { e.dst.Writer = nil }()
	e.Reset(&e.dst)
	if _, err := io.Copy(e.encoder, src); err != nil {
		return err
	}
	return e.Close()
}
