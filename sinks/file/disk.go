package file

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// disk is a directory, with slash paths relative to it. Names become durable
// by Sync of the directory they are in, bytes by Sync of the file.
type disk interface {
	Create(name string) (diskFile, error) // locked until it is closed; fails if there is one
	Abandoned(name string) bool           // nobody has it open and locked
	Rename(from, to string) error
	Remove(name string) error
	Mkdir(name string) error
	Exists(name string) (bool, error)
	Names(dir string) ([]string, error)
	Sync(dir string) error
	Close() error
}

type diskFile interface {
	Write(p []byte) (int, error)
	Sync() error
	Close() error
}

// rootDisk is a directory of the operating system. Nothing leaves it, also not
// through links.
type rootDisk struct{ *os.Root }

// Create implements disk.
func (d rootDisk) Create(name string) (diskFile, error) {
	f, err := d.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close(), d.Root.Remove(name))
	}
	return f, nil
}

// Abandoned implements disk.
func (d rootDisk) Abandoned(name string) bool {
	f, err := d.Open(name)
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

// Mkdir implements disk.
func (d rootDisk) Mkdir(name string) error {
	if err := d.Root.Mkdir(name, 0o777); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Exists implements disk. A link that leads nowhere exists.
func (d rootDisk) Exists(name string) (bool, error) {
	_, err := d.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Names implements disk.
func (d rootDisk) Names(dir string) ([]string, error) {
	f, err := d.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// Sync implements disk.
func (d rootDisk) Sync(dir string) error { return syncDir(d.Open(dir)) }

func syncDir(f *os.File, err error) error {
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
