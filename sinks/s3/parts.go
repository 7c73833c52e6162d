package s3

import "sluice/internal/roll"

const (
	// spares is how many lanes may fill a part while another of theirs is sent.
	spares = 2
	// smallSize is what an object of a single item may have, in bytes, so that
	// several of a lane are sent at the same time.
	smallSize = 256 << 10
	// smalls is how many of these a lane may have: one is being written.
	smalls = roll.InFlight + 1
)

// parts keeps the buffers of all lanes: a part for each, the spare ones, and, if
// objects are of single items, the small ones.
type parts struct {
	free  chan []byte
	spare chan struct{} // a right to a second buffer is taken for each thing in it
	small chan []byte
}

// newParts makes the buffers, and touches them: a process that does not fit
// into its container is to fail when it begins, not in the middle of the night.
func newParts(size, lanes int, single bool) *parts {
	lanes = max(1, lanes)
	small := 0
	if single {
		small = lanes * smalls
	}
	p := &parts{free: make(chan []byte, lanes+spares), spare: make(chan struct{}, min(lanes, spares)), small: make(chan []byte, small)}
	for range lanes + cap(p.spare) {
		p.free <- buffer(size)
	}
	for range small {
		p.small <- buffer(smallSize)
	}
	return p
}

func buffer(size int) []byte {
	b := make([]byte, size)
	clear(b)
	return b[:0]
}
