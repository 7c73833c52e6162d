package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"sluice/internal/crash"
	"sluice/internal/objects"
	"sluice/pipeline"
)

// Rows of uploads that have not ended.
const (
	uploadBucket    = "sink.uploads"    // id to key
	beginningBucket = "sink.beginnings" // of uploads whose id is not known (yet): a number to the store's time, a space, and the key
)

// journal has in the Store what uploads an object may have at the store. It
// implements [objects.Journal].
type journal struct {
	t         *target
	key       string
	ids       []string
	done      string // of ids: the object was made of it
	beginning string // its row; "": none
	since     time.Time
}

// beginnings numbers the rows of a process.
var beginnings atomic.Int64

// Beginning implements [objects.Journal].
func (j *journal) Beginning() error {
	if j.beginning != "" {
		return nil
	}
	j.beginning, j.since = strconv.FormatInt(beginnings.Add(1), 10), j.t.client.Now()
	return j.t.put(pipeline.Row{Bucket: beginningBucket, Key: j.beginning, Value: []byte(j.since.UTC().Format(time.RFC3339) + " " + j.key)})
}

// Begun implements [objects.Journal].
func (j *journal) Begun(id string, sure bool) error {
	crash.Point(crash.AfterBegin)
	j.ids = append(j.ids, id)
	rows := []pipeline.Row{{Bucket: uploadBucket, Key: id, Value: []byte(j.key)}}
	if sure {
		rows = append(rows, pipeline.Row{Bucket: beginningBucket, Key: j.beginning})
		j.beginning = ""
	}
	return j.t.put(rows...)
}

// last is the id of the upload that was begun last; "": none was.
func (j *journal) last() string {
	if len(j.ids) == 0 {
		return ""
	}
	return j.ids[len(j.ids)-1]
}

// end aborts what was begun and not done, also that whose id was lost on its
// way, and forgets it.
func (j *journal) end(ctx context.Context) error {
	var rows []pipeline.Row
	for _, id := range j.ids {
		if id != j.done {
			if err := j.t.client.Abort(ctx, j.key, id); err != nil {
				return err
			}
		}
		rows = append(rows, pipeline.Row{Bucket: uploadBucket, Key: id})
	}
	if j.beginning != "" {
		if err := j.t.abortUnknown(ctx, j.key, j.since); err != nil {
			return err
		}
		rows = append(rows, pipeline.Row{Bucket: beginningBucket, Key: j.beginning})
	}
	j.ids, j.beginning = nil, ""
	if len(rows) == 0 {
		return nil
	}
	return j.t.put(rows...)
}

// abortLeft aborts the uploads that a run which was killed left behind.
func (t *target) abortLeft(ctx context.Context) error {
	left, err := t.rows(uploadBucket)
	if err != nil {
		return err
	}
	for _, r := range left {
		if err := t.client.Abort(ctx, string(r.Value), r.Key); err != nil {
			return err
		}
		if err := t.put(pipeline.Row{Bucket: r.Bucket, Key: r.Key}); err != nil {
			return err
		}
	}
	if left, err = t.rows(beginningBucket); err != nil {
		return err
	}
	for _, r := range left {
		since, key, _ := strings.Cut(string(r.Value), " ")
		at, err := time.Parse(time.RFC3339, since)
		if err != nil {
			return fmt.Errorf("state: beginning of an upload %q: %w", r.Value, err)
		}
		if err := t.abortUnknown(ctx, key, at); err != nil {
			return err
		}
		if err := t.put(pipeline.Row{Bucket: r.Bucket, Key: r.Key}); err != nil {
			return err
		}
	}
	return nil
}

// abortUnknown aborts the uploads that may be ours though no reply has said so:
// they are of this very key, were begun since then, as far as clocks can tell,
// and have no part, because an upload gets parts when its id is in the Store.
// Who may not look for them is told what was left.
func (t *target) abortUnknown(ctx context.Context, key string, since time.Time) error {
	since = since.Add(-objects.Tolerance)
	err := t.client.Uploads(ctx, key, func(of, id string, begun time.Time) error {
		if of != key || begun.Before(since) {
			return nil
		}
		empty, err := t.client.Empty(ctx, key, id)
		if errors.Is(err, objects.ErrNoUpload) || err == nil && !empty {
			return nil
		}
		if err != nil {
			return err
		}
		return t.client.Abort(ctx, key, id)
	})
	if e := new(objects.Error); errors.As(err, &e) && (e.Status/100 == 4 || e.Status == 501) {
		pipeline.Logger(ctx).Warn("an upload that was begun may be left and cannot be looked for", "object", t.client.Name(key), "error", err)
		return nil
	}
	return err
}

// rows gives the rows of a bucket of the Store. There are few: a run that is
// killed leaves one for each object that it had under way.
func (t *target) rows(bucket string) (rows []pipeline.Row, err error) {
	err = t.store.Range(bucket, "", func(key string, value []byte) error {
		rows = append(rows, pipeline.Row{Bucket: bucket, Key: key, Value: slices.Clone(value)})
		return nil
	})
	if err != nil {
		err = fmt.Errorf("state: uploads: %w", err)
	}
	return rows, err
}

func (t *target) put(rows ...pipeline.Row) error {
	if err := t.store.Put(rows...); err != nil {
		return fmt.Errorf("state: upload: %w", err)
	}
	return nil
}
