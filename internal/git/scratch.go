package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/pipeline"
)

// A repository of a run is a directory NAME, beside NAME.lock, which is locked
// as long as the run lives. Both names begin with mark.
const (
	mark   = "git-"
	locked = ".lock"
)

// claim makes the name of a repository in dir that belongs to this process
// until the lock is closed. The directory itself is not made.
func claim(dir string) (name string, lock *os.File, err error) {
	for {
		f, err := os.CreateTemp(dir, mark+"*"+locked)
		if err != nil {
			return "", nil, err
		}
		ok, err := hold(f)
		if ok {
			return strings.TrimSuffix(f.Name(), locked), f, nil
		}
		f.Close()
		if err != nil {
			return "", nil, err
		}
	}
}

// hold locks a lock file. It is not ok if another process has it, or has
// removed it.
func hold(f *os.File) (ok bool, err error) {
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	if err != nil {
		return false, &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
	here, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(f.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(here, named), err
}

// sweep removes the repositories that killed runs left in dir. One that cannot
// be removed is tried again by the next run.
func sweep(ctx context.Context, dir string) error {
	all, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range all {
		if !strings.HasPrefix(e.Name(), mark) || !strings.HasSuffix(e.Name(), locked) {
			continue
		}
		if err := discard(filepath.Join(dir, e.Name())); err != nil {
			pipeline.Logger(ctx).Warn("a repository that a killed run left cannot be removed", "error", err)
		}
	}
	return nil
}

// discard removes the repository of a lock file that nobody holds.
func discard(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if ok, err := hold(f); !ok {
		return err
	}
	return remove(name)
}

// remove removes a repository, and then its lock file.
func remove(name string) error {
	if err := os.RemoveAll(strings.TrimSuffix(name, locked)); err != nil {
		return err
	}
	return os.Remove(name)
}
