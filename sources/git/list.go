package git

import (
	"context"
	"fmt"
	"strings"

	"sluice/internal/git"
)

// what says what became of a path.
type what int

const (
	other   what = iota // it is no file
	present             // it is one, of these contents
	deleted             // it was one
)

// file is a path that a lane comes to.
type file struct {
	key  string // below the directory that is read
	what what
	blob git.OID
	size int64 // in bytes; -1: not known
}

// whole says that a lane reads a tree, and not a difference.
func (s spec) whole() bool { return s.Base == "" || s.All }

// tree yields what is in the commit, in byte order of keys.
func (r *reader) tree(ctx context.Context, s spec, yield func(file) error) error {
	o := r.ordered(yield)
	some := false
	err := r.repo.Tree(ctx, s.Commit, r.config.dir(), func(e git.Entry) error {
		some = true
		f := file{what: other, blob: e.OID, size: e.Size}
		if e.Mode.File() {
			f.what = present
		}
		return o.take(e.Path, f)
	})
	if err == nil && !some && s.Base == "" && r.config.dir() != "" {
		return fmt.Errorf("%s: commit %s has no directory %s", r.config.Location(), s.Commit, r.config.dir())
	}
	return err
}

// changes yields what differs between the base and the commit, in byte order of
// keys. Contents that are the same are no difference, whatever their mode.
func (r *reader) changes(ctx context.Context, s spec, yield func(file) error) error {
	o := r.ordered(yield)
	return r.repo.Diff(ctx, s.Base, s.Commit, r.config.dir(), func(c git.Change) error {
		was, is := c.Old != "" && c.OldMode.File(), c.New != "" && c.NewMode.File()
		f := file{what: other, blob: c.New, size: -1}
		switch {
		case is && was && c.Old == c.New, !is && !was && c.New == "":
			return nil
		case is:
			f.what = present
		case was:
			f.what = deleted
		}
		return o.take(c.Path, f)
	})
}

// ordered yields what is wanted, as long as it comes in order: who goes on after
// a key would else lose what came before it.
type ordered struct {
	*reader
	yield func(file) error
	last  string
}

func (r *reader) ordered(yield func(file) error) *ordered {
	return &ordered{reader: r, yield: yield}
}

func (o *ordered) take(path string, f file) error {
	if path <= o.last {
		return fmt.Errorf("git lists %q after %q: that is no order of a tree", path, o.last)
	}
	o.last = path
	f.key = path
	if d := o.config.dir(); d != "" {
		f.key = strings.TrimPrefix(path, d+"/")
	}
	if !o.wants(f.key) {
		return nil
	}
	return o.yield(f)
}
