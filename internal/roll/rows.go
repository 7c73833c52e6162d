package roll

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/pipeline"
)

const (
	dateBucket = "sink.date"  // by pass: when it began, in seconds since 1970
	cutBucket  = "sink.cuts"  // by pass, lane, start and object: the position where it ended
	laneBucket = "sink.lanes" // by pass and lane: objects may have been made

	manifestBucket = "sink.manifest" // by pass and key of the object: its line; the pass alone: the first line
)

// date is when the pass began. Keys depend on it, so it is kept.
func date(p *pipeline.Pass, s Spec) (time.Time, error) {
	if !s.Key.Has("date") && s.Manifest == nil {
		return time.Time{}, nil
	}
	row := pipeline.Row{Bucket: dateBucket, Key: passKey(p)}
	b, err := p.Store.Get(row.Bucket, row.Key)
	if err != nil {
		return time.Time{}, err
	}
	t := time.Now().Truncate(time.Second)
	if b != nil {
		return t, t.UnmarshalText(b)
	}
	if row.Value, err = t.MarshalText(); err != nil {
		return t, err
	}
	return t, p.Store.Put(row)
}

// forget removes the rows of other passes.
func forget(p *pipeline.Pass) error {
	for _, bucket := range []string{dateBucket, cutBucket, laneBucket, manifestBucket} {
		if err := remove(p.Store, bucket, "", passKey(p)); err != nil {
			return err
		}
		if err := remove(p.Store, bucket, behind(passKey(p)), ""); err != nil {
			return err
		}
	}
	return nil
}

// How many rows are taken, and removed, at a time.
const (
	batch   = 1_000
	removed = 10_000
)

// errEnd ends a Range.
var errEnd = errors.New("no more rows are wanted")

// remove removes the rows from a key on, up to another; "" is the end.
func remove(s pipeline.Store, bucket, from, until string) error {
	for {
		var old []pipeline.Row
		err := s.Range(bucket, from, func(key string, _ []byte) error {
			if until != "" && key >= until || len(old) == removed {
				return errEnd
			}
			old = append(old, pipeline.Row{Bucket: bucket, Key: key})
			return nil
		})
		if err != nil && !errors.Is(err, errEnd) {
			return err
		}
		if len(old) == 0 {
			return nil
		}
		if err := s.Put(old...); err != nil {
			return err
		}
	}
}

// begin notes that the lane is about to make objects. again says that an
// earlier run of the pass has done so: it may have made more than the saved
// position covers, and read in another order.
func (l *lane) begin() (again bool, err error) {
	row := pipeline.Row{Bucket: laneBucket, Key: passKey(l.pass) + l.Name, Value: []byte{1}}
	b, err := l.pass.Store.Get(row.Bucket, row.Key)
	if err != nil || b != nil {
		return b != nil, err
	}
	return false, l.pass.Store.Put(row)
}

func passKey(p *pipeline.Pass) string { return fmt.Sprintf("%019d/", p.Number) }

// behind is the first key behind those that begin with a pass's.
func behind(passKey string) string { return strings.TrimSuffix(passKey, "/") + "0" }

// cutRow is the row, without its value, that says where the next object ends.
func (l *lane) cutRow() pipeline.Row {
	return pipeline.Row{Bucket: cutBucket, Key: fmt.Sprintf("%s%s/%d/%019d", passKey(l.pass), l.Name, l.Start, l.next)}
}

// recordedCut is where an earlier run ended the object that is next, if it did.
func (l *lane) recordedCut() (cut pipeline.Position, ok bool, err error) {
	b, err := l.pass.Store.Get(cutBucket, l.cutRow().Key)
	if err == nil && b != nil {
		err = json.Unmarshal(b, &cut)
	}
	if err != nil {
		return cut, false, fmt.Errorf("state: cut: %w", err)
	}
	return cut, b != nil, nil
}

// recordCut puts into the Store that the object ends after the last item. If
// that has no position, the row says that it is not time that ends the object.
func (l *lane) recordCut() error {
	row := l.cutRow()
	var err error
	if row.Value, err = json.Marshal(l.end); err != nil {
		return err
	}
	if err := l.pass.Store.Put(row); err != nil {
		return fmt.Errorf("state: cut: %w", err)
	}
	l.recorded, l.cut = true, l.end
	return nil
}
