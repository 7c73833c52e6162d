// Package idset compares two sets of documents, by _id and routing, in flat
// memory: it finds what is in the target and no longer in the source, whatever
// their size.
//
// Both sides are written into partitions by hash, in files that are not synced,
// because they are worth nothing to another process. A partition that is too
// large for memory is cut again. Of the source only hashes of 128 bits are kept,
// so that a document of the target may be taken for one of the source that has
// the same hash: among a thousand million documents on each side with a
// probability of 3e-21, and then one that should have been found is not.
package idset

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
)

// Memory is what a [Set] holds at most, in bytes.
const Memory = 16 << 20

// MaxName is the most bytes that an _id and a routing have together: what the
// engines take is shorter.
const MaxName = 36 << 10

// sizes are the parts of [Memory]: 128 buffers for what is added, 64 for what
// is cut again, and one partition.
type sizes struct {
	buffer int // bytes that are written at once; an entry fits into it
	hashes int // of the source, in memory
	found  int // entries of the target, in memory
	names  int // bytes of their _ids and routings; at least two fit
}

const readSize = 64 << 10

// Set is the documents of a source and of a target. Documents are added by any
// number of goroutines; then Missing is called by one, and once; then Close.
type Set struct {
	dir            string
	create         func(path string) (io.WriteCloser, error)
	sizes          sizes
	source, target []part
	asked          atomic.Bool

	in     *bufio.Reader
	spare  [][]byte // buffers of the parts of a part
	hashes []hash   // of the source, in the part that is compared
	found  []entry  // of the target, those that are not among hashes
	names  []byte   // theirs
	name   []byte   // that was read last
}

// prefix begins the name of every file of a Set.
const prefix = "ids-"

// New returns an empty set that writes into the directory dir, which it makes
// if it is not there. It removes what a killed process left there: dir is for
// one Set at a time.
func New(dir string) (*Set, error) {
	s := &Set{
		dir: dir, create: func(path string) (io.WriteCloser, error) { return os.Create(path) },
		sizes:  sizes{buffer: 37 << 10, hashes: 4 << 20 / hashSize, found: 2 << 20 / entrySize, names: 2 << 20},
		source: make([]part, fan), target: make([]part, fan), in: bufio.NewReaderSize(nil, readSize),
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	if err := s.clear(); err != nil {
		return nil, err
	}
	for i := range fan {
		s.source[i].path = filepath.Join(dir, fmt.Sprintf("%ssource-%02d", prefix, i))
		s.target[i].path = filepath.Join(dir, fmt.Sprintf("%starget-%02d", prefix, i))
	}
	return s, nil
}

// AddSource adds a document of the source. routing is empty if it has none. The
// slices are not kept.
func (s *Set) AddSource(id, routing []byte) error {
	h, err := hashOf(id, routing)
	if err != nil {
		return err
	}
	return s.source[h.child(0)].addSource(s, h)
}

// AddTarget adds a document of the target, as AddSource does.
func (s *Set) AddTarget(id, routing []byte, version int64) error {
	h, err := hashOf(id, routing)
	if err != nil {
		return err
	}
	return s.target[h.child(0)].addTarget(s, id, routing, version)
}

// Missing calls yield for each document of the target that is not in the
// source: once, with the highest version that was added, and in an order that
// depends on the documents alone. The slices are valid during the call. An
// error of yield ends it.
func (s *Set) Missing(ctx context.Context, yield func(id, routing []byte, version int64) error) error {
	if s.asked.Swap(true) {
		return errors.New("BUG: idset: asked twice")
	}
	if err := s.compare(ctx, s.source, s.target, 0, yield); err != nil {
		return fmt.Errorf("compare ids: %w", err)
	}
	return nil
}

// Close removes all files, and the directory if nothing else is in it.
func (s *Set) Close() error {
	closeAll(s.source)
	closeAll(s.target)
	err := s.clear()
	os.Remove(s.dir) // not if there is something of somebody else
	return err
}

// clear removes the files of a Set.
func (s *Set) clear() error {
	list, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, f := range list {
		if n := f.Name(); len(n) > len(prefix) && n[:len(prefix)] == prefix {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, n)))
		}
	}
	return err
}
