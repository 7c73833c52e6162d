// Package state keeps what a pipeline knows between runs in one file: a
// [pipeline.Store] on bbolt.
//
// The file holds one bucket of bbolt, named after the format. Each row has the
// key BUCKET NUL KEY and its value followed by the CRC-32C of key and value.
// The bucket's sequence is the sum of the checksums of all rows, so that a row
// that is missing, or an old one, is found as well as one that was changed.
// [Open] checks the whole file before bbolt trusts it.
package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"sluice/internal/crash"
	"sluice/internal/disk"
	"sluice/pipeline"
)

const (
	formatName    = "sluice "
	formatVersion = "1"
	saveBucket    = "lanes" // of the frame: a Put with a row of it is a save

	lockWait   = time.Second
	rangeRows  = 1000     // rows of one read transaction
	rangeBytes = 1 << 20  // likewise, about
	mappedMax  = 16 << 20 // bytes of the file that may stay in the memory of the process
)

// Store is a [pipeline.Store] in a file that one process has open. Its methods
// may be called from several goroutines.
type Store struct {
	path string
	db   *bbolt.DB
	lock *os.File
	mu   sync.Mutex // held by Put
	err  error      // of the first Put that failed
}

var _ pipeline.Store = (*Store)(nil)

// Open opens the state in the file path. If there is none, it makes one, with
// the directories it needs. A file in use is [ErrInUse], a file that cannot be
// read is a [*DamagedError].
func Open(path string) (*Store, error) {
	if err := disk.Mkdir(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	lock, err := lockFile(path)
	if err != nil {
		return nil, err
	}
	db, err := openFile(path)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &Store{path: path, db: db, lock: lock}, nil
}

// Close closes the file. Nothing else may be called any more.
func (s *Store) Close() error {
	if err := errors.Join(s.db.Close(), s.lock.Close()); err != nil {
		return fmt.Errorf("state %s: %w", s.path, err)
	}
	return nil
}

// Get implements [pipeline.Store].
func (s *Store) Get(bucket, key string) (value []byte, err error) {
	err = s.view(func(b *bbolt.Bucket) error {
		k := []byte(bucket + "\x00" + key)
		if row := b.Get(k); row != nil {
			v, err := unseal(k, row)
			value = append([]byte{}, v...)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

// Range implements [pipeline.Store]. f may call Put; it may or may not see
// rows that are put meanwhile.
func (s *Store) Range(bucket, from string, f func(key string, value []byte) error) error {
	for more := true; more; {
		var rows []pipeline.Row
		err := s.view(func(b *bbolt.Bucket) (err error) {
			rows, more, err = batch(b, bucket, from)
			return err
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := f(r.Key, r.Value); err != nil {
				return err
			}
			from = r.Key + "\x00" // the least key after it
		}
	}
	return nil
}

// batch copies rows of a bucket from a key on; more is false at its end.
func batch(b *bbolt.Bucket, bucket, from string) (rows []pipeline.Row, more bool, err error) {
	prefix, size, c := []byte(bucket+"\x00"), 0, b.Cursor()
	for k, row := c.Seek([]byte(bucket + "\x00" + from)); bytes.HasPrefix(k, prefix); k, row = c.Next() {
		v, err := unseal(k, row)
		if err != nil {
			return nil, false, err
		}
		rows = append(rows, pipeline.Row{Key: string(k[len(prefix):]), Value: append([]byte{}, v...)})
		if size += len(k) + len(row); len(rows) == rangeRows || size > rangeBytes {
			return rows, true, nil
		}
	}
	return rows, false, nil
}

func (s *Store) view(f func(b *bbolt.Bucket) error) error {
	err := guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			defer s.forget(tx)
			return f(rowsOf(tx))
		})
	})
	if err != nil {
		return damagedOr(s.path, err)
	}
	return nil
}

func rowsOf(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket([]byte(formatName + formatVersion)) }

// forget takes a large file out of the memory of the process, where bbolt maps
// it. During a transaction it does not move.
func (s *Store) forget(tx *bbolt.Tx) {
	if tx.Size() >= mappedMax {
		disk.Unload(s.db.Info().Data, tx.Size())
	}
}

// Recover closes a state of which a Put has failed, checks it and opens it
// again. To any other it does nothing. Nobody may use it meanwhile.
func (s *Store) Recover() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		return nil
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("state %s: %w", s.path, err)
	}
	db, err := openFile(s.path)
	if err != nil {
		return err
	}
	s.db, s.err = db, nil
	return nil
}

// Put implements [pipeline.Store]. After one that failed to commit nobody knows
// what is on the disk: every other one gives the same error, until [Store.Recover]
// has looked.
func (s *Store) Put(rows ...pipeline.Row) error {
	if len(rows) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	save := false
	for _, r := range rows {
		if strings.IndexByte(r.Bucket, 0) >= 0 || len(r.Bucket)+1+len(r.Key) > bbolt.MaxKeySize {
			return fmt.Errorf("state: bucket %q: a key of %d bytes: too long, or NUL in the bucket", r.Bucket, len(r.Key))
		}
		save = save || r.Bucket == saveBucket
	}
	if save {
		crash.Point(crash.BeforeSave)
	}
	if err := guard(func() error { return s.commit(rows, save) }); err != nil {
		s.err = damagedOr(s.path, err)
		return s.err
	}
	if save {
		crash.Point(crash.AfterSave)
	}
	return nil
}

func (s *Store) commit(rows []pipeline.Row, save bool) error {
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	s.forget(tx)
	if err := apply(rowsOf(tx), rows); err != nil {
		return err
	}
	if save {
		crash.Point(crash.InSave)
	}
	return tx.Commit()
}
