package pipeline

import (
	"context"
	"fmt"
	"io"
)

// View is a [Transform] that shows each body in another form, decompressed for
// example. It gets the item with the body as it is, and returns the body to
// put in its place, which reads the one before it when it is opened and not
// sooner. If that body implements [OpenFrom] and its readers [Marker], the
// item can be entered at their marks. The size becomes unknown; records,
// positions, notes and counts stay.
//
// Errors of the body name the stage and the item, whoever reads it. Memory
// that the body before it holds is released with the item.
type View func(it *Item) Body

// Run implements [Transform].
func (v View) Run(ctx context.Context, in <-chan *Item, out chan<- *Item) error {
	for {
		it, ok, err := Receive(ctx, in)
		if !ok {
			return err
		}
		if it.Body != nil {
			it.show(ctx, v(it))
		}
		if err := Send(ctx, out, it); err != nil {
			return err
		}
	}
}

// show puts a body that reads the item's body in its place.
func (it *Item) show(ctx context.Context, b Body) {
	s, _ := ctx.Value(stageKey{}).(stage)
	v := &view{Body: b, of: it.Body, stage: s.name, key: it.Key}
	it.Body, it.Size = v, -1
	if at, ok := b.(OpenFrom); ok {
		it.Body = entered{v, at}
	}
}

// view is a body that reads another.
type view struct {
	Body
	of         Body
	stage, key string
}

// entered is a view that can be entered in its middle.
type entered struct {
	*view
	at OpenFrom
}

// Open implements [Body].
func (v *view) Open(ctx context.Context) (io.ReadCloser, error) {
	return v.named(v.Body.Open(ctx))
}

// OpenFrom implements [OpenFrom].
func (e entered) OpenFrom(ctx context.Context, mark string) (io.ReadCloser, error) {
	return e.named(e.at.OpenFrom(ctx, mark))
}

// Release gives back the memory of the body that is read.
func (v *view) Release() { release(v.of) }

// Renew implements [Renewer].
func (v *view) Renew(ctx context.Context, why error) (bool, error) {
	if r, ok := v.of.(Renewer); ok {
		return r.Renew(ctx, why)
	}
	return false, nil
}

func (v *view) named(r io.ReadCloser, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, v.name(err)
	}
	return &viewReader{r, v}, nil
}

// name says in which stage, and of which item, an error is.
func (v *view) name(err error) error {
	if v.stage == "" { // outside a run
		return fmt.Errorf("%s: %w", v.key, err)
	}
	return fmt.Errorf("%s: %s: %w", v.stage, v.key, err)
}

// viewReader is a reader whose errors have names.
type viewReader struct {
	io.ReadCloser
	view *view
}

// Read implements io.Reader.
func (r *viewReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = r.view.name(err)
	}
	return n, err
}

// Mark implements [Marker].
func (r *viewReader) Mark() (string, int64) {
	if m, ok := r.ReadCloser.(Marker); ok {
		return m.Mark()
	}
	return "", 0
}

// ByOffset gives a body as one that is entered at byte offsets, as those of
// sources are, and no view is.
func ByOffset(b Body) (OpenFrom, bool) {
	if _, shown := b.(entered); shown {
		return nil, false
	}
	o, ok := b.(OpenFrom)
	return o, ok
}
