package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"sluice/internal/kind"
	"sluice/internal/mirror"
	"sluice/internal/roll"
	"sluice/pipeline"
)

// mirroring is a sink that makes the directory what the source has. Directories
// that become empty stay.
type mirroring struct {
	*sink
	config mirror.Config
}

// WholePass implements [pipeline.WholePass].
func (mirroring) WholePass() {}

// Need implements [pipeline.Sized].
func (m mirroring) Need() (lane, shared int64) {
	lane, shared = m.sink.Need()
	return lane + mirror.NeedLane, shared + mirror.NeedShared
}

// Open implements [pipeline.Sink].
func (m mirroring) Open(_ context.Context, p *pipeline.Pass) (pipeline.Writer, error) {
	open, end := m.sink.writer, (*writer).Close
	if m.config.DryRun != nil {
		open, end = m.look, func(w *writer) error { return w.folder.Close() }
	}
	w, err := open(p)
	if err != nil {
		return nil, err
	}
	out, err := mirror.New(p, w.Writer, target{w}, m.config)
	if err != nil {
		return nil, errors.Join(err, end(w))
	}
	return mirrorWriter{out, func() error { return end(w) }}, nil
}

// look opens a pass that writes nothing, and makes no directory.
func (m mirroring) look(p *pipeline.Pass) (*writer, error) {
	root, err := os.OpenRoot(absolute(m.Path))
	w := &writer{sink: m.sink, folder: rootFolder{root}, rows: rows{p.Store}}
	if errors.Is(err, fs.ErrNotExist) {
		w.folder, err = nowhere{}, nil
	}
	if err != nil {
		return nil, err
	}
	if w.Writer, err = roll.New(p, m.spec, w); err != nil {
		return nil, errors.Join(err, w.folder.Close())
	}
	return w, nil
}

// mirrorWriter writes one pass.
type mirrorWriter struct {
	*mirror.Writer
	close func() error
}

// Close implements [pipeline.Writer].
func (m mirrorWriter) Close() error { return m.close() }

// target is the directory. It implements [mirror.Target].
type target struct{ *writer }

// Name implements [mirror.Target].
func (t target) Name(key string) string { return strings.TrimSuffix(t.Path, "/") + "/" + key }

// Finder implements [mirror.Target].
func (t target) Finder() mirror.Finder { return t }

// Find implements [mirror.Finder].
func (t target) Find(_ context.Context, key string) (roll.Stamp, bool, error) {
	s, err := t.folder.Stat(key)
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	return s, err == nil, err
}

var errPast = errors.New("past the prefix")

// List implements [mirror.Target].
func (t target) List(ctx context.Context, prefix string, f func(mirror.There) error) error {
	err := t.folder.Walk(ctx, prefix, func(name string) error {
		if !strings.HasPrefix(name, prefix) {
			return errPast
		}
		s, ok, err := t.Find(ctx, name)
		if err != nil || !ok {
			return err
		}
		return f(mirror.There{Key: name, Stamp: s})
	})
	if errors.Is(err, errPast) {
		return nil
	}
	return err
}

// Made implements [mirror.Target]. A file that is not as it was written is
// somebody else's.
func (t target) Made(_ context.Context, o mirror.There) (bool, error) {
	m, err := t.rows.known(o.Key)
	return m != nil && (m.Stamp == o.Stamp || m.Stamp == roll.Stamp{}), err
}

// Delete implements [mirror.Target].
func (t target) Delete(ctx context.Context, o mirror.There) (bool, error) {
	s, ok, err := t.Find(ctx, o.Key)
	if err != nil || ok && s != o.Stamp {
		return false, err
	}
	if err := t.writer.remove(o.Key); err != nil {
		return false, fmt.Errorf("delete %s: %w", o.Key, err)
	}
	return ok, nil
}

// nowhere is a directory that is not there.
type nowhere struct{ folder }

// Stat implements folder.
func (nowhere) Stat(string) (roll.Stamp, error) { return roll.Stamp{}, fs.ErrNotExist }

// Walk implements folder.
func (nowhere) Walk(context.Context, string, func(string) error) error { return nil }

// Close implements folder.
func (nowhere) Close() error { return nil }

// mirrorOf is the sink that mirrors.
func (c *Config) mirrorOf(s *sink, env kind.Env) pipeline.Sink {
	return mirroring{s, mirror.Config{Options: c.Options, Key: s.spec.Key, Overwrite: c.Overwrite, Bytes: env.Transforms, DryRun: env.DryRun}}
}
