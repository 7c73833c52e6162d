package mirror

import (
	"context"

	"sluice/internal/kind"
	"sluice/pipeline"
)

// change is what becomes of an object of an item.
func change(same, there bool) kind.What {
	switch {
	case same:
		return kind.Same
	case there:
		return kind.Changed
	}
	return kind.New
}

func (w *Writer) say(what kind.What, key string, size int64) {
	w.config.DryRun(kind.Change{What: what, Name: w.target.Name(key), Size: size})
}

// rehearse serves a lane of a dry run. Skip has left out all that has a body.
func (w *Writer) rehearse(ctx context.Context, lane pipeline.Lane, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		key, err := w.KeyOf(lane, it)
		if err != nil {
			return err
		}
		w.say(kind.Gone, key, -1)
		if err := it.Done(); err != nil {
			return err
		}
	}
}
