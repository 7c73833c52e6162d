package git_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"sluice/pipeline"
)

// replaced is a source whose objects others replace while they are read: what
// was there cannot be had any more, and there is something else.
type replaced struct{ source }

func (s *replaced) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }

func (s *replaced) Read(ctx context.Context, lane pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
	if lane.Part > 0 {
		return nil
	}
	it := s.item("a")
	it.Body = &replacedBody{it: it}
	return pipeline.Send(ctx, out, it)
}

type replacedBody struct {
	it  *pipeline.Item
	now string // "": it was not replaced yet
}

func (b *replacedBody) Open(context.Context) (io.ReadCloser, error) {
	if b.now != "" {
		return io.NopCloser(strings.NewReader(b.now)), nil
	}
	return io.NopCloser(io.MultiReader(strings.NewReader("half of"), iotest.ErrReader(fmt.Errorf("replaced: %w", pipeline.ErrGone)))), nil
}

func (b *replacedBody) Renew(context.Context, error) (bool, error) {
	b.now = "another"
	b.it.Version, b.it.Size = "v2", int64(len(b.now))
	return true, nil
}

func TestWhatIsReplacedWhileItIsReadIsReadAnew(t *testing.T) {
	w := newWorld(t)
	w.must(&replaced{source{files: files{"a": "half of what was there"}}})
	w.has(under(files{"a": "another"}, nil))
}
