package pace

// Bound lets n requests wait at the same time.
func Bound(g *Gate, n int) { g.limit = float64(n) }
