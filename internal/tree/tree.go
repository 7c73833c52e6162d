// Package tree visits the files below a directory in byte order of their slash
// paths, in memory that does not depend on how many there are.
package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Walker visits the files below a directory in byte order of their keys, which
// are their slash paths in it. The folder .sluice, in which the file sink writes
// what is not finished, is left out wherever it is.
type Walker struct {
	Root    *os.Root
	Pattern []string               // segments that names match, from the first directory on; none: everything
	Batch   int                    // names of one directory in memory; 0: a few thousand
	From    string                 // keys before it are left out
	Visit   func(key string) error // of a regular file, or of a link
	Skipped func(name string)      // what is neither, nor a directory to enter; may be nil
}

// entry is a name in a directory. Names of directories end with a slash, so
// that their order is that of the keys.
type entry struct {
	name string
	skip bool // neither a file nor a directory
}

// names is how many names of one directory are in memory: twice as many while
// it is listed.
const names = 8 << 10

// work is the folder of files that are not finished.
const work = ".sluice/"

// Walk visits the files until Visit fails.
func (w *Walker) Walk(ctx context.Context) error {
	if w.Batch == 0 {
		w.Batch = names
	}
	return w.walk(ctx, "")
}

// walk visits what is below dir, which is "" or ends with a slash.
func (w *Walker) walk(ctx context.Context, dir string) error {
	for after := ""; ; {
		batch, err := w.list(ctx, dir, after)
		if err != nil {
			return err
		}
		for _, e := range batch {
			if err := w.entry(ctx, dir, e); err != nil {
				return err
			}
		}
		if len(batch) < w.Batch {
			return nil
		}
		after = batch[len(batch)-1].name
	}
}

func (w *Walker) entry(ctx context.Context, dir string, e entry) error {
	key := dir + e.name
	switch {
	case e.skip:
		if w.Skipped != nil {
			w.Skipped(key)
		}
		return nil
	case !strings.HasSuffix(key, "/"):
		return w.Visit(key)
	}
	err := w.walk(ctx, key)
	if errors.Is(err, errVanished) {
		return nil
	}
	return err
}

// before says whether a file, or all in a directory, comes before from.
func (w *Walker) before(key string) bool {
	return key < w.From && !(strings.HasSuffix(key, "/") && strings.HasPrefix(w.From, key))
}

// errVanished is the error of a directory below the first that is gone: what
// was in it is no longer there, like a file that was removed before its turn.
var errVanished = errors.New("directory vanished")

// list returns the names of a directory that match and come after a name, the
// first w.Batch of them, in order.
func (w *Walker) list(ctx context.Context, dir, after string) (batch []entry, err error) {
	f, err := w.Root.Open(path.Join(".", dir))
	if errors.Is(err, fs.ErrNotExist) && dir != "" {
		return nil, errVanished
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for {
		some, err := f.ReadDir(1 << 10)
		for _, d := range some {
			if e, ok := w.match(dir, d); ok && e.name > after && !w.before(dir+e.name) {
				batch = append(batch, e)
			}
		}
		if len(batch) >= 2*w.Batch || err != nil {
			slices.SortFunc(batch, func(a, b entry) int { return strings.Compare(a.name, b.name) })
			batch = batch[:min(len(batch), w.Batch)]
		}
		switch {
		case err == io.EOF:
			return batch, nil
		case errors.Is(err, fs.ErrNotExist) && dir != "":
			return nil, errVanished
		case err != nil:
			return nil, fmt.Errorf("list %q: %w", dir, err)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
	}
}

// match says whether a name belongs to the place, and what it is.
func (w *Walker) match(dir string, d fs.DirEntry) (e entry, ok bool) {
	e.name = d.Name()
	depth := strings.Count(dir, "/")
	if depth < len(w.Pattern) {
		if ok, _ := path.Match(w.Pattern[depth], e.name); !ok {
			return e, false
		}
	}
	last := depth >= len(w.Pattern)-1 // else only directories lead on
	switch t := d.Type(); {
	case t.IsDir():
		e.name += "/"
		return e, e.name != work
	case t.IsRegular():
		return e, last
	case t&fs.ModeSymlink != 0:
		info, err := w.Root.Stat(path.Join(dir, e.name))
		e.skip = err == nil && !info.Mode().IsRegular()
		return e, last || e.skip
	}
	e.skip = true
	return e, last
}
