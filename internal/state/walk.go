package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"strings"
)

// Layout of a file of bbolt. Page 0 and 1 are metas, written in turn; the one
// with the higher transaction is the root of a tree of pages that are never
// changed in place.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10

	pageHeader  = 16 // id u64, flags u16, count u16, overflow u32
	element     = 16 // branch: pos u32, ksize u32, page u64; leaf: flags u32, pos u32, ksize u32, vsize u32
	metaSize    = 64 // magic u32, version u32, page size u32, flags u32, root u64, sequence u64, freelist u64, pages u64, tx u64, sum u64
	bucketFlag  = 0x01
	bucketHead  = 16     // root u64, sequence u64; root 0: the page follows
	manyEntries = 0xFFFF // of a freelist: its first entry is the number
)

var native = binary.NativeEndian

// walker reads a file of bbolt and believes nothing: not that pages are what
// they are said to be, nor that they form a tree. bbolt itself panics or runs
// for ever on some files that are damaged.
type walker struct {
	f        io.ReaderAt
	size     int64
	pageSize int64
	pages    uint64 // in use, or on the freelist
	used     []uint64
	row      func(bucket, key string, value []byte) error
	sum      uint64 // of the checksums of the rows
}

// walk calls row for every row of a file, in order. It returns an error of
// type damaged unless the file is whole; row may have been called before.
// A value is valid during the call.
func walk(f io.ReaderAt, size int64, row func(bucket, key string, value []byte) error) error {
	w := &walker{f: f, size: size, row: row}
	m, err := w.metas()
	if err != nil {
		return err
	}
	w.pageSize, w.pages = int64(native.Uint32(m[8:])), native.Uint64(m[40:])
	if w.pages > uint64(size/w.pageSize) {
		return damage("cut short: %d bytes of %d", size, w.pages*uint64(w.pageSize))
	}
	w.used = make([]uint64, w.pages/64+1)
	w.use(0, 2)
	sequence, err := w.root(native.Uint64(m[16:]))
	if err != nil {
		return err
	}
	if w.sum != sequence {
		return damage("rows are missing, or not the last ones")
	}
	return w.freelist(native.Uint64(m[32:]))
}

// metas returns the meta of the last transaction; the other one is of the
// transaction before it. A meta is smaller than a sector, so it is written
// whole or not at all: if one of the two is broken, the file was damaged, and
// the other one is not known to be the last.
func (w *walker) metas() ([]byte, error) {
	first, err := w.meta(0)
	if err != nil {
		return nil, err
	}
	second, err := w.meta(int64(native.Uint32(first[8:])))
	if err != nil {
		return nil, err
	}
	a, b := native.Uint64(first[48:]), native.Uint64(second[48:])
	switch {
	case native.Uint32(first[8:]) != native.Uint32(second[8:]):
		return nil, damage("two page sizes")
	case a == b+1:
		return first, nil
	case b == a+1:
		return second, nil
	}
	return nil, damage("a write to its beginning is missing")
}

func (w *walker) meta(at int64) ([]byte, error) {
	b := make([]byte, pageHeader+metaSize)
	if err := w.read(b, at); err != nil {
		return nil, err
	}
	m := b[pageHeader:]
	sum := fnv.New64a()
	sum.Write(m[:56])
	size := native.Uint32(m[8:])
	switch {
	case native.Uint32(m) != boltMagic:
		return nil, damage("not a state, or its beginning was changed")
	case native.Uint32(m[4:]) != boltVersion:
		return nil, damage("version %d of the format of bbolt is not known", native.Uint32(m[4:]))
	case native.Uint64(m[56:]) != sum.Sum64() || native.Uint16(b[8:]) != metaPage:
		return nil, damage("its beginning was changed")
	case size < 512 || size > 1<<24 || size&(size-1) != 0:
		return nil, damage("page size %d", size)
	}
	return m, nil
}

func (w *walker) read(b []byte, at int64) error {
	_, err := w.f.ReadAt(b, at)
	if errors.Is(err, io.EOF) {
		return damage("cut short: %d bytes", w.size)
	}
	return err
}

// use marks pages as used, each once.
func (w *walker) use(id, n uint64) error {
	if id >= w.pages || n > w.pages-id {
		return damage("page %d is not in the file", id)
	}
	for i := id; i < id+n; i++ {
		if w.used[i/64]&(1<<(i%64)) != 0 {
			return damage("page %d is used twice", i)
		}
		w.used[i/64] |= 1 << (i % 64)
	}
	return nil
}

// page reads a page, with those that it continues in.
func (w *walker) page(id uint64) ([]byte, error) {
	var head [pageHeader]byte
	if id >= w.pages {
		return nil, damage("page %d is not in the file", id)
	}
	if err := w.read(head[:], int64(id)*w.pageSize); err != nil {
		return nil, err
	}
	n := uint64(native.Uint32(head[12:])) + 1
	if native.Uint64(head[:]) != id {
		return nil, damage("page %d says that it is another", id)
	}
	if err := w.use(id, n); err != nil {
		return nil, err
	}
	b := make([]byte, int64(n)*w.pageSize)
	return b, w.read(b, int64(id)*w.pageSize)
}

