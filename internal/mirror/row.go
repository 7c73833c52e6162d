package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"sluice/internal/roll"
	"sluice/pipeline"
)

const (
	rowBucket    = "sink.mirror"        // by key of the target: what is known of it
	walkBucket   = "sink.mirror.walk"   // one row, "last": the number of the last run
	doomedBucket = "sink.mirror.doomed" // by key: the stamps of objects that Finish is about to delete
)

// batch is how many rows are read or written in one step.
const batch = 1000

// state says what a row tells.
type state string

const (
	written  state = "written"  // the object was made of an item
	expected state = "expected" // the source has the item; no object was made of it in that walk
	foreign  state = "foreign"  // the pipeline did not make the object
)

// row is what is known of a key. The zero row: nothing.
type row struct {
	Walk       int64  `json:"walk"` // that saw the item last
	State      state  `json:"state"`
	Version    string `json:"version,omitempty"` // of the item
	Bytes      string `json:"bytes,omitempty"`   // digest of what else the bytes depend on
	roll.Stamp        // of the object
}

func (r row) is(s state) bool { return r.State == s }

// at gives the row of a key.
func (r row) at(key string) pipeline.Row {
	return pipeline.Row{Bucket: rowBucket, Key: key, Value: encode(r)}
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs of strings and integers
	}
	return b
}

func decode[T any](value []byte) (v T, err error) {
	err = json.Unmarshal(value, &v)
	return v, err
}

// begin gives this run its number.
func begin(s pipeline.Store) (walk int64, err error) {
	b, err := s.Get(walkBucket, "last")
	if err == nil && b != nil {
		walk, err = strconv.ParseInt(string(b), 10, 64)
	}
	if err != nil {
		return 0, fmt.Errorf("state: mirror: %w", err)
	}
	walk++
	return walk, s.Put(pipeline.Row{Bucket: walkBucket, Key: "last", Value: strconv.AppendInt(nil, walk, 10)})
}

// page gives rows after a key.
func (w *Writer) page(_ context.Context, after string) ([]Entry[row], bool, error) {
	from := after
	if after != "" {
		from += "\x00" // the least key after it
	}
	return Rows(w.store, rowBucket, from, decode[row])
}

var errPage = errors.New("page is full")

// Rows reads a page of a bucket from a key on. decode must not keep the value.
// last says that there is no more.
func Rows[T any](s pipeline.Store, bucket, from string, decode func(value []byte) (T, error)) (page []Entry[T], last bool, err error) {
	err = s.Range(bucket, from, func(key string, value []byte) error {
		v, err := decode(value)
		if err != nil {
			return fmt.Errorf("state: %s of %s: %w", bucket, key, err)
		}
		if page = append(page, Entry[T]{key, v}); len(page) == batch {
			return errPage
		}
		return nil
	})
	if errors.Is(err, errPage) {
		return page, false, nil
	}
	return page, err == nil, err
}
