//go:build race

package transforms_test

// slower is by how much amounts are divided: the race detector makes codecs
// ten times slower.
const slower = 8
