package git

import (
	"context"
	"errors"
	"fmt"

	"sluice/internal/git"
)

// Check connects to the repository, and says where the next commit would be
// made. Whether the remote would take it, only a push can tell.
func (s *sink) Check(ctx context.Context) (found []string, err error) {
	repo, err := git.Create(ctx, s.env.Scratch, s.remote)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close(repo)) }()
	tip, err := repo.Resolve(ctx, s.Ref())
	if err != nil {
		return nil, err
	}
	if tip == "" {
		return []string{fmt.Sprintf("%s: the branch is not there: the first pass makes it", s.Location())}, nil
	}
	return []string{fmt.Sprintf("%s: commits go on top of %.12s, files below %s", s.Location(), tip, s.Path)}, nil
}
