package s3

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"sluice/internal/objects"
)

// body is the bytes of an object. It can be entered at any byte.
type body struct {
	client *objects.Client
	object objects.Object
}

// Open implements [pipeline.Body].
func (b body) Open(ctx context.Context) (io.ReadCloser, error) { return b.get(ctx, 0) }

// OpenFrom implements [pipeline.OpenFrom]. A mark is the number of the byte.
func (b body) OpenFrom(ctx context.Context, mark string) (io.ReadCloser, error) {
	off, err := strconv.ParseInt(mark, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("mark: %w", err)
	}
	return b.get(ctx, off)
}

func (b body) get(ctx context.Context, off int64) (io.ReadCloser, error) {
	r, err := b.client.Get(ctx, b.object, off)
	if err != nil {
		return nil, err // not a nil *Reader in the interface
	}
	return r, nil
}
