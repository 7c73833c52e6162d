package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sluice/internal/roll"
	"sluice/pipeline"
)

// bucket has a row for each file: whose it is, by its path.
const bucket = "sink.files"

// rows are the files that the pipeline knows to be its own.
type rows struct{ pipeline.Store }

// made is what is known of a file: whose it is, and how it was when it was written.
type made struct {
	roll.Owner
	roll.Stamp
}

// known is nil for a file that is not known.
func (r rows) known(key string) (*made, error) {
	b, err := r.Get(bucket, key)
	if err != nil || b == nil {
		return nil, err
	}
	m := new(made)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("state: file %s: %w", key, err)
	}
	return m, nil
}

// get is the owner of a file; nil if it is not known.
func (r rows) get(key string) (*roll.Owner, error) {
	m, err := r.known(key)
	if m == nil {
		return nil, err
	}
	return &m.Owner, nil
}

func (r rows) put(key string, m made) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return r.Put(pipeline.Row{Bucket: bucket, Key: key, Value: b})
}

// forget removes the rows of other passes, but those of files that a later pass
// may replace.
func (r rows) forget(pass int64) error {
	return r.each("", func(_ string, o roll.Owner) (bool, error) { return o.Pass != pass && o.Source == "", nil })
}

// batch is how many rows are removed in one step.
const batch = 1000

var errBatch = errors.New("batch is full")

// each calls f for the rows whose keys begin with prefix, and removes those for
// which it says so.
func (r rows) each(prefix string, f func(key string, o roll.Owner) (remove bool, err error)) error {
	for from := prefix; ; {
		var old []pipeline.Row
		err := r.Range(bucket, from, func(key string, b []byte) error {
			if !strings.HasPrefix(key, prefix) {
				return errEnd
			}
			var o roll.Owner
			if err := json.Unmarshal(b, &o); err != nil {
				return fmt.Errorf("state: file %s: %w", key, err)
			}
			remove, err := f(key, o)
			if remove {
				old = append(old, pipeline.Row{Bucket: bucket, Key: key})
			}
			if err == nil && len(old) == batch {
				from, err = key, errBatch
			}
			return err
		})
		if len(old) > 0 {
			err = errors.Join(err, r.Put(old...))
		}
		switch {
		case errors.Is(err, errEnd):
			return nil
		case !errors.Is(err, errBatch):
			return err
		}
	}
}

var errEnd = errors.New("no more rows of the prefix")
