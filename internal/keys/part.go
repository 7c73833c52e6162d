package keys

import "hash/fnv"

// Part says which of n lanes takes a key: a number below n, the same for the
// same key and n, about equally often each.
//
// Every bit of the hash depends on every other (the finalizer of MurmurHash3):
// the low bits of FNV-1a depend on those of the bytes alone, and keys that name
// a date twice would all be in half of the lanes.
func Part(key string, n int) int {
	f := fnv.New64a()
	f.Write([]byte(key))
	h := f.Sum64()
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return int(h % uint64(max(1, n)))
}
