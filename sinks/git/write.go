package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"sluice/internal/git"
	"sluice/internal/roll"
	"sluice/pipeline"
)

// Write implements [pipeline.Writer]. Items are taken in any order: no path is
// of two of them.
func (w *writer) Write(ctx context.Context, lane pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	defer w.leave(lane.Name)
	g, gctx := errgroup.WithContext(ctx)
	free := make(chan *content, w.together)
	for range w.together {
		free <- &content{dir: w.env.Scratch, most: int64(w.MaxFileSize), count: w.LargeFiles == pointer, copy: make([]byte, 32<<10)}
	}
	defer func() {
		for range w.together {
			(<-free).reset() // what it says does not matter any more
		}
	}()
	for {
		it, ok, err := pipeline.Receive(gctx, in)
		if err != nil {
			return cmp.Or(g.Wait(), err) // what failed first ended gctx
		}
		if !ok {
			return g.Wait()
		}
		c := <-free // one is free soon: each is given back, also after an error
		g.Go(func() error {
			defer func() { free <- c }()
			return w.take(gctx, lane, it, c)
		})
	}
}

func (w *writer) leave(lane string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.lanes, lane)
}

// take makes a blob of an item, or says why not.
func (w *writer) take(ctx context.Context, lane pipeline.Lane, it *pipeline.Item, c *content) error {
	if it.Delete { // what is not there is deleted anyway
		return it.Done()
	}
	if _, block := it.Body.(*pipeline.Block); block {
		return fmt.Errorf("%s: several items share this key, and a file is made of one: write them to objects or files first, and take those as the source", it.Key)
	}
	path, err := w.paths.Of(it.Key)
	if err != nil {
		return giveUp(ctx, it, err)
	}
	err = w.read(ctx, it, c)
	switch {
	case errors.Is(err, errLarge) && w.LargeFiles == skip:
		w.note(leftOut, it.Key)
		it.Release()
		it.Body, it.Size, it.Records = nil, 0, 0
		it.Counts.Skipped++
		return it.Done()
	case errors.Is(err, errLarge), errors.Is(err, pipeline.ErrGone):
		return giveUp(ctx, it, err)
	case err != nil:
		return err
	}
	return w.keep(ctx, lane, it, path, c)
}

// giveUp leaves what is at the path of an item as it is, or fails, as the
// pipeline is configured.
func giveUp(ctx context.Context, it *pipeline.Item, reason error) error {
	if err := it.GiveUp(ctx, reason); err != nil {
		return err
	}
	return it.Done()
}

// read reads an item to its end. One that others have taken the place of
// meanwhile is read from its beginning.
func (w *writer) read(ctx context.Context, it *pipeline.Item, c *content) error {
	for {
		err := w.once(ctx, it, c)
		if !errors.Is(err, pipeline.ErrGone) {
			return err
		}
		if renewed, rerr := it.Renew(ctx, err); rerr != nil || !renewed {
			return errors.Join(err, rerr)
		}
	}
}

func (w *writer) once(ctx context.Context, it *pipeline.Item, c *content) error {
	if err := c.reset(); err != nil {
		return err
	}
	size := it.Size
	if size <= c.most {
		n, err := roll.Copy(ctx, c, it, c.copy)
		if errors.Is(err, errLarge) {
			return fmt.Errorf("%s: %w: %s (see large_files)", it.Key, errLarge, w.MaxFileSize)
		}
		if err != nil {
			return err
		}
		size = n
	}
	switch {
	case size <= c.most:
		return nil
	case w.LargeFiles == pointer:
		w.note(pointed, it.Key)
		return c.set(fmt.Sprintf("This file stands for an object that is larger than %s.\nkey: %s\nversion: %s\nsize: %d\n", w.MaxFileSize, line(it.Key), line(it.Version), size))
	}
	return fmt.Errorf("%s: %w: %s, it has %d bytes (see large_files)", it.Key, errLarge, w.MaxFileSize, size)
}

// keep gives the content of an item to git, unless the branch has it at its path.
func (w *writer) keep(ctx context.Context, lane pipeline.Lane, it *pipeline.Item, path string, c *content) error {
	blob, err := c.blob(w.repo)
	if err != nil {
		return err
	}
	was, err := w.finders(lane.Name).once(ctx, path)
	if err != nil {
		return err
	}
	fact := row{Key: it.Key, Version: it.Version, Made: w.made, Blob: blob, Size: c.size}
	var u pipeline.Unit
	if is(was, blob) {
		w.seen.set(path, held)
		it.Size = 0
	} else {
		if err := w.put(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", it.Key, err)
		}
		w.seen.set(path, imported)
		it.Size, u.Counts.ObjectsWritten = c.size, 1
	}
	u.Add(it)
	return u.Done("", fact.at(path))
}

// once gives what is at a path on the branch.
func (f *finders) once(ctx context.Context, path string) (git.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, _, err := f.again.Find(ctx, path)
	return e, err
}

// put gives a content to git.
func (w *writer) put(ctx context.Context, c *content) error {
	w.importing.Lock()
	defer w.importing.Unlock()
	im, err := w.importer(ctx)
	if err != nil {
		return err
	}
	w.imported += c.size
	return im.Blob(c.size, c.reader())
}

// importer gives the import that runs, or starts one. It lives until commits
// are made, or the writer is closed.
func (w *writer) importer(ctx context.Context) (*git.Import, error) {
	if w.im != nil {
		return w.im, nil
	}
	im, err := w.repo.Import(context.WithoutCancel(ctx))
	if err == nil {
		w.im = im
	}
	return im, err
}
