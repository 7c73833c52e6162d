package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"sluice/internal/roll"
	"sluice/pipeline"
)

// Sweep implements [roll.Target].
func (w *writer) Sweep(ctx context.Context, prefix string, owner roll.Owner, stale func(key string) bool) error {
	return w.rows.each(prefix, func(key string, theirs roll.Owner) (remove bool, err error) {
		if !owner.Stale(theirs) || !stale(key) {
			return false, ctx.Err()
		}
		err = w.unlink(key)
		return err == nil, err
	})
}

// Remove implements [roll.Target].
func (w *writer) Remove(_ context.Context, key string, owner roll.Owner) (stays bool, err error) {
	theirs, err := w.rows.get(key)
	if err != nil {
		return false, err
	}
	exists, err := w.folder.Exists(key)
	if err != nil {
		return false, fmt.Errorf("%s: %w", key, err)
	}
	if exists {
		if may, err := roll.Removable(w.Overwrite, key, owner, theirs); err != nil || !may {
			return !may, err
		}
	}
	return false, w.remove(key)
}

// remove removes a file, if it is there, and its row. The row goes last,
// because it says whose the file is. A run that was killed may have removed the
// file and not have made that durable.
func (w *writer) remove(key string) error {
	if err := w.unlink(key); err != nil {
		return err
	}
	return w.rows.Put(pipeline.Row{Bucket: bucket, Key: key})
}

// unlink removes a file durably. One that is gone is no error: then its
// directory may be, too.
func (w *writer) unlink(key string) error {
	err := w.folder.Remove(key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := w.folder.Sync(path.Dir(key)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
