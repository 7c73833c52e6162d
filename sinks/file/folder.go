package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"sluice/internal/disk"
	"sluice/internal/roll"
	"sluice/internal/tree"
)

// folder is a directory, with slash paths relative to it. Names become durable
// by Sync of the directory they are in, bytes by Sync of the file.
type folder interface {
	Create(name string) (newFile, error) // locked until it is closed; fails if there is one
	Abandoned(name string) bool          // nobody has it open and locked
	Rename(from, to string) error
	Remove(name string) error
	Mkdir(name string) error
	Exists(name string) (bool, error)
	Stat(name string) (roll.Stamp, error)                                   // its tag is the time of modification
	Walk(ctx context.Context, from string, f func(name string) error) error // files whose names are not before from, in byte order of their paths, until f fails
	Names(dir string) ([]string, error)
	Sync(dir string) error
	Close() error
}

type newFile interface {
	Write(p []byte) (int, error)
	Sync() error
	Modified() (string, error) // the time, as Stat gives it
	Close() error
}

// rootFolder is a directory of the operating system. Nothing leaves it, also
// not through links.
type rootFolder struct{ *os.Root }

// Create implements folder.
func (r rootFolder) Create(name string) (newFile, error) {
	f, err := r.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close(), r.Root.Remove(name))
	}
	return rootFile{f}, nil
}

// rootFile is a file of the operating system.
type rootFile struct{ *os.File }

// Modified implements newFile.
func (f rootFile) Modified() (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	return modified(info), nil
}

// modified names the time of modification of a file; what is not a regular one
// has another name.
func modified(info fs.FileInfo) string {
	if !info.Mode().IsRegular() {
		return info.Mode().Type().String()
	}
	return strconv.FormatInt(info.ModTime().UnixNano(), 10)
}

// Stat implements folder.
func (r rootFolder) Stat(name string) (roll.Stamp, error) {
	info, err := r.Lstat(name)
	if err != nil {
		return roll.Stamp{}, err
	}
	return roll.Stamp{Tag: modified(info), Size: info.Size()}, nil
}

// Walk implements folder.
func (r rootFolder) Walk(ctx context.Context, from string, f func(name string) error) error {
	w := tree.Walker{Root: r.Root, From: from, Visit: f}
	return w.Walk(ctx)
}

// Abandoned implements folder.
func (r rootFolder) Abandoned(name string) bool {
	f, err := r.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	return lock(f) == nil
}

// lock takes the lock of a file, which ends with the process at the latest.
func lock(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lerr error
	err = c.Control(func(fd uintptr) { lerr = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) })
	return errors.Join(err, lerr)
}

// Mkdir implements folder.
func (r rootFolder) Mkdir(name string) error {
	if err := r.Root.Mkdir(name, 0o777); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Exists implements folder. A link that leads nowhere exists.
func (r rootFolder) Exists(name string) (bool, error) {
	_, err := r.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Names implements folder.
func (r rootFolder) Names(dir string) ([]string, error) {
	d, err := r.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// Sync implements folder.
func (r rootFolder) Sync(dir string) error {
	d, err := r.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return disk.Sync(d)
}
