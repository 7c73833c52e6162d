package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"

	"go.etcd.io/bbolt"

	"sluice/internal/disk"
)

func openFile(path string) (*bbolt.DB, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = create(path)
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	return openBolt(path)
}

// create makes an empty state. It gets its name when it is whole: what has the
// name and is not whole was damaged. Opening it makes the name durable.
func create(path string) error {
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bbolt.Open(draft, 0o600, &bbolt.Options{Timeout: lockWait})
	if err != nil {
		return fmt.Errorf("create %s: %w", draft, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte(formatName + formatVersion))
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("create %s: %w", draft, err)
	}
	return os.Rename(draft, path)
}

// openBolt opens a file with bbolt once it is found to be whole.
func openBolt(path string) (db *bbolt.DB, err error) {
	var file *os.File
	open := func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		file, err = openChecked(name, flag, mode)
		return file, err
	}
	err = guard(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, OpenFile: open,
			FreelistType: bbolt.FreelistMapType, NoStatistics: true})
		return err
	})
	if err != nil {
		file.Close() // if bbolt panicked: it is still open, and locked
		return nil, damagedOr(path, err)
	}
	return db, nil
}

// openChecked opens a file that is durable and whole. A process that was killed
// may have left it written and not synced; nobody may act on it as it is then.
func openChecked(path string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag&^os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Sync(), disk.SyncDir(filepath.Dir(path)), check(f)); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// check checks a file as it is on the disk.
func check(f *os.File) error {
	disk.Reread(f)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return walk(f, info.Size(), func(string, string, []byte) error { return nil })
}

// guard makes an error of a panic of f, also of one that the hardware causes
// when a part of the file cannot be read.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damage("%v", p)
		}
	}()
	return f()
}
