package file

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"sluice/internal/check"
	"sluice/internal/disk"
	"sluice/internal/roll"
)

// Check implements [check.Checker]: where files would go, and whether they may.
// It makes nothing.
func (s *sink) Check(_ context.Context, r *check.Report) error {
	dir := absolute(s.Path)
	r.Say("files go to %s", filepath.Join(dir, s.Key))
	if err := disk.Writable(dir); err != nil {
		return err
	}
	r.Add("make files", nil)
	free, err := disk.Free(dir)
	if err != nil {
		return err
	}
	r.Free = free
	if s.existing(dir) && r.Fresh {
		fate := "those of others are not replaced (overwrite: own): a name that one of them has ends the pass"
		switch {
		case s.Mirror:
			fate = "what the source does not have is deleted if this pipeline made it"
		case s.Overwrite == roll.Always:
			fate = "what has a name of the pass is replaced, whoever made it (overwrite: always)"
		case s.Overwrite == roll.Never:
			fate = "a name that one of them has ends the pass (overwrite: never)"
		}
		r.Warn("%s holds files already: %s; in another path, or with {pass} in the key, they are left alone", dir, fate)
	}
	return nil
}

// existing says whether there is a file.
func (s *sink) existing(dir string) bool {
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			return fs.ErrExist
		}
		return nil
	})
	return errors.Is(err, fs.ErrExist)
}

// Estimate implements [check.Estimator].
func (s *sink) Estimate(in check.Load) (objects, requests int64) { return s.spec.Objects(in), -1 }

// Rolled says whether a file holds several items, and ends with a pass.
func (s *sink) Rolled() bool { return s.spec.Key.Rolled() }
