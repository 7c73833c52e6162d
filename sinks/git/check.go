package git

import (
	"context"
	"errors"

	"sluice/internal/check"
	"sluice/internal/git"
)

// Check implements [check.Checker]: where the next commit would be made, and
// whether it may be pushed. It pushes nothing.
func (s *sink) Check(ctx context.Context, r *check.Report) (err error) {
	repo, err := git.Create(ctx, s.env.Scratch, s.remote)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(repo)) }()
	tip, err := repo.Resolve(ctx, s.Ref())
	if err != nil {
		return err
	}
	if err := repo.MayPush(ctx); err != nil && !errors.As(err, new(*git.Refused)) {
		r.Add("push", check.Unsure(err))
	} else {
		r.Add("push", err)
	}
	if tip == "" {
		r.Say("%s: the branch is not there: the first pass makes it", s.Location())
		return nil
	}
	r.Say("%s: commits go on top of %.12s, files below %s", s.Location(), tip, s.Path)
	if r.Fresh {
		r.Warn("branch %s exists: files below %q that the source does not have are deleted by a commit, at most max_delete: %v of them; give it a path of its own if others write there", s.Branch, s.Path, s.MaxDelete)
	}
	return nil
}

// Estimate implements [check.Estimator].
func (s *sink) Estimate(in check.Load) (objects, requests int64) { return in.Objects, -1 }