// root walks the bucket of the rows, and returns its sequence.
func (w *walker) root(id uint64) (sequence uint64, err error) {
	b, err := w.page(id)
	if err != nil {
		return 0, err
	}
	var name string
	var bucket []byte
	n := 0
	err = leaf(b, nil, nil, bucketFlag, func(k, v []byte) error {
		name, bucket, n = string(k), v, n+1
		return nil
	})
	if err != nil {
		return 0, err
	}
	version, ours := strings.CutPrefix(name, formatName)
	switch {
	case n != 1 || !ours || len(bucket) < bucketHead:
		return 0, damage("not a state of sluice")
	case version != formatVersion:
		return 0, damage("its format is %s, that of another version of sluice; this one knows %s", version, formatVersion)
	}
	if root := native.Uint64(bucket); root != 0 {
		return native.Uint64(bucket[8:]), w.tree(root, nil, nil)
	}
	return native.Uint64(bucket[8:]), leaf(bucket[bucketHead:], nil, nil, 0, w.entry)
}

// tree walks a page of the rows and those below it: keys from lo on, up to but
// not including hi, if that is not nil.
func (w *walker) tree(id uint64, lo, hi []byte) error {
	b, err := w.page(id)
	if err != nil {
		return err
	}
	if native.Uint16(b[8:]) != branchPage {
		return leaf(b, lo, hi, 0, w.entry)
	}
	n := int(native.Uint16(b[10:]))
	if n == 0 || pageHeader+n*element > len(b) {
		return damage("page %d has %d branches", id, n)
	}
	keys := make([][]byte, n+1)
	keys[n] = hi
	for i := range n {
		e := pageHeader + i*element
		if keys[i], err = part(b, e, native.Uint32(b[e:]), native.Uint32(b[e+4:])); err != nil {
			return err
		}
	}
	for i := range n {
		if bytes.Compare(keys[i], lo) < 0 || keys[i+1] != nil && bytes.Compare(keys[i], keys[i+1]) >= 0 {
			return damage("page %d is out of order", id)
		}
		if err := w.tree(native.Uint64(b[pageHeader+i*element+8:]), keys[i], keys[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// leaf calls f for the entries of a leaf, all with these flags.
func leaf(b, lo, hi []byte, flags uint32, f func(k, v []byte) error) error {
	if len(b) < pageHeader || native.Uint16(b[8:]) != leafPage {
		return damage("a page is of the wrong kind")
	}
	n := int(native.Uint16(b[10:]))
	if pageHeader+n*element > len(b) {
		return damage("a page has %d entries", n)
	}
	for i := range n {
		e := pageHeader + i*element
		pos, ksize := native.Uint32(b[e+4:]), native.Uint32(b[e+8:])
		k, err := part(b, e, pos, ksize)
		if err != nil {
			return err
		}
		v, err := part(b, e+int(ksize), pos, native.Uint32(b[e+12:]))
		if err != nil {
			return err
		}
		if native.Uint32(b[e:]) != flags || bytes.Compare(k, lo) < 0 || i > 0 && bytes.Equal(k, lo) || hi != nil && bytes.Compare(k, hi) >= 0 {
			return damage("an entry is not where it belongs")
		}
		if err := f(k, v); err != nil {
			return err
		}
		lo = k
	}
	return nil
}

// part is n bytes of a page, pos after an element.
func part(b []byte, element int, pos, n uint32) ([]byte, error) {
	at := int64(element) + int64(pos)
	if at+int64(n) > int64(len(b)) {
		return nil, damage("an entry is longer than its page")
	}
	return b[at : at+int64(n) : at+int64(n)], nil
}

// entry checks a row and hands it on.
func (w *walker) entry(k, v []byte) error {
	value, err := unseal(k, v)
	if err != nil {
		return err
	}
	w.sum += uint64(checksum(v))
	bucket, key, ok := strings.Cut(string(k), "\x00")
	if !ok {
		return damage("row %q has no bucket", k)
	}
	return w.row(bucket, key, value)
}

// freelist checks that no page that is free is used, and vice versa.
func (w *walker) freelist(id uint64) error {
	b, err := w.page(id)
	if err != nil {
		return err
	}
	if native.Uint16(b[8:]) != freelistPage {
		return damage("the freelist is of the wrong kind")
	}
	free, n := b[pageHeader:], uint64(native.Uint16(b[10:]))
	if n == manyEntries {
		n, free = native.Uint64(free), free[8:]
	}
	if n > uint64(len(free)/8) {
		return damage("the freelist has %d entries", n)
	}
	for i := range n {
		if err := w.use(native.Uint64(free[i*8:]), 1); err != nil {
			return err
		}
	}
	return nil
}
