package roll

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"sluice/internal/keys"
	"sluice/pipeline"
)

// Write implements the Write of [pipeline.Writer].
func (w *Writer) Write(ctx context.Context, lane pipeline.Lane, state string, in <-chan *pipeline.Item) error {
	if w.Key.Rolled() && !lane.Aside {
		return w.rolled(ctx, lane, state, in)
	}
	return w.singly(ctx, lane, in)
}

// ownerOf is the owner of an item's own object.
func (w *Writer) ownerOf(lane pipeline.Lane, it *pipeline.Item) Owner {
	return Owner{Pipeline: w.pass.Pipeline, Pass: w.pass.Number, Lane: lane.ID, Start: lane.Start, From: place(it.From), Source: it.Key, Version: it.Version}
}

// KeyOf is the key of an item's own object.
func (w *Writer) KeyOf(lane pipeline.Lane, it *pipeline.Item) (string, error) {
	if lane.Aside {
		return w.Key.Aside(it.Key)
	}
	return w.Key.Render(keys.Values{Index: indexOf(it), Lane: lane.Name, Pass: w.pass.Number, Date: w.date, Key: it.Key, Version: it.Version})
}

// Copy writes the body of an item to dst, through buf, and compares its length
// with what the item says. n counts what dst took. Errors name the item.
func Copy(ctx context.Context, dst io.Writer, it *pipeline.Item, buf []byte) (n int64, err error) {
	n, err = copyBody(ctx, dst, it, buf)
	switch {
	case err != nil:
	case it.Size >= 0 && n < it.Size:
		err = fmt.Errorf("%d of %d bytes: %w", n, it.Size, io.ErrUnexpectedEOF)
	case it.Size >= 0 && n > it.Size:
		err = fmt.Errorf("%d bytes, more than the %d expected", n, it.Size)
	}
	if err != nil && !strings.Contains(err.Error(), it.Key) {
		err = fmt.Errorf("%s: %w", it.Key, err)
	}
	return n, err
}

func copyBody(ctx context.Context, dst io.Writer, it *pipeline.Item, buf []byte) (int64, error) {
	if b, ok := it.Body.(*pipeline.Block); ok {
		n, err := dst.Write(b.B())
		return int64(n), err
	}
	src, err := it.Body.Open(ctx)
	if err != nil {
		return 0, err
	}
	n, err := io.CopyBuffer(moving{ctx, dst}, src, buf)
	if cerr := src.Close(); err == nil {
		err = cerr
	}
	return n, err
}

// moving is a writer by which a stage gets on inside of an item.
type moving struct {
	ctx context.Context // of one copy
	io.Writer
}

// Write implements [io.Writer].
func (m moving) Write(p []byte) (int, error) {
	pipeline.Moved(m.ctx)
	return m.Writer.Write(p)
}

// abort ends an object that is not to be, also when the run is over.
func abort(ctx context.Context, o Object) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return o.Abort(ctx)
}

func indexOf(it *pipeline.Item) string {
	if it.Meta == nil {
		return ""
	}
	return it.Meta.Index
}

func (w *Writer) render(lane pipeline.Lane, index string, k int64) (string, error) {
	return w.Key.Render(keys.Values{Index: index, Lane: lane.Name, Sequence: w.Key.Sequence(lane, k), Pass: w.pass.Number, Date: w.date})
}

// sweep removes what other walks of the lane in this pass have made and this
// one, which made the objects before number next, did not write again.
func (w *Writer) sweep(ctx context.Context, lane pipeline.Lane, index string, next int64) error {
	v := keys.Values{Index: index, Lane: lane.Name, Pass: w.pass.Number, Date: w.date}
	match, err := w.Key.Matcher(v)
	if err != nil {
		return err
	}
	first, step := w.Key.Sequence(lane, next), w.Key.Sequence(lane, 1)-w.Key.Sequence(lane, 0)
	stale := func(key string) bool {
		n, ok := match(key)
		return ok && (!w.Key.Rolled() || n >= first && (n-first)%step == 0)
	}
	prefix := w.Key.Prefix(v)
	if lane.Aside { // its keys are not those of the template
		prefix, stale = w.Key.Literal(), func(string) bool { return true }
	}
	owner := Owner{Pipeline: w.pass.Pipeline, Pass: w.pass.Number, Lane: lane.ID, Start: lane.Start}
	if err := w.target.Sweep(ctx, prefix, owner, stale); err != nil {
		return fmt.Errorf("remove objects of an earlier walk: %w", err)
	}
	return nil
}
