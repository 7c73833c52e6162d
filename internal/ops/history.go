package ops

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sluice/pipeline"
)

// historyBucket is where the state keeps passes that have ended, by a number
// that rises.
const historyBucket = "history"

// mostHistory is how many passes are kept.
const mostHistory = 100

// history is the passes that have ended, the oldest first.
type history struct {
	rows []historyRow
	next int64
}

type historyRow struct {
	key string
	PassRecord
}

// load reads what the state has. What cannot be read is left out: nothing
// depends on it.
func (h *history) load(s pipeline.Store) {
	*h = history{}
	s.Range(historyBucket, "", func(key string, value []byte) error {
		row := historyRow{key: key}
		if json.Unmarshal(value, &row.PassRecord) == nil {
			h.rows = append(h.rows, row)
		}
		fmt.Sscan(key, &h.next)
		return nil
	})
}

// add keeps a pass that has ended, and gives what the state has to know of it. A
// try of a pass takes the place of the one before it.
func (h *history) add(r PassRecord) []pipeline.Row {
	r.Tries = 1
	if n := len(h.rows); n > 0 && h.rows[n-1].goesOn(r) {
		last := h.rows[n-1]
		r.Began, r.Tries = last.Began, last.Tries+1
		h.rows[n-1].PassRecord = r
		return []pipeline.Row{historyEntry(last.key, r)}
	}
	h.next++
	row := historyRow{fmt.Sprintf("%012d", h.next), r}
	h.rows = append(h.rows, row)
	changes := []pipeline.Row{historyEntry(row.key, r)}
	for len(h.rows) > mostHistory {
		changes = append(changes, pipeline.Row{Bucket: historyBucket, Key: h.rows[0].key})
		h.rows = h.rows[1:]
	}
	return changes
}

// goesOn says whether a pass is the same one, tried again.
func (r historyRow) goesOn(next PassRecord) bool {
	return r.Pass == next.Pass && (r.Outcome == Failed || r.Outcome == Stopped)
}

func historyEntry(key string, r PassRecord) pipeline.Row {
	value, err := json.Marshal(r)
	if err != nil {
		panic(err) // plain structs
	}
	return pipeline.Row{Bucket: historyBucket, Key: key, Value: value}
}

// list gives the passes, the newest first.
func (h *history) list() []PassRecord {
	all := []PassRecord{}
	for _, row := range slices.Backward(h.rows) {
		all = append(all, row.PassRecord)
	}
	return all
}

// idle says whether a pass found nothing to do.
func (r Report) idle() bool { return r.Outcome == Complete && r.Lanes.Total == 0 }

// remember keeps a pass that has ended, unless there was nothing to do. w.mu is
// not held: the state may be slow.
func (w *Watch) remember(r Report, began time.Time) {
	if r.idle() {
		return
	}
	w.mu.Lock()
	store := w.store
	rows := w.history.add(PassRecord{Began: began.UTC(), Ended: time.Now().UTC(), Report: r})
	w.mu.Unlock()
	if store.Store != nil {
		store.Put(rows...) // if it fails, the watch knows that the state cannot be written
	}
}

// success is when the last complete pass ended; zero: there is none.
func (h *history) success() time.Time {
	for _, row := range slices.Backward(h.rows) {
		if row.Outcome == Complete || row.Outcome == Partial {
			return row.Ended
		}
	}
	return time.Time{}
}
