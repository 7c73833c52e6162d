package ops

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/internal/letters"
	"sluice/pipeline"
)

const (
	mostReasons = 20    // of dead letters, that are told apart for a pipeline
	mostReason  = 120   // bytes of the name of a reason
	mostRecord  = 2_000 // bytes of the record of an example
	mostText    = 1_000 // bytes of another text that is shown
)

// otherReason is the name of reasons after the first ones.
const otherReason = "other"

// deadKey is what dead letters are counted by.
type deadKey struct{ stage, reason string }

// dead counts dead letters by stage and reason, in this process.
type dead struct {
	mu      sync.Mutex
	reasons map[deadKey]*DeadReason
}

func (d *dead) count(l pipeline.Letter) {
	key := deadKey{l.Stage, reasonOf(l)}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reasons == nil {
		d.reasons = map[deadKey]*DeadReason{}
	}
	if d.reasons[key] == nil && len(d.reasons) >= mostReasons {
		key = deadKey{otherReason, otherReason}
	}
	r := d.reasons[key]
	if r == nil {
		r = &DeadReason{Reason: key.reason, Stage: key.stage}
		d.reasons[key] = r
	}
	r.Count++
	r.Last = time.Now().UTC()
	r.Example = &Example{Lane: l.Lane, Key: cut(l.Key, mostText), Line: l.Line, Reason: cut(l.Reason, mostText), Record: cut(string(l.Record[:min(len(l.Record), mostRecord)]), mostRecord)}
}

// reasonOf is what letters of the same cause have in common.
func reasonOf(l pipeline.Letter) string {
	if l.Refusal != nil && l.Refusal.Type != "" {
		return cut(l.Refusal.Type, mostReason)
	}
	return cut(letters.Group(l.Reason), mostReason)
}

// cut gives at most n bytes of a text, and only what can be shown as text.
func cut(s string, n int) string {
	return strings.ToValidUTF8(s[:min(len(s), n)], "\uFFFD")
}

// list gives the reasons, the most frequent first.
func (d *dead) list() []DeadReason {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []DeadReason{}
	for _, r := range d.reasons {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b DeadReason) int {
		return cmp.Or(-cmp.Compare(a.Count, b.Count), cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}

// watchedLetters counts the letters that were taken.
type watchedLetters struct {
	pipeline.DeadLetters
	dead *dead
}

// Write implements [pipeline.DeadLetters].
func (d watchedLetters) Write(ctx context.Context, l pipeline.Letter) error {
	if err := d.DeadLetters.Write(ctx, l); err != nil {
		return err
	}
	d.dead.count(l)
	return nil
}
