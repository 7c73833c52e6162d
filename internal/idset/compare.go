package idset

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// entry is an entry of the target in memory.
type entry struct {
	hash        hash
	version     int64
	at          uint32 // in names
	id, routing uint16 // their lengths; routing follows
}

// entrySize is the size of an entry, in bytes.
const entrySize = 32

func (e *entry) size() int { return int(e.id) + int(e.routing) }

// newest orders entries, the newest version of a document first.
func newest(a, b entry) int {
	return cmp.Or(compareHashes(a.hash, b.hash), cmp.Compare(b.version, a.version))
}

func same(a, b entry) bool { return a.hash == b.hash }

// errLarge is a part that is too large for memory.
var errLarge = errors.New("part is too large for memory")

// compare compares parts in their order, which is that of the hashes. They have
// been cut so many times.
func (s *Set) compare(ctx context.Context, source, target []part, cuts int, yield func(id, routing []byte, version int64) error) error {
	for i := range target {
		a, b := &source[i], &target[i]
		err := s.sift(ctx, a, b)
		if err == errLarge && cuts+1 < depth {
			err = s.deeper(ctx, a, b, cuts+1, yield)
		} else if err == nil {
			err = s.give(ctx, yield)
		}
		if err = errors.Join(err, a.forget(), b.forget()); err != nil {
			return err
		}
	}
	return nil
}

// deeper compares the parts of two parts.
func (s *Set) deeper(ctx context.Context, a, b *part, cuts int, yield func(id, routing []byte, version int64) error) error {
	source, target := s.cut(a), s.cut(b)
	defer closeAll(source)
	defer closeAll(target)
	err := s.each(ctx, a, func() error {
		h, err := s.readSource()
		if err != nil {
			return err
		}
		return source[h.child(cuts)].addSource(s, h)
	})
	if err == nil {
		err = s.settle(source)
	}
	if err != nil {
		return err
	}
	err = s.each(ctx, b, func() error {
		e, err := s.readTarget()
		if err != nil {
			return err
		}
		return target[e.hash.child(cuts)].addTarget(s, s.name[:e.id], s.name[e.id:], e.version)
	})
	if err == nil {
		err = s.settle(target)
	}
	if err != nil {
		return err
	}
	return s.compare(ctx, source, target, cuts, yield)
}

// settle writes all parts to their files, so that their buffers are free.
func (s *Set) settle(parts []part) error {
	for i := range parts {
		p := &parts[i]
		if err := errors.Join(p.flush(s), p.close()); err != nil {
			return err
		}
		p.buf = nil
	}
	return nil
}

// sift finds what is in b and not in a.
func (s *Set) sift(ctx context.Context, a, b *part) error {
	s.found, s.names = s.found[:0], s.names[:0]
	if b.n == 0 {
		return b.err
	}
	if err := s.load(ctx, a); err != nil {
		return err
	}
	if s.found == nil {
		s.found, s.names = make([]entry, 0, s.sizes.found), make([]byte, 0, s.sizes.names)
	}
	return s.each(ctx, b, func() error {
		e, err := s.readTarget()
		if err != nil {
			return err
		}
		if _, there := slices.BinarySearchFunc(s.hashes, e.hash, compareHashes); there {
			return nil
		}
		return s.find(e)
	})
}

// load takes the hashes of a part into memory, in order.
func (s *Set) load(ctx context.Context, p *part) error {
	if s.hashes == nil {
		s.hashes = make([]hash, 0, s.sizes.hashes)
	}
	s.hashes = s.hashes[:0]
	err := s.each(ctx, p, func() error {
		h, err := s.readSource()
		if err != nil {
			return err
		}
		if len(s.hashes) == cap(s.hashes) {
			if s.order(); len(s.hashes) > cap(s.hashes)/2 {
				return errLarge
			}
		}
		s.hashes = append(s.hashes, h)
		return nil
	})
	s.order()
	return err
}

// order sorts the hashes and leaves out what is there twice.
func (s *Set) order() {
	slices.SortFunc(s.hashes, compareHashes)
	s.hashes = slices.Compact(s.hashes)
}

// find keeps the entry that was read last.
func (s *Set) find(e entry) error {
	if len(s.found) == cap(s.found) || len(s.names)+e.size() > cap(s.names) {
		if s.compact(); len(s.found) > cap(s.found)/2 || len(s.names) > cap(s.names)/2 {
			return errLarge
		}
	}
	e.at = uint32(len(s.names))
	s.names = append(s.names, s.name...)
	s.found = append(s.found, e)
	return nil
}

// compact leaves out what was found twice.
func (s *Set) compact() {
	slices.SortFunc(s.found, newest)
	s.found = slices.CompactFunc(s.found, same)
	slices.SortFunc(s.found, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
	n := 0
	for i := range s.found {
		e := &s.found[i]
		at := n
		n += copy(s.names[n:], s.names[e.at:int(e.at)+e.size()])
		e.at = uint32(at)
	}
	s.names = s.names[:n]
}

// give yields what was found.
func (s *Set) give(ctx context.Context, yield func(id, routing []byte, version int64) error) error {
	slices.SortFunc(s.found, newest)
	s.found = slices.CompactFunc(s.found, same)
	for _, e := range s.found {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name := s.names[e.at : int(e.at)+e.size()]
		if err := yield(name[:e.id:e.id], name[e.id:], e.version); err != nil {
			return err
		}
	}
	return nil
}

// each calls read for each entry of a part, and makes sure that there are as
// many as were added.
func (s *Set) each(ctx context.Context, p *part, read func() error) error {
	in, err := p.open()
	if err != nil {
		return err
	}
	defer in.Close()
	s.in.Reset(in)
	for n := range p.n {
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := read()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err == errLarge {
			return err
		}
		if err != nil {
			return fmt.Errorf("%s: entry %d of %d: %w", p.path, n, p.n, err)
		}
	}
	if _, err := s.in.ReadByte(); err != io.EOF {
		return fmt.Errorf("%s: more than the %d entries that were written: %w", p.path, p.n, cmp.Or(err, io.ErrNoProgress))
	}
	return nil
}

// readSource reads an entry of the source.
func (s *Set) readSource() (hash, error) {
	b, err := s.in.Peek(hashSize)
	if err != nil {
		return hash{}, err
	}
	h := readHash(b)
	_, err = s.in.Discard(hashSize)
	return h, err
}

// readTarget reads an entry of the target; its names are in s.name.
func (s *Set) readTarget() (e entry, err error) {
	b, err := s.in.Peek(8)
	if err != nil {
		return e, err
	}
	e.version = int64(binary.LittleEndian.Uint64(b))
	s.in.Discard(len(b))
	s.name = s.name[:0]
	if e.id, err = s.readName(); err == nil {
		e.routing, err = s.readName()
	}
	if err != nil {
		return e, err
	}
	e.hash, err = hashOf(s.name[:e.id], s.name[e.id:])
	return e, err
}

// readName reads an _id or a routing and appends it to s.name.
func (s *Set) readName() (uint16, error) {
	n, err := binary.ReadUvarint(s.in)
	if err == nil && n > uint64(MaxName-len(s.name)) {
		err = errors.New("a name that is too long")
	}
	if err != nil {
		return 0, err
	}
	b, err := s.in.Peek(int(n))
	s.name = append(s.name, b...)
	s.in.Discard(len(b))
	return uint16(n), err
}
