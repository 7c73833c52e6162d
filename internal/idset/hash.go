package idset

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// hash stands for an _id and its routing: the beginning of the SHA-256 of both.
type hash struct{ high, low uint64 }

const hashSize = 16

// A part is cut into 64: by six bits of the hash, those that come next.
const (
	fan   = 64
	bits  = 6
	depth = 128/bits + 1 // how often a part can be cut
)

func hashOf(id, routing []byte) (hash, error) {
	if len(id)+len(routing) > MaxName {
		return hash{}, fmt.Errorf("_id %.100q: with its routing it has more than %d bytes", id, MaxName)
	}
	var room [640]byte // more is rare
	b := binary.AppendUvarint(room[:0], uint64(len(id)))
	b = append(append(b, id...), routing...)
	sum := sha256.Sum256(b)
	return readHash(sum[:]), nil
}

func readHash(b []byte) hash {
	return hash{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (h hash) append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, h.high), h.low)
}

// child is which of the parts of a part it belongs to, that is cut for the n-th
// time, from 0.
func (h hash) child(n int) int {
	if at := n * bits; at < 64 {
		return int((h.high<<at | h.low>>(64-at)) >> (64 - bits))
	}
	return int(h.low << (n*bits - 64) >> (64 - bits))
}

func compareHashes(a, b hash) int {
	if c := cmp.Compare(a.high, b.high); c != 0 {
		return c
	}
	return cmp.Compare(a.low, b.low)
}
