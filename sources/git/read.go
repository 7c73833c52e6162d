package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"sluice/internal/span"
	"sluice/pipeline"
)

// place is how far a lane is: in what was deleted, which comes first, or in the
// files.
type place struct {
	files bool
	key   string
}

const (
	inDeleted = "-"
	inFiles   = "+"
)

func (p place) position() pipeline.Position {
	if p.files {
		return pipeline.Position{Token: inFiles + span.Token(p.key)}
	}
	return pipeline.Position{Token: inDeleted + span.Token(p.key)}
}

func parsePlace(token string) (p place, err error) {
	if token == "" {
		return p, nil
	}
	sign, rest := token[:1], token[1:]
	if sign != inDeleted && sign != inFiles {
		return p, fmt.Errorf("position %q is none", token)
	}
	key, err := span.Untoken(rest)
	return place{sign == inFiles, key}, err
}

// Read implements [pipeline.Reader].
func (r *reader) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	s, err := parseSpec(lane.Spec)
	if err != nil || s.nothing() {
		return err
	}
	at, err := parsePlace(from.Token)
	if err != nil {
		return err
	}
	if err := r.fetch(ctx, s); err != nil {
		return err
	}
	w := &walk{reader: r, spec: s, lane: lane, out: out}
	if !at.files {
		if err := w.gone(ctx, at.key); err != nil {
			return err
		}
		at.key = ""
	}
	return w.files(ctx, at.key, from)
}

// walk is one call of Read.
type walk struct {
	*reader
	spec
	lane pipeline.Lane
	out  chan<- *pipeline.Item
}

// errPast ends a walk at the end of the lane.
var errPast = errors.New("past the end of the lane")

// within gives what of a list lies in the lane, after a key.
func (w *walk) within(after string, of what, take func(file) error) func(file) error {
	after = max(after, string(w.After))
	last := w.lane.Part == w.lane.Parts-1
	return func(f file) error {
		switch {
		case !last && f.key > string(w.Last):
			return errPast
		case f.key <= after || f.what != of:
			return nil
		}
		return take(f)
	}
}

// gone sends what was deleted, after a key.
func (w *walk) gone(ctx context.Context, after string) error {
	if w.Base == "" || w.config.Deletes == ignore {
		return nil
	}
	err := w.changes(ctx, w.spec, w.within(after, deleted, func(f file) error {
		if !utf8.ValidString(f.key) {
			return nil // it could not be had when it was there
		}
		return pipeline.Send(ctx, w.out, &pipeline.Item{Key: f.key, Delete: true, Pos: place{key: f.key}.position()})
	}))
	return unlessPast(err)
}

// files sends the files after a key. If the lane goes on inside of one, that is
// the first, though patterns may name others before it by now.
func (w *walk) files(ctx context.Context, after string, from pipeline.Position) error {
	first := ""
	if from.Inner != "" {
		first = from.Key
	}
	list := w.changes
	if w.whole() {
		list = w.tree
	}
	b := w.batch()
	err := list(ctx, w.spec, w.within(after, present, func(f file) error {
		if f.key < first {
			return nil
		}
		if b.add(w.item(f, b)); !b.full() {
			return nil
		}
		full := b
		b = w.batch()
		return full.send(ctx, w.out)
	}))
	if err = unlessPast(err); err != nil {
		return err
	}
	return b.send(ctx, w.out)
}

func unlessPast(err error) error {
	if errors.Is(err, errPast) {
		return nil
	}
	return err
}

// item is a file.
func (w *walk) item(f file, b *batch) *pipeline.Item {
	it := &pipeline.Item{Key: f.key, Version: string(f.blob), Size: f.size, Records: -1, Pos: place{true, f.key}.position()}
	it.Body = &body{batch: b, blob: f.blob, size: f.size}
	if !utf8.ValidString(f.key) {
		it.Key, it.Size = fmt.Sprintf("%q", f.key), -1
		it.Body = pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) {
			return nil, fmt.Errorf("its name is not UTF-8: %w", pipeline.ErrGone)
		})
	}
	return it
}
