package git

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/internal/git"
)

// plan is what is to be done to the branch.
type plan struct {
	counts
	there  int64             // files below path, before
	log    *entries          // the changes, in order of paths; one without a Mode is deleted
	groups map[string]*group // by directories
	top    tops
	far    []git.OID // blobs that the branch needs and our repository does not have
}

// group is the changes of a commit: where they begin in the log.
type group struct {
	counts
	summary          *summary
	deletes, changes []int64
}

// survey compares the branch with what this walk has seen. What it makes is to
// be closed.
func (w *writer) survey(ctx context.Context) (p *plan, err error) {
	p = &plan{groups: map[string]*group{}}
	if p.log, err = newEntries(w.env.Scratch); err != nil {
		return nil, err
	}
	conflicts := w.paths.Conflicts()
	width := widths{note: w.note}
	err = w.join(ctx, func(s step) error {
		if s.was.Mode != 0 {
			p.there++
		}
		if s.is.Mode != 0 {
			width.add(s.path)
			p.top.add(strings.TrimPrefix(s.path, w.paths.Dir()))
		}
		if s.same() {
			return nil
		}
		if s.was.Mode == 0 {
			conflicts.Add(s.path)
		}
		if s.is.Size > hostFile {
			w.note(hugeFile, s.path)
		}
		return p.add(s, w.groupOf(s.path))
	})
	if err == nil {
		err = p.log.out.Flush()
	}
	if err == nil && p.added > 0 {
		err = conflicts.Check(func(yield func(string) error) error {
			return w.join(ctx, func(s step) error {
				if s.is.Mode == 0 {
					return nil
				}
				return yield(s.path)
			})
		})
	}
	if err != nil {
		p.log.Close()
		return nil, err
	}
	return p, nil
}

// tops counts the directories in which files are, among paths in order.
type tops struct {
	n    int64
	last string
}

func (t *tops) add(path string) {
	if dir, _, ok := strings.Cut(path, "/"); ok && dir != t.last {
		t.n++
		t.last = dir
	}
}

// groupOf is the directories that tell of which commit a path is.
func (w *writer) groupOf(path string) string {
	rest := strings.TrimPrefix(path, w.paths.Dir())
	return first(rest[:max(0, strings.LastIndexByte(rest, '/'))], w.Group)
}

// add adds a change.
func (p *plan) add(s step, name string) error {
	g := p.groups[name]
	if g == nil {
		g = &group{summary: newSummary()}
		p.groups[name] = g
	}
	at, err := p.log.add(git.Entry{Path: s.path, Mode: s.is.Mode, OID: s.is.OID, Size: s.is.Size})
	if err != nil {
		return err
	}
	var n counts
	switch {
	case s.is.Mode == 0:
		n.deleted = 1
		g.deletes = append(g.deletes, at)
	case s.was.Mode == 0:
		n.added = 1
		g.changes = append(g.changes, at)
	default:
		n.changed = 1
		g.changes = append(g.changes, at)
	}
	if s.fate == held {
		p.far = append(p.far, s.is.OID)
	}
	p.counts, g.counts = p.plus(n), g.plus(n)
	g.summary.add(s.path, n)
	return nil
}

// allowed fails if too much would be deleted.
func (w *writer) allowed(p *plan) error {
	if most := w.MaxDelete.Of(p.there); p.deleted > most {
		return fmt.Errorf("%d of %d files below %s of %s are to be deleted, more than max_delete: %s allows: nothing was pushed; if the source is as it should be, run with --max-delete %d, or raise max_delete",
			p.deleted, p.there, w.Path, w.Location(), w.MaxDelete, p.deleted)
	}
	return nil
}

// names of the groups, in order.
func (p *plan) names() []string { return slices.Sorted(maps.Keys(p.groups)) }
