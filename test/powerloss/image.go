//go:build linux

package powerloss

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// Log is what a process did, in order.
type Log struct {
	first  *image
	events []event
}

// Said is all that the process wrote to its standard output.
func (l *Log) Said() string {
	var b bytes.Buffer
	for _, e := range l.events {
		if e.kind == said {
			b.Write(e.data)
		}
	}
	return b.String()
}

// Try loses the power before the first event, after each, and after the last.
// It calls f with a directory as it may be found then: with none of what was
// not synced, with all of it, and twice with some. said is what the process had
// written to its standard output. Paths that the process wrote into files
// still name its own directory.
func (l *Log) Try(t *testing.T, f func(t *testing.T, dir, said string)) {
	t.Helper()
	scratch, err := os.MkdirTemp("/dev/shm", "powerloss") // in memory: what f makes durable need not be
	if err != nil {
		scratch = t.TempDir()
	}
	defer os.RemoveAll(scratch)
	var out bytes.Buffer
	for at := range len(l.events) + 1 {
		for variant := range uint64(4) {
			r := rand.New(rand.NewPCG(uint64(at), variant))
			keep := func() bool { return variant == 1 || variant > 1 && r.IntN(2) == 0 }
			dir := filepath.Join(scratch, "found")
			if err := l.after(at, keep).write(dir); err != nil {
				t.Fatal(err)
			}
			f(t, dir, out.String())
			if t.Failed() {
				t.Fatalf("power lost after event %d of %d, variant %d, when the process had said %q", at, len(l.events), variant, out.String())
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
		if at < len(l.events) && l.events[at].kind == said {
			out.Write(l.events[at].data)
		}
	}
}

// after is what the disk holds after some events. What is not durable is
// there if keep says so, sector by sector; names change in order.
func (l *Log) after(n int, keep func() bool) *image {
	durable := make([]bool, n)
	dirs := l.directories()
	for _, s := range l.events[:n] {
		if s.kind != sync {
			continue
		}
		for i, e := range l.events[:s.upto] {
			inFile := (e.kind == write || e.kind == truncate) && e.id == s.id
			inDir := e.kind == name && dirs[filepath.Dir(e.path)] == s.id
			durable[i] = durable[i] || inFile || inDir
		}
	}
	im, names := l.first.clone(), true
	for i, e := range l.events[:n] {
		switch {
		case e.kind == name:
			if names = names && (durable[i] || keep()) || durable[i]; names {
				im.name(e)
			}
		case e.kind == truncate && (durable[i] || keep()):
			im.truncate(e)
		case e.kind == write && durable[i]:
			im.writeAt(e.id, e.off, e.data)
		case e.kind == write:
			im.tear(e, keep)
		}
	}
	return im
}

// directories are all directories that there ever were, by path.
func (l *Log) directories() map[string]uint64 {
	dirs := maps.Clone(l.first.names)
	for _, e := range l.events {
		if e.dir {
			dirs[e.path] = e.id
		}
	}
	return dirs
}

// image is what a disk holds.
type image struct {
	names map[string]uint64 // by path below the directory
	dirs  map[uint64]bool
	files map[uint64][]byte // by id
}

func (im *image) clone() *image {
	c := &image{names: maps.Clone(im.names), dirs: maps.Clone(im.dirs), files: maps.Clone(im.files)}
	for ino, b := range c.files {
		c.files[ino] = bytes.Clone(b)
	}
	return c
}

func (im *image) name(e event) {
	if e.old != "" {
		delete(im.names, e.old)
	}
	im.names[e.path], im.dirs[e.id] = e.id, e.dir || im.dirs[e.id]
	if e.id == 0 {
		delete(im.names, e.path)
	}
}

func (im *image) truncate(e event) {
	b := im.files[e.id]
	im.files[e.id] = append(b[:min(e.off, int64(len(b)))], make([]byte, max(0, e.off-int64(len(b))))...)
}

func (im *image) writeAt(id uint64, off int64, data []byte) {
	b := im.files[id]
	if more := off + int64(len(data)) - int64(len(b)); more > 0 {
		b = append(b, make([]byte, more)...)
	}
	copy(b[off:], data)
	im.files[id] = b
}

// tear writes some sectors of a write.
func (im *image) tear(e event, keep func() bool) {
	for off, data := e.off, e.data; len(data) > 0; {
		n := min(int64(len(data)), sector-off%sector)
		if keep() {
			im.writeAt(e.id, off, data[:n])
		}
		off, data = off+n, data[n:]
	}
}

// write makes it, with its directory. What is in a directory that has no
// name is lost.
func (im *image) write(dir string) error {
	for _, path := range slices.Sorted(maps.Keys(im.names)) {
		full, id := filepath.Join(dir, path), im.names[path]
		var err error
		if im.dirs[id] {
			err = os.Mkdir(full, 0o700)
		} else {
			err = os.WriteFile(full, im.files[id], 0o600)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
