package git

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"sluice/internal/crash"
	"sluice/internal/git"
	"sluice/internal/kind"
	"sluice/internal/pace"
	"sluice/pipeline"
)

// Finish implements [pipeline.Writer]: it makes the branch what the source had.
// As long as other writers are first, it does so on what they have made.
func (w *writer) Finish(ctx context.Context) error {
	if w.finished {
		return nil
	}
	// the factor makes it full jitter: anything from nothing to twice the interval
	pause := backoff.ExponentialBackOff{InitialInterval: 100 * time.Millisecond, RandomizationFactor: 1, Multiplier: 2, MaxInterval: 2 * time.Second}
	begin := time.Now()
	for n := 1; ; n++ {
		err := w.attempt(ctx)
		if err == nil {
			break
		}
		if !errors.Is(err, git.ErrRaced) {
			return err
		}
		if spent := time.Since(begin); spent > time.Duration(w.Retry) {
			return fmt.Errorf("%w (%d times in %s)", err, n, spent.Round(time.Second))
		}
		pipeline.Retried(ctx, "raced")
		if err := pace.Sleep(ctx, pause.NextBackOff()); err != nil {
			return err
		}
		if err := w.renew(ctx); err != nil {
			return err
		}
	}
	w.say(ctx)
	if w.env.DryRun != nil {
		return nil
	}
	w.finished = true
	if !w.stale {
		return nil
	}
	return w.forget()
}

// renew makes the tip that the branch has now the base.
func (w *writer) renew(ctx context.Context) (err error) {
	old := w.base.list
	if w.base, err = w.fetch(ctx); err != nil {
		return errors.Join(err, old.Close())
	}
	if w.Remember == inRepository {
		w.memory.tip, err = w.repo.Resolve(ctx, w.memoryRef())
	}
	return errors.Join(err, old.Close())
}

// attempt makes the commits and pushes them, if there is something to do.
func (w *writer) attempt(ctx context.Context) error {
	p, err := w.survey(ctx)
	if err != nil {
		return err
	}
	defer p.log.Close()
	if w.env.DryRun != nil { // also says what is too much
		if err := w.rehearse(p); err != nil {
			return err
		}
		return w.allowed(p)
	}
	if err := w.allowed(p); err != nil {
		return err
	}
	w.top.Store(p.top.n)
	d, err := w.dump(ctx)
	if err != nil {
		return err
	}
	if d != nil {
		defer d.file.Close()
	}
	if p.all() == 0 && d == nil {
		return nil
	}
	made, err := w.commit(ctx, p, d)
	if err != nil {
		return err
	}
	crash.Point(crash.AfterImport)
	return w.push(ctx, p, made)
}

// rehearse says what a dry run would delete.
func (w *writer) rehearse(p *plan) error {
	for _, g := range p.groups {
		err := p.log.each(g.deletes, func(e git.Entry) error {
			w.env.DryRun(kind.Change{What: kind.Gone, Name: e.Path, Size: -1})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// push moves the branch.
func (w *writer) push(ctx context.Context, p *plan, made commits) error {
	for _, part := range made.parts {
		if err := w.pushPart(ctx, part); err != nil {
			return err
		}
	}
	var updates []git.Update
	if made.tip != "" {
		updates = append(updates, git.Update{Ref: w.Ref(), Old: w.base.tip, New: made.tip})
	}
	if made.memory != "" {
		updates = append(updates, git.Update{Ref: w.memoryRef(), Old: w.memory.tip, New: made.memory})
	}
	if w.staged != "" {
		updates = append(updates, git.Update{Ref: w.stageRef(), Old: w.staged})
	}
	if err := w.repo.Push(ctx, updates...); err != nil {
		return err
	}
	crash.Point(crash.AfterPush)
	w.mu.Lock()
	w.deleted += p.deleted
	w.mu.Unlock()
	pipeline.Logger(ctx).Info("pushed", "commit", string(made.tip), "commits", len(p.groups), "added", p.added, "changed", p.changed, "deleted", p.deleted, "sent", w.repo.Sent())
	return nil
}

// forget removes the rows of paths that the source no longer has.
func (w *writer) forget() error {
	for from, last := "", false; !last; {
		var gone []pipeline.Row
		err := w.pass.Store.Range(bucket, from, func(path string, _ []byte) error {
			if w.seen.of(path) != unseen {
				return nil
			}
			if len(gone) == page {
				from = path
				return errFull
			}
			gone = append(gone, pipeline.Row{Bucket: bucket, Key: path})
			return nil
		})
		last = err == nil
		if err != nil && !errors.Is(err, errFull) {
			return err
		}
		if len(gone) == 0 {
			continue
		}
		if err := w.pass.Store.Put(gone...); err != nil {
			return err
		}
	}
	return nil
}

var errFull = errors.New("page is full")
