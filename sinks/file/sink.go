package file

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"syscall"

	"sluice/internal/crash"
	"sluice/internal/roll"
	"sluice/pipeline"
)

// work is the folder of files that have no name yet.
const work = ".sluice"

// sink writes files.
type sink struct {
	Config
	spec roll.Spec
	open func() (folder, error)
}

// Need implements [pipeline.Sized].
func (*sink) Need() (lane, shared int64) { return roll.Need, 0 }

// Open implements [pipeline.Sink]. It removes what killed runs left.
func (s *sink) Open(_ context.Context, p *pipeline.Pass) (pipeline.Writer, error) {
	w, err := s.writer(p)
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (s *sink) writer(p *pipeline.Pass) (*writer, error) {
	d, err := s.open()
	if err != nil {
		return nil, err
	}
	w := &writer{sink: s, folder: d, rows: rows{p.Store}, synced: map[string]bool{}, mark: mark(p.Pipeline)}
	if err := w.begin(p); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return w, nil
}

// begin readies the directory and the rows for a pass.
func (w *writer) begin(p *pipeline.Pass) (err error) {
	if w.Writer, err = roll.New(p, w.spec, w); err != nil {
		return err
	}
	if w.spec.Key.Rolled() {
		if err := w.rows.forget(p.Number); err != nil {
			return err
		}
	}
	if err := w.folder.Mkdir(work); err != nil {
		return err
	}
	names, err := w.folder.Names(work)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name = path.Join(work, name); strings.HasPrefix(name, path.Join(work, w.mark)) && w.folder.Abandoned(name) {
			if err := w.folder.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// mark begins the names of unfinished files of a pipeline.
func mark(pipeline string) string {
	sum := sha256.Sum256([]byte(pipeline))
	return hex.EncodeToString(sum[:8]) + "-"
}

// writer is a [roll.Target] and, with it, a [pipeline.Writer].
type writer struct {
	*roll.Writer
	*sink
	folder folder
	rows   rows
	mark   string

	mu     sync.Mutex
	synced map[string]bool // directories that are durable with all above them; some of them
}

// Close implements [pipeline.Writer].
func (w *writer) Close() error {
	w.folder.Remove(work) // not if another process has a file in it
	return w.folder.Close()
}

// Create implements [roll.Target].
func (w *writer) Create(_ context.Context, d roll.Draft) (roll.Object, error) {
	key, owner := d.Key, d.Owner
	if first, _, _ := strings.Cut(key, "/"); first == work {
		return nil, fmt.Errorf("%s: files are written in %s before they get their names: add text before the key", key, work)
	}
	if err := w.allow(key, owner); err != nil {
		return nil, err
	}
	temp := path.Join(work, w.mark+rand.Text())
	f, err := w.folder.Create(temp)
	if errors.Is(err, fs.ErrNotExist) { // another process has removed the folder
		if err = w.folder.Mkdir(work); err == nil {
			f, err = w.folder.Create(temp)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return &object{w: w, key: key, owner: owner, temp: temp, file: f}, nil
}

// allow is nil if a file may have the name.
func (w *writer) allow(key string, owner roll.Owner) error {
	there, err := w.folder.Stat(key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return w.blocked(key, err)
	case there.Tag == directory:
		return fmt.Errorf("%s is a directory there: %s", key, remedyBlocked)
	}
	theirs, err := w.rows.get(key)
	if err != nil {
		return err
	}
	return roll.Allow(w.Overwrite, key, owner, theirs)
}

// directory is the tag of one; see modified.
const directory = "d---------"

const remedyBlocked = "a bucket can have both, a directory cannot; remove it if the source no longer has it, else leave one of the two out or give it another key"

// blocked says that a file is where the directory of another has to be, if that
// is why nothing can be known of it.
func (w *writer) blocked(key string, err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
			if s, err := w.folder.Stat(dir); err == nil && s.Tag != directory {
				return fmt.Errorf("%s: %s is no directory there: %s", key, dir, remedyBlocked)
			}
		}
	}
	return fmt.Errorf("%s: %w", key, err)
}

// object is a file on its way.
type object struct {
	w     *writer
	key   string
	owner roll.Owner
	temp  string
	file  newFile
	n     int64

	modified string // when it is committed
}

// Modified implements [roll.Timed].
func (o *object) Modified() string { return o.modified }

// Write implements [io.Writer].
func (o *object) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	o.n += int64(n)
	if err != nil {
		return n, fmt.Errorf("%s: after %d bytes: %w", o.key, o.n, err)
	}
	return n, nil
}

// Commit implements [roll.Object].
func (o *object) Commit(context.Context) error {
	if err := o.commit(); err != nil {
		return fmt.Errorf("%s: %d bytes: %w", o.key, o.n, err)
	}
	crash.Point(crash.AfterRename)
	return nil
}

// commit syncs before it renames, so that a name never has less than all of
// its bytes, and says whose the file is before there is one.
func (o *object) commit() error {
	if err := o.file.Sync(); err != nil {
		return err
	}
	if err := o.w.mkdir(path.Dir(o.key)); err != nil {
		return err
	}
	if err := o.w.allow(o.key, o.owner); err != nil {
		return err
	}
	var err error
	if o.modified, err = o.file.Modified(); err != nil {
		return err
	}
	if err := o.w.rows.put(o.key, made{o.owner, roll.Stamp{Tag: o.modified, Size: o.n}}); err != nil {
		return err
	}
	if err := o.w.folder.Rename(o.temp, o.key); err != nil {
		return err
	}
	o.temp = ""
	if err := o.file.Close(); err != nil {
		return err
	}
	o.file = nil
	return o.w.folder.Sync(path.Dir(o.key))
}

// Abort implements [roll.Object].
func (o *object) Abort(context.Context) error {
	var err error
	if o.file != nil {
		o.file.Close() // what it says no longer matters
	}
	if o.temp != "" {
		err = o.w.folder.Remove(o.temp)
	}
	return err
}

// someDirs is how many durable directories are remembered.
const someDirs = 4096

// mkdir makes a directory and all above it, and makes their names durable,
// whoever has made them.
func (w *writer) mkdir(dir string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if dir == "." || w.synced[dir] {
		return nil
	}
	for at := 0; at < len(dir); {
		n := strings.IndexByte(dir[at:], '/')
		if n < 0 {
			n = len(dir) - at
		}
		sub := dir[:at+n]
		if err := w.folder.Mkdir(sub); err != nil {
			return err
		}
		if err := w.folder.Sync(path.Dir(sub)); err != nil {
			return err
		}
		at += n + 1
	}
	if len(w.synced) >= someDirs {
		clear(w.synced)
	}
	w.synced[dir] = true
	return nil
}
