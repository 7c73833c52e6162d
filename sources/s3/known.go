package s3

import (
	"context"
	"strings"

	"sluice/internal/objects"
	"sluice/pipeline"
)

// knownBucket remembers what was taken in mode: new, by key: the version, with
// a mark before it while the last listing did not have the key.
const knownBucket = "source.known"

// missed marks a key that one listing did not have. It is forgotten when the
// next one does not have it either: there are stores whose listings leave out
// what is there, and what is forgotten is taken again.
const missed = "?"

// batch is how many rows are in memory, and after how many objects that are
// known the lane moves on.
const batch = 1000

// fresh finds what is new in the listing of a lane: it walks the remembered
// keys beside it, in the same order.
type fresh struct {
	store   pipeline.Store
	keys    span // of the lane
	version func(objects.Object) string
	wanted  func(objects.Object) bool
	take    func(ctx context.Context, o objects.Object, with passed) error // what is new, and remembers it
	move    func(ctx context.Context, at string, with passed) error        // on to a key, without an object

	rows  []pipeline.Row // known keys that are next
	from  string         // where those begin that follow them
	ended bool           // there are none
	at    string         // the last key that was dealt with
	since int            // keys that were dealt with since the last item
	with  passed
}

// passed is what goes with the next item of what came before it.
type passed struct {
	notes   []pipeline.Row
	skipped int64 // objects that are known
}

// to lets an item carry it.
func (p passed) to(it *pipeline.Item) {
	it.Notes = append(p.notes, it.Notes...)
	it.Counts.Skipped += p.skipped
}

// known is the row that says that a version was taken.
func known(key, version string) pipeline.Row {
	return pipeline.Row{Bucket: knownBucket, Key: key, Value: []byte(version)}
}

// object takes one object of the listing if it is new.
func (f *fresh) object(ctx context.Context, o objects.Object) error {
	old, err := f.upTo(ctx, o.Key)
	if err != nil {
		return err
	}
	is := f.version(o)
	if strings.TrimPrefix(old, missed) != is && f.wanted(o) {
		with := f.with
		f.with, f.since = passed{}, 0
		return f.take(ctx, o, with)
	}
	if old == missed+is {
		f.with.notes = append(f.with.notes, known(o.Key, is))
	}
	if old != "" {
		f.with.skipped++
	}
	return f.dealt(ctx, o.Key)
}

// pass remembers an object without taking it.
func (f *fresh) pass(ctx context.Context, o objects.Object) error {
	if _, err := f.upTo(ctx, o.Key); err != nil {
		return err
	}
	f.with.notes = append(f.with.notes, known(o.Key, f.version(o)))
	f.with.skipped++
	return f.dealt(ctx, o.Key)
}

// upTo deals with the known keys before key, which the listing has passed, and
// gives what is known of key.
func (f *fresh) upTo(ctx context.Context, key string) (value string, err error) {
	for {
		row, err := f.head()
		if err != nil || row == nil || row.Key > key {
			return "", err
		}
		f.rows = f.rows[1:]
		if row.Key == key {
			return string(row.Value), nil
		}
		if err := f.gone(ctx, row); err != nil {
			return "", err
		}
	}
}

// gone forgets a key, if it was missed before.
func (f *fresh) gone(ctx context.Context, row *pipeline.Row) error {
	note := pipeline.Row{Bucket: knownBucket, Key: row.Key}
	if !strings.HasPrefix(string(row.Value), missed) {
		note.Value = append([]byte(missed), row.Value...)
	}
	f.with.notes = append(f.with.notes, note)
	return f.dealt(ctx, row.Key)
}

// end deals with what is known after the last key of the listing.
func (f *fresh) end(ctx context.Context) error {
	for {
		row, err := f.head()
		if err != nil {
			return err
		}
		if row == nil || f.keys.until != "" && row.Key > f.keys.until {
			return f.moveOn(ctx)
		}
		f.rows = f.rows[1:]
		if err := f.gone(ctx, row); err != nil {
			return err
		}
	}
}

// head is the next known key; nil: there is none.
func (f *fresh) head() (*pipeline.Row, error) {
	if len(f.rows) == 0 && !f.ended {
		if err := f.fill(); err != nil {
			return nil, err
		}
	}
	if len(f.rows) == 0 {
		return nil, nil
	}
	return &f.rows[0], nil
}

// fill reads some rows.
func (f *fresh) fill() (err error) {
	f.rows, err = someRows(f.store, knownBucket, f.from, batch, every)
	if f.ended = len(f.rows) < batch; !f.ended {
		f.from = behind(f.rows[batch-1].Key)
	}
	return err
}

// behind is the least key that comes after key; "" comes before all.
func behind(key string) string {
	if key == "" {
		return ""
	}
	return key + "\x00"
}

// dealt says that a key was dealt with, and moves the lane on after many.
func (f *fresh) dealt(ctx context.Context, key string) error {
	f.at = key
	if f.since++; f.since < batch {
		return nil
	}
	return f.moveOn(ctx)
}

// moveOn lets the lane go on from the last key that was dealt with.
func (f *fresh) moveOn(ctx context.Context) error {
	if f.since == 0 {
		return nil
	}
	with := f.with
	f.with, f.since = passed{}, 0
	return f.move(ctx, f.at, with)
}
