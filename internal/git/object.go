package git

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"
)

// OID is the id of an object in lower-case hex: 40 digits in a SHA-1
// repository, 64 in a SHA-256 one. "" is none.
type OID string

// digits reports whether an id is well-formed.
func (o OID) digits() bool {
	if len(o) != 2*sha1.Size && len(o) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(o) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// null reports whether an id is the one of zeros by which git says none.
func (o OID) null() bool {
	for _, c := range []byte(o) {
		if c != '0' {
			return false
		}
	}
	return true
}

// Mode is what an entry of a tree is.
type Mode uint32

// The modes of files. Another one is no file: a [Symlink] or a [Submodule].
const (
	Regular    Mode = 0o100644
	Executable Mode = 0o100755
	Symlink    Mode = 0o120000
	Submodule  Mode = 0o160000
	directory  Mode = 0o040000
)

// File reports whether it is a regular file, executable or not.
func (m Mode) File() bool { return m == Regular || m == Executable }

// sha256Format is the object format of a repository whose ids are SHA-256.
const sha256Format = "sha256"

func newHash(format string) hash.Hash {
	if format == sha256Format {
		return sha256.New()
	}
	return sha1.New()
}

// BlobHash computes the id of a blob from its bytes. It is not safe for
// concurrent use.
type BlobHash struct {
	hash hash.Hash
	left int64
}

// BlobOID starts the id of a blob of size bytes, as the remote counts ids.
func (r *Repo) BlobOID(size int64) *BlobHash {
	h := newHash(r.format)
	h.Write(strconv.AppendInt([]byte("blob "), size, 10))
	h.Write([]byte{0})
	return &BlobHash{h, size}
}

// Write takes the next bytes. It does not fail and does not keep p.
func (h *BlobHash) Write(p []byte) (int, error) {
	h.left -= int64(len(p))
	return h.hash.Write(p)
}

// Sum gives the id; "" if not exactly size bytes were written.
func (h *BlobHash) Sum() OID {
	if h.left != 0 {
		return ""
	}
	return OID(hex.EncodeToString(h.hash.Sum(nil)))
}

// emptyTree is the id of the tree without entries, which every git knows.
func (r *Repo) emptyTree() OID {
	h := newHash(r.format)
	h.Write([]byte("tree 0\x00"))
	return OID(hex.EncodeToString(h.Sum(nil)))
}
