package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Nearest is a path, or the directory above it that exists.
func Nearest(path string) (string, fs.FileInfo, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", nil, err
	}
	for {
		info, err := os.Stat(path)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) || path == filepath.Dir(path) {
			return path, info, err
		}
		path = filepath.Dir(path)
	}
}

// Writable is nil if files can be made in a directory, or the directory can be
// made first. It makes neither.
func Writable(dir string) error {
	at, info, err := Nearest(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s: not a directory: name another", at)
	}
	if err := unix.Access(at, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("%s cannot be written to: %w", at, err)
	}
	return nil
}

// Free is how many bytes the file system of a path, which need not exist, has
// for who asks.
func Free(path string) (int64, error) {
	at, _, err := Nearest(path)
	if err != nil {
		return 0, err
	}
	var s unix.Statfs_t
	if err := unix.Statfs(at, &s); err != nil {
		return 0, fmt.Errorf("%s: %w", at, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
