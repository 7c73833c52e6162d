package roll

import (
	"context"
	"fmt"

	"sluice/pipeline"
)

// remove removes the object of an item that no longer exists at the source. It
// comes after all that the lane wrote under the key before, and is over when
// the lane takes the next item: who has several objects of a lane under way at
// a time lets it wait for the one of this key.
func (w *Writer) remove(ctx context.Context, lane pipeline.Lane, it *pipeline.Item) error {
	if f := w.key.Passing(); f != "" && !lane.Aside {
		return fmt.Errorf("%s: it was deleted at the source, and {%s} does not say what its object is called: leave it out of the key", it.Key, f)
	}
	key, err := w.KeyOf(lane, it)
	if err != nil {
		return err
	}
	stays, err := w.target.Remove(ctx, key, w.ownerOf(lane, it))
	if err != nil {
		return err
	}
	if stays {
		pipeline.Logger(ctx).Warn("deleted at the source, but what has its key was not made by this pipeline: it stays", "key", key)
	}
	var notes []pipeline.Row
	if w.notes != nil {
		notes = w.notes.Removed(key)
	}
	var u pipeline.Unit
	u.Add(it)
	return u.Done("", notes...)
}

// Removable says whether an object that exists under the name and is of theirs
// (nil: not known) may be removed because the source no longer has the item
// that mine names. What is another's stays: then ours is gone already.
func Removable(overwrite, name string, mine Owner, theirs *Owner) (bool, error) {
	switch {
	case overwrite == Always:
		return true, nil
	case theirs == nil || !mine.Replaces(*theirs):
		return false, nil
	case overwrite == Never && theirs.Pass != mine.Pass:
		return false, fmt.Errorf("%s was deleted at the source, and is of pass %d, this is pass %d: overwrite: never keeps it; set overwrite: own", name, theirs.Pass, mine.Pass)
	}
	return true, nil
}
