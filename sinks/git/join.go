package git

import (
	"context"
	"fmt"

	"sluice/internal/git"
	"sluice/internal/mirror"
)

// step is a path that is there, or that the source has.
type step struct {
	path string
	was  git.Entry // what is there; without a Mode: nothing
	is   git.Entry // what is to be there, likewise
	fate fate
}

// same says whether nothing is to be done.
func (s step) same() bool { return s.was.Mode == s.is.Mode && s.was.OID == s.is.OID }

// join calls f for each path that is on the branch below path, or that this walk
// has taken, in byte order.
func (w *writer) join(ctx context.Context, f func(step) error) error {
	there := mirror.Cursor[git.Entry]{Page: w.base.list.page}
	rows := mirror.Cursor[row]{Page: rowPage(w.pass.Store)}
	var taken int64
	for {
		e, err := there.Peek(ctx)
		if err != nil {
			return err
		}
		r, err := rows.Peek(ctx)
		if err != nil {
			return err
		}
		var s step
		var fact *row
		switch {
		case e == nil && r == nil:
			return w.complete(taken)
		case r == nil || e != nil && e.Key < r.Key:
			s = step{path: e.Key, was: e.Value}
			there.Pass()
		case e == nil || r.Key < e.Key:
			s = step{path: r.Key}
			fact = &r.Value
			rows.Pass()
		default:
			s = step{path: r.Key, was: e.Value}
			fact = &r.Value
			there.Pass()
			rows.Pass()
		}
		s.fate = w.seen.of(s.path)
		switch {
		case s.fate == kept:
			s.is = s.was
		case s.fate.taken() && fact != nil:
			taken++
			s.is = git.Entry{Path: s.path, Mode: git.Regular, OID: fact.Blob, Size: fact.Size}
		case s.fate == unseen && fact != nil:
			w.stale = true
		}
		if s.was.Mode == 0 && s.is.Mode == 0 {
			continue
		}
		if err := f(s); err != nil {
			return err
		}
	}
}

// complete fails if a row is missing: its file would be deleted.
func (w *writer) complete(taken int64) error {
	if want := w.seen.taken(); taken != want {
		return fmt.Errorf("state: %d of %d files of this pass are not in it", want-taken, want)
	}
	return nil
}
