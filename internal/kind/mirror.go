package kind

import "sluice/internal/unit"

// Mirror is a Sink that can make its target equal to the source.
type Mirror interface {
	// Mirrors says whether it does.
	Mirrors() bool
	// AllowDeletes sets the most that a pass deletes.
	AllowDeletes(most unit.Share)
}

// Consumer is a Source that can say that what was delivered leaves it, so that
// the next pass does not have it.
type Consumer interface{ Consumes() bool }

// Leaver is a Source that can say which of its options leave items out for what
// they are at the time of a pass: the next one may have them, or not.
type Leaver interface{ Leaves() []string }

// What says what becomes of an object in a dry run.
type What string

// What becomes of an object.
const (
	New     What = "new"     // it would be copied: there is none
	Changed What = "changed" // it would be copied: there is one of another version, or that nothing is known of
	Same    What = "same"    // it would be left as it is
	Gone    What = "gone"    // it would be deleted
)

// Change is what a dry run says of an object of the target.
type Change struct {
	What What
	Name string // of the object, as messages call it
	Size int64  // in bytes, as the source gives them or as they are there; -1: not known
}
