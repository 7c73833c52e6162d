package ops

import "time"

// Count writes a number with separators: 1,234,567.
func Count(n int64) string { return count(n) }

// Size writes bytes with three digits: 812 B, 1.21 MiB, 43.8 GiB.
func Size(n int64) string { return size(n) }

// Span writes a length of time to the second: 42s, 3m20s, 26h5m.
func Span(d time.Duration) string { return span(d) }
