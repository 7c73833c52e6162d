package idset

import (
	"bytes"
	"io"
	"unsafe"
)

// Small makes a set cut its parts again and again.
func (s *Set) Small() { s.sizes = sizes{buffer: 64, hashes: 4, found: 4, names: 4 * 1024} }

// Tiny is Small with next to no room for names.
func (s *Set) Tiny() { s.sizes = sizes{buffer: 16, hashes: 2, found: 2, names: 100} }

// Cut makes a set cut parts of more than so many documents.
func (s *Set) Cut(n int) { s.sizes.hashes = n }

// Find makes room for so many entries and bytes of what is found.
func (s *Set) Find(n, bytes int) { s.sizes.found, s.sizes.names = n, bytes }

// FullAfter lets writes fail after so many bytes of a file.
func (s *Set) FullAfter(n int, err error) {
	create := s.create
	s.create = func(path string) (io.WriteCloser, error) {
		f, cerr := create(path)
		return &full{f, n, err}, cerr
	}
}

type full struct {
	io.WriteCloser
	left int
	err  error
}

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, f.err
	}
	return f.WriteCloser.Write(p)
}

// Before says whether Missing gives one document before another.
func Before(id, routing, id2, routing2 []byte) bool {
	a, _ := hashOf(id, routing)
	b, _ := hashOf(id2, routing2)
	return compareHashes(a, b) < 0
}

// Children gives the bits of the hash of a document, as parts are cut by them,
// and whether they are those of the hash.
func Children(id []byte) bool {
	h, _ := hashOf(id, nil)
	var got, want []byte
	for n := range depth {
		got = append(got, byte(h.child(n)))
	}
	all := append(h.append(nil), 0) // bits behind the end are 0
	for at := 0; at < 128; at += bits {
		pair := uint16(all[at/8]) << 8
		if at/8+1 < len(all) {
			pair |= uint16(all[at/8+1])
		}
		want = append(want, byte(pair<<(at%8)>>(16-bits)))
	}
	return bytes.Equal(got, want)
}

// Sizes are those that Memory counts, as the package says and as they are; and
// what all of it is together.
func Sizes(s *Set) (said, are [2]uintptr, sum int) {
	z := s.sizes
	return [2]uintptr{hashSize, entrySize}, [2]uintptr{unsafe.Sizeof(hash{}), unsafe.Sizeof(entry{})},
		3*fan*z.buffer + z.hashes*hashSize + z.found*entrySize + z.names + readSize + MaxName
}
