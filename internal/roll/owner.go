package roll

import (
	"fmt"

	"sluice/pipeline"
)

// Owner says who made an object, and of what. It is plain data.
type Owner struct {
	Pipeline string
	Pass     int64
	Lane     string // its ID
	Start    int    // how often the lane had started over
	From     string // where the object begins in the lane
	Source   string // key of the item, if the object is of a single item; else ""
	Version  string // of the item, likewise
}

// Replaces says whether an object of o may take the place of one of old. An
// object that a lane made in this pass under this number is one that no saved
// position covers, or the lane would be past the number: a crash left it, or a
// walk that was given up. An object of a single item gives way to what a later
// pass makes of that item. Both owners may have been hashed field by field.
func (o Owner) Replaces(old Owner) bool {
	if o.Source != "" || old.Source != "" {
		return o.Pipeline == old.Pipeline && o.Source == old.Source
	}
	return o.sameLane(old) && old.Start <= o.Start
}

// Stale says whether an object of old, whose key this walk of the lane of o has
// not written, is what another walk of it has left in this pass.
func (o Owner) Stale(old Owner) bool {
	return o.sameLane(old) && (old.Start < o.Start || old.Start == o.Start && old.Source == "")
}

func (o Owner) sameLane(old Owner) bool {
	return o.Pipeline == old.Pipeline && o.Pass == old.Pass && o.Lane == old.Lane
}

// The values of the option `overwrite`.
const (
	Own    = "own"    // what this pipeline made of the same
	Never  = "never"  // only what this very pass made, when it writes it again after a crash
	Always = "always" // anything
)

// Allow is nil if an object of mine may replace one that exists under the name
// and is of theirs; theirs is nil if that is not known. Else it is the error
// for the user.
func Allow(overwrite, name string, mine Owner, theirs *Owner) error {
	switch {
	case overwrite == Always:
		return nil
	case theirs == nil:
		return fmt.Errorf("%s exists and was not written by pipeline %s in this pass: %s", name, mine.Pipeline, remedy)
	case mine.Replaces(*theirs) && (overwrite == Own || mine.Pass == theirs.Pass):
		return nil
	case theirs.Pipeline != mine.Pipeline:
		return fmt.Errorf("%s exists and belongs to pipeline %s: %s", name, theirs.Pipeline, remedy)
	case theirs.Pass != mine.Pass:
		return fmt.Errorf("%s exists and belongs to pass %d, this is pass %d: %s", name, theirs.Pass, mine.Pass, remedy)
	case theirs.Source != mine.Source:
		return fmt.Errorf("%s exists and was made of %q: %s", name, theirs.Source, remedy)
	}
	return fmt.Errorf("%s exists and belongs to another lane (%s): %s", name, theirs.Lane, remedy)
}

const remedy = "put {pass} into the key, write to another place, or set overwrite: always"

// place names a position: the same place always has the same name.
func place(p pipeline.Position) string {
	if p.Inner == "" {
		return p.Token
	}
	return fmt.Sprintf("%s %s %q %s", p.Token, p.Inner, p.Key, p.Version)
}
