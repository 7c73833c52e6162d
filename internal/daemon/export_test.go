package daemon

// For tests.
var (
	BackOff = backOff
	Until   = until
)
