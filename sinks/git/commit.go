package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sluice/internal/git"
)

// refs of our repository, on which commits are made.
const (
	madeRef  = "refs/sluice/made"
	partsRef = "refs/sluice/parts"
	factsRef = "refs/sluice/facts"
)

// commits are those that are to be pushed.
type commits struct {
	parts  []git.OID // go to a ref of our own first
	tip    git.OID   // of the branch; "": it stays
	memory git.OID   // "": it stays
}

// commit makes the commits of a plan, and one of what is remembered.
func (w *writer) commit(ctx context.Context, p *plan, d *dump) (made commits, err error) {
	if len(p.far) > 0 { // others have changed what was left out
		if err := w.repo.Prefetch(ctx, p.far); err != nil {
			return made, err
		}
	}
	w.importing.Lock()
	defer w.importing.Unlock()
	im, err := w.importer(ctx)
	if err != nil {
		return made, err
	}
	w.im = nil
	defer func() { err = errors.Join(err, im.Close()) }()
	if d != nil {
		if err := im.Blob(d.size, io.NewSectionReader(d.file, 0, d.size)); err != nil {
			return made, err
		}
	}
	parts, err := w.parts(im, p)
	if err != nil {
		return made, err
	}
	if err := w.groups(im, p); err != nil {
		return made, err
	}
	if d != nil {
		im.Begin(w.draft(factsRef, "", "Sluice: what the files of pipeline "+w.pass.Pipeline+" were made of"))
		im.Modify(factsFile, d.blob)
	}
	ids, err := im.Done()
	if err != nil {
		return made, err
	}
	made.parts = ids[:parts]
	if n := len(p.groups); n > 0 {
		made.tip = ids[parts+n-1]
	}
	if d != nil {
		made.memory = ids[len(ids)-1]
	}
	if made.tip != "" && w.Sign.Key != "" {
		made.tip, err = w.repo.Sign(ctx, w.base.tip, made.tip, git.Signing{Format: w.Sign.Format, Key: w.Sign.Key})
	}
	return made, err
}

// groups makes the commits of the branch.
func (w *writer) groups(im *git.Import, p *plan) error {
	for _, name := range p.names() {
		g := p.groups[name]
		text := about{counts: g.counts, group: name, pipeline: w.pass.Pipeline, source: w.env.Source, pass: w.pass.Number, summary: g.summary}
		im.Begin(w.draft(madeRef, w.base.tip, text.message(w.Message)))
		err := p.log.each(g.deletes, func(e git.Entry) error { im.Delete(e.Path); return nil })
		if err == nil { // after those: a directory may take the place of a file
			err = p.log.each(g.changes, func(e git.Entry) error { im.Modify(e.Path, e.OID); return nil })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// draft is a commit without its files.
func (w *writer) draft(ref string, parent git.OID, text string) git.Commit {
	author := git.Person{Name: w.Author.Name, Email: w.Author.Email}
	committer := git.Person{Name: cmp.Or(w.Committer.Name, author.Name), Email: cmp.Or(w.Committer.Email, author.Email)}
	return git.Commit{Ref: ref, Parent: parent, Author: author, Committer: committer, When: time.Now().UTC(), Message: text}
}

// parts makes commits of parts of the new files, if they are too many bytes for
// one push, and says how many.
func (w *writer) parts(im *git.Import, p *plan) (n int, err error) {
	if w.imported <= w.stage || w.staged != "" {
		return 0, nil
	}
	in, size := p.log.read(0), w.stage
	for {
		e, _, err := next(in)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if e.Mode == 0 {
			continue
		}
		if size >= w.stage {
			n++
			size = 0
			im.Begin(w.draft(partsRef, w.base.tip, "Sluice: a part of what pipeline "+w.pass.Pipeline+" is about to push"))
		}
		if e.Size > hostPush {
			w.note(hugePush, e.Path)
		}
		im.Modify(e.Path, e.OID)
		size += e.Size
	}
}

// stageSize is so much that hosts take it in one push.
const stageSize = 1 << 30

// stageRef is the ref at the remote to which parts are pushed.
func (w *writer) stageRef() string { return "refs/sluice/staging/" + refName(w.pass.Pipeline) }

// pushPart pushes one part. What a killed run left on the ref is in the way.
//
// A push leaves out files of commits that are not its ancestors, as parts are
// not, only from a repository whose history is cut off. One that began with an
// empty branch has that cut off once it has fetched the first part.
func (w *writer) pushPart(ctx context.Context, part git.OID) error {
	first := w.staged == ""
	if first {
		left, err := w.repo.Resolve(ctx, w.stageRef())
		if err == nil && left != "" {
			err = w.repo.Push(ctx, git.Update{Ref: w.stageRef(), Old: left})
		}
		if err != nil {
			return err
		}
	}
	if err := w.repo.Push(ctx, git.Update{Ref: w.stageRef(), Old: w.staged, New: part}); err != nil {
		return fmt.Errorf("part: %w", err)
	}
	w.staged = part
	if !first || w.base.tip != "" {
		return nil
	}
	_, err := w.repo.Fetch(ctx, git.Want{Ref: w.stageRef()})
	return err
}
