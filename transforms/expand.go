package transforms

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"sluice/internal/kind"
	"sluice/pipeline"
)

// codec decompresses the members of a source: the parts of it that need
// nothing of what comes before them. A frame of zstd is one.
type codec interface {
	// next begins with the member at which the source is. It is io.EOF if
	// there is none: the source has been read to its end.
	next() error
	// Read gives the bytes of the member, and io.EOF when the source is right
	// behind it.
	io.Reader
	// free gives back memory; the codec is not used again.
	free()
}

// format makes codecs.
type format struct {
	name string // in marks
	open func(*source) codec
}

// expander is a transform that decompresses. It is safe for several lanes.
type expander struct {
	pipeline.View
	need int64
}

// newExpander returns an expander whose codecs take size bytes at most.
func newExpander(size int64, expand func(*pipeline.Item) expanded) expander {
	return expander{func(it *pipeline.Item) pipeline.Body {
		b := expand(it)
		b.of, b.size = it.Body, it.Size
		return &b
	}, sourceSize + size}
}

// Need implements [pipeline.Sized].
func (e expander) Need() (lane, shared int64) { return e.need, 0 }

// bytesOnly is the Form of a transform that expands.
func bytesOnly(name string, in kind.Form) (kind.Form, *kind.Problem) {
	if in == kind.Records {
		return "", &kind.Problem{Message: "what comes in is records in clear; remove " + name}
	}
	return kind.Bytes, nil
}

// expanded is a body that is decompressed while it is read. It can be entered
// where a member begins.
type expanded struct {
	of       pipeline.Body
	size     int64 // of that, or -1
	maxRatio int64
	formats  []format
	detect   func(*source) (format, error) // which one it is in; nil: the first
}

// Open implements [pipeline.Body].
func (b *expanded) Open(ctx context.Context) (io.ReadCloser, error) {
	return b.open(ctx, place{}, b.detect)
}

// OpenFrom implements [pipeline.OpenFrom].
func (b *expanded) OpenFrom(ctx context.Context, mark string) (io.ReadCloser, error) {
	name, at, err := parseMark(mark)
	if err != nil {
		return nil, err
	}
	return b.open(ctx, at, func(*source) (format, error) {
		for _, f := range b.formats {
			if f.name == name {
				return f, nil
			}
		}
		return format{}, fmt.Errorf("mark %q is of no format that is read here", mark)
	})
}

// open opens a reader of what comes after at.
func (b *expanded) open(ctx context.Context, at place, detect func(*source) (format, error)) (io.ReadCloser, error) {
	src, err := b.enter(ctx, at.in)
	if err != nil {
		return nil, err
	}
	r := &reader{src: src, format: b.formats[0], at: at, out: at.out, maxRatio: b.maxRatio}
	if detect != nil {
		r.format, err = detect(src)
	}
	if err == nil {
		r.codec = r.format.open(src)
		err = r.next()
	}
	if err != nil && err != io.EOF {
		err = r.explain(err)
		r.Close()
		return nil, err
	}
	r.err = err
	return r, nil
}

// enter opens the compressed body at a byte. If it can only be read from the
// beginning, what comes before is read and forgotten.
func (b *expanded) enter(ctx context.Context, at int64) (*source, error) {
	if of, ok := pipeline.ByOffset(b.of); ok && at > 0 {
		body, err := of.OpenFrom(ctx, strconv.FormatInt(at, 10))
		if err != nil {
			return nil, err
		}
		return newSource(body, at, b.size), nil
	}
	body, err := b.of.Open(ctx)
	if err != nil {
		return nil, err
	}
	src := newSource(body, 0, b.size)
	if err := src.skip(ctx, at); err != nil {
		src.free()
		body.Close()
		return nil, err
	}
	return src, nil
}
