package git

import (
	"context"
	"fmt"
	"regexp"
	"sync"

	"sluice/internal/check"
	"sluice/internal/git"
	"sluice/internal/glob"
	"sluice/pipeline"
)

// source reads the files of a commit.
type source struct {
	config           Config
	include, exclude []*regexp.Regexp
	news             bool // passes take what is new
	scratch          string
}

// Need implements [pipeline.Sized]: what is read of git's output, and a batch of
// paths. What git itself takes is no memory of this process.
func (*source) Need() (lane, shared int64) { return 2 << 20, 0 }

// wants says whether a file is one of those that were asked for.
func (s *source) wants(key string) bool {
	return (len(s.include) == 0 || glob.Match(s.include, key)) && !glob.Match(s.exclude, key)
}

// narrow says that not all of a commit is wanted.
func (s *source) narrow() bool {
	return s.config.dir() != "" || len(s.include)+len(s.exclude) > 0
}

// Open implements [pipeline.Source].
func (s *source) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Reader, error) {
	r, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	r.pass = p
	return r, nil
}

func (s *source) reader(ctx context.Context) (*reader, error) {
	remote, err := s.config.Remote()
	if err != nil {
		return nil, err
	}
	repo, err := git.Create(ctx, s.scratch, remote)
	if err != nil {
		return nil, err
	}
	return &reader{source: s, repo: repo, have: map[git.OID]bool{}, shelf: shelf{repo: repo}}, nil
}

// Check implements [check.Checker]: what would be read. It fetches no contents.
func (s *source) Check(ctx context.Context, rep *check.Report) error {
	r, err := s.reader(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	commit, err := r.tip(ctx, false)
	if err != nil {
		return err
	}
	files := 0
	if err := r.tree(ctx, spec{Commit: commit}, func(f file) error {
		if f.what == present {
			files++
		}
		return nil
	}); err != nil {
		return err
	}
	rep.Say("%s: commit %s, %d files", s.config.Location(), commit, files)
	rep.Load.Objects = int64(files)
	rep.Unread = "it would fetch the contents of the repository"
	return nil
}

// reader reads one pass. It implements [pipeline.Reader].
type reader struct {
	*source
	repo  *git.Repo
	pass  *pipeline.Pass
	shelf shelf

	mu   sync.Mutex // held while commits are fetched
	have map[git.OID]bool
}

// Close implements [pipeline.Reader].
func (r *reader) Close() error { return r.repo.Close() }

// tip fetches the commit that a new pass reads.
func (r *reader) tip(ctx context.Context, contents bool) (git.OID, error) {
	id, err := r.repo.Fetch(ctx, git.Want{Ref: r.config.Ref(), OID: git.OID(r.config.Commit), Blobs: contents})
	if err != nil {
		return "", err
	}
	switch {
	case id == "" && r.config.Commit != "":
		return "", fmt.Errorf("%s has no commit %s", r.config.Location(), r.config.Commit)
	case id == "":
		return "", fmt.Errorf("%s: there is no such branch, or it has no commit", r.config.Location())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.have[id] = true
	return id, nil
}

// fetch fetches the commits of a lane, unless they are here.
func (r *reader) fetch(ctx context.Context, s spec) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ok, err := r.commit(ctx, s.Base, false); err != nil || !ok {
		return orGone(err, "commit %s, which the last complete pass has read, is no longer at %s, so that it cannot be known what was deleted since: "+
			"push it there again, under any name, or begin anew with sluice checkpoint reset, and then delete what is too much", s.Base, r.config.Location())
	}
	if ok, err := r.commit(ctx, s.Commit, r.contents()); err != nil || !ok {
		return orGone(err, "commit %s, which the interrupted pass reads, is no longer at %s: "+
			"push it there again, under any name, or begin anew with sluice checkpoint reset", s.Commit, r.config.Location())
	}
	return nil
}

// contents says that contents are fetched together with the commit. Later the
// sink may have most of them.
func (r *reader) contents() bool { return r.pass.Number == 1 && !r.narrow() }

// commit fetches a commit, unless it is here. It is not ok if nobody has it.
func (r *reader) commit(ctx context.Context, id git.OID, contents bool) (ok bool, err error) {
	if id == "" || r.have[id] {
		return true, nil
	}
	got, err := r.repo.Fetch(ctx, git.Want{OID: id, Blobs: contents})
	if err != nil || got == "" {
		return false, err
	}
	r.have[id] = true
	return true, nil
}

// orGone is the error, or that a commit is gone.
func orGone(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return fmt.Errorf(format, args...)
}
