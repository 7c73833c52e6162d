package roll

import (
	"context"
	"fmt"

	"sluice/pipeline"
)

// remove removes the object of an item that no longer exists at the source. It
// waits for what is under way under the key, and is over when the lane takes
// its next item.
func (s *singles) remove(ctx context.Context, it *pipeline.Item) error {
	if f := s.Key.Passing(); f != "" && !s.Aside {
		return fmt.Errorf("%s: it was deleted at the source, and {%s} does not say what its object is called: leave it out of the key", it.Key, f)
	}
	s.last = nil
	key, err := s.KeyOf(s.Lane, it)
	if err != nil {
		return err
	}
	if err := s.landed(ctx, key); err != nil {
		return err
	}
	stays, err := s.target.Remove(ctx, key, s.ownerOf(s.Lane, it))
	if err != nil {
		return err
	}
	if stays {
		pipeline.Logger(ctx).Warn("deleted at the source, but what has its key was not made by this pipeline: it stays", "key", key)
	}
	var notes []pipeline.Row
	if s.notes != nil {
		notes = s.notes.Removed(key)
	}
	if s.Manifest != nil && !stays {
		notes = append(notes, pipeline.Row{Bucket: manifestBucket, Key: passKey(s.pass) + key})
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
