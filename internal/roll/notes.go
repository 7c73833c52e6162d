package roll

import "sluice/pipeline"

// Stamp tells whether an object is still what was written: as long as it is,
// its stamp is the same. It is plain data.
type Stamp struct {
	Tag  string `json:"tag,omitempty"` // an ETag, or a time of modification
	Size int64  `json:"size"`          // in bytes
}

// Timed is an [Object] that is not [Tagged], but knows, once it is committed,
// when its bytes were last modified.
type Timed interface{ Modified() string }

// Notes says what the save that passes an item of its own object is to write,
// beside what the item brings. Its methods may be called from several goroutines.
type Notes interface {
	// Made follows the commit of the object of an item.
	Made(key string, it *pipeline.Item, s Stamp) []pipeline.Row
	// Removed follows the removal of the object of an item.
	Removed(key string) []pipeline.Row
}

// Note lets n say what saves are to write. It is called before Write.
func (w *Writer) Note(n Notes) { w.notes = n }

// made is what to write of an object that was committed.
func (w *Writer) made(key string, it *pipeline.Item, t *tally) []pipeline.Row {
	if w.notes == nil {
		return nil
	}
	s := Stamp{Size: t.bytes}
	switch o := t.Object.(type) {
	case Tagged:
		s.Tag = o.ETag()
	case Timed:
		s.Tag = o.Modified()
	}
	return w.notes.Made(key, it, s)
}
