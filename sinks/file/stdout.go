package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"sluice/internal/kind"
	"sluice/internal/roll"
	"sluice/pipeline"
)

// Stdout is a sink that writes the bytes of items one after the other. Items
// of a lane come in order; those of several lanes come in any, but whole.
// Nobody can take back what was written, so it is for pipelines without a
// state alone.
type Stdout struct {
	Out io.Writer `yaml:"-"` // nil: the standard output of the process
}

var _ kind.Sink = (*Stdout)(nil)

// Problems implements [kind.Sink].
func (*Stdout) Problems(env kind.Env) []kind.Problem {
	if env.Transient {
		return nil
	}
	return []kind.Problem{{Message: "standard output keeps nothing that a later run could go on from: use it with sluice copy, without a state"}}
}

// Takes implements [kind.Sink].
func (*Stdout) Takes(in kind.Form) *kind.Problem {
	if in == kind.Metadata {
		return &kind.Problem{Message: "metadata has no place between records: take data alone, or write to files or s3"}
	}
	return nil
}

// Identity implements [kind.Sink].
func (*Stdout) Identity() string { return "standard output" }

// Build implements [kind.Sink].
func (c *Stdout) Build(kind.Env) (pipeline.Sink, error) {
	if c.Out == nil {
		return &stdout{out: os.Stdout}, nil
	}
	return &stdout{out: c.Out}, nil
}

type stdout struct {
	mu  sync.Mutex // held while an item is written
	out io.Writer
}

// Need implements [pipeline.Sized].
func (*stdout) Need() (lane, shared int64) { return streamBuffer, 0 }

const streamBuffer = 128 << 10

// Open implements [pipeline.Sink].
func (s *stdout) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return s, nil }

// Write implements [pipeline.Writer].
func (s *stdout) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	buf := make([]byte, streamBuffer)
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		if it.Delete {
			return fmt.Errorf("%s: deletes are not supported by this sink", it.Key)
		}
		if err := s.item(ctx, it, buf); err != nil {
			return err
		}
		if err := it.Done(); err != nil {
			return err
		}
	}
}

// item writes one item. What is half written when it turns out that it cannot
// be had stays so, so that is an error.
func (s *stdout) item(ctx context.Context, it *pipeline.Item, buf []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := roll.Copy(ctx, s.out, it, buf)
	if n == 0 && errors.Is(err, pipeline.ErrGone) {
		return it.GiveUp(ctx, err)
	}
	it.Size = n
	return err
}

// Finish implements [pipeline.Writer].
func (*stdout) Finish(context.Context) error { return nil }

// Close implements [pipeline.Writer].
func (*stdout) Close() error { return nil }
