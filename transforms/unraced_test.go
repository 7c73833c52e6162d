//go:build !race

package transforms_test

const slower = 1
