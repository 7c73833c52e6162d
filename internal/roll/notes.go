package roll

import "sluice/pipeline"

// Stamp tells whether an object is still what was written: as long as it is,
// its stamp is the same. It is plain data.
type Stamp struct {
	Tag  string `json:"tag,omitempty"` // an ETag, a time of modification
	Size int64  `json:"size"`          // in bytes
}

// Stamped is an [Object] that knows its stamp once it was committed.
type Stamped interface{ Stamp() Stamp }

// Notes says what the save that passes an item of its own object is to write,
// beside what the item brings. Its methods may be called from several goroutines.
type Notes interface {
	// Made follows the commit of the object of an item.
	Made(key string, it *pipeline.Item, s Stamp) []pipeline.Row
	// Removed follows the removal of the object of an item.
	Removed(key string) []pipeline.Row
}

// Note lets n say what saves are to write, of objects that are [Stamped]. It is
// called before Write.
func (w *Writer) Note(n Notes) { w.notes = n }

// made is what to write of an object that was committed.
func (w *Writer) made(key string, it *pipeline.Item, o Object) []pipeline.Row {
	if s, ok := o.(Stamped); ok && w.notes != nil {
		return w.notes.Made(key, it, s.Stamp())
	}
	return nil
}
