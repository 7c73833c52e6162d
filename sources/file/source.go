package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"sluice/internal/check"
	"sluice/internal/keys"
	"sluice/internal/span"
	"sluice/internal/tree"
	"sluice/pipeline"
)

// source reads files.
type source struct {
	path      string
	describes bool // a lane gives metadata
	batch     int  // names of one directory in memory; 0: a few thousand
}

// Need implements [pipeline.Sized]: the names of one large directory.
func (*source) Need() (lane, shared int64) { return 4 << 20, 0 }

// Open implements [pipeline.Source].
func (s *source) Open(_ context.Context, p *pipeline.Pass) (pipeline.Reader, error) {
	place, err := find(s.path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(place.dir)
	if err != nil {
		return nil, err
	}
	return &reader{source: s, place: place, root: root, pass: p.Number, parallel: max(1, p.Parallel)}, nil
}

// Check implements [check.Checker]: what would be read.
func (s *source) Check(ctx context.Context, rep *check.Report) error {
	opened, err := s.Open(ctx, &pipeline.Pass{Parallel: 1})
	if err != nil {
		return err
	}
	r := opened.(*reader)
	defer r.Close()
	l := check.Load{Records: -1}
	unreadable, example := 0, error(nil)
	err = r.walk(ctx, "", func(key string) error {
		info, err := r.stat(key)
		if err != nil {
			return nil // it is one of those that a pass gives up
		}
		l.Objects, l.Bytes = l.Objects+1, l.Bytes+info.Size()
		if err := unix.Access(filepath.Join(r.dir, filepath.FromSlash(key)), unix.R_OK); err != nil {
			unreadable, example = unreadable+1, fmt.Errorf("%s: %w", key, err)
		}
		return nil
	}, func(string) {})
	if err != nil {
		return err
	}
	rep.Load = l
	rep.Say("%s: %s", s.path, check.Number(l.Objects, "file"))
	if unreadable > 0 {
		rep.Add("read files", fmt.Errorf("%d of %d files cannot be read, such as %w: give the user that runs sluice the right to", unreadable, l.Objects, example))
	}
	if l.Objects == 0 {
		rep.Warn("there are no files at %s: is it the right path?", s.path)
	}
	return nil
}

type reader struct {
	*source
	place
	root     *os.Root
	pass     int64
	parallel int
}

// Close implements [pipeline.Reader]. Bodies that are open stay readable.
func (r *reader) Close() error { return r.root.Close() }

// Plan implements [pipeline.Reader]. A lane is a range of keys.
func (r *reader) Plan(ctx context.Context) ([]pipeline.Lane, error) {
	found := span.For(r.parallel)
	left, example := 0, ""
	about := span.Span{}
	err := r.walk(ctx, "", func(key string) error {
		if isAbout(key) {
			about.Last = span.Key(key)
		}
		var size int64
		if info, err := r.stat(key); err == nil {
			size = info.Size()
		}
		found.Add(key, size)
		return nil
	}, func(name string) { left, example = left+1, name })
	if left > 0 {
		pipeline.Logger(ctx).Warn("not regular files: left out", "count", left, "last", example)
	}
	lanes := found.Lanes(func(lane *pipeline.Lane, of span.Span) {
		lane.ID, lane.Spec = fmt.Sprintf("file %s after %q", r.path, of.After), of.String()
	})
	if r.describes && about.Last != "" {
		metadata := pipeline.Lane{Name: keys.MetadataLane, ID: fmt.Sprintf("metadata of pass %d", r.pass), Spec: about.String(), Parts: 1, Aside: true}
		lanes = append([]pipeline.Lane{metadata}, lanes...)
	}
	return lanes, err
}

// isAbout says whether a file describes an index.
func isAbout(key string) bool { return path.Base(key) == keys.Index }

// walk visits the keys of the place, from a key on.
func (r *reader) walk(ctx context.Context, from string, visit func(key string) error, skipped func(name string)) error {
	if r.name != "" {
		if r.name < from {
			return nil
		}
		return visit(r.name)
	}
	w := tree.Walker{Root: r.root, Pattern: r.pattern, Batch: r.batch, From: from, Visit: visit, Skipped: skipped}
	return w.Walk(ctx)
}

// errPast ends a walk at the end of a lane.
var errPast = errors.New("past the end of the lane")

// Read implements [pipeline.Reader].
func (r *reader) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	planned, err := span.Parse(lane.Spec)
	if err != nil {
		return err
	}
	after, err := span.Untoken(from.Token)
	if err != nil {
		return err
	}
	after = max(after, string(planned.After))
	first := after
	if from.Inner != "" {
		first = from.Key // it comes first, if it is there; what appeared before it waits
	}
	err = r.walk(ctx, first, func(key string) error {
		switch {
		case key > string(planned.Last):
			return errPast
		case key <= after, lane.Aside && !isAbout(key):
			return nil
		}
		it, err := r.item(key)
		if it == nil || err != nil {
			return err
		}
		if lane.Aside {
			it.Records = 0
		}
		return pipeline.Send(ctx, out, it)
	}, nil)
	if errors.Is(err, errPast) {
		return nil
	}
	return err
}

// stat looks at the file of a key, behind a link as well.
func (r *reader) stat(key string) (fs.FileInfo, error) {
	if r.name != "" {
		key = r.file
	}
	return r.root.Stat(key)
}

// item is the file of a key; nil if it is not there any more.
func (r *reader) item(key string) (*pipeline.Item, error) {
	it := &pipeline.Item{Key: key, Pos: pipeline.Position{Token: span.Token(key)}, Size: -1, Records: -1}
	if !utf8.ValidString(key) {
		it.Key, it.Body = fmt.Sprintf("%q", key), never("its name is not UTF-8")
		return it, nil
	}
	info, err := r.stat(key)
	if errors.Is(err, fs.ErrNotExist) {
		if _, lerr := r.root.Lstat(key); errors.Is(lerr, fs.ErrNotExist) && r.name == "" {
			return nil, nil
		}
	}
	if err != nil {
		it.Body = never(err.Error())
		return it, nil
	}
	it.Version, it.Size = version(info), info.Size()
	it.Meta = &pipeline.Meta{Modified: info.ModTime()}
	it.Body = &body{root: r.root, name: key, info: info}
	if r.name != "" {
		it.Body.(*body).name = r.file
	}
	return it, nil
}

// never is a body that cannot be had.
func never(why string) pipeline.Body { return gone{fmt.Errorf("%s: %w", why, pipeline.ErrGone)} }
