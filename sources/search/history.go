package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// histories holds what is known of the operations of indices, by name.
const histories = "source.histories"

// epochBits is the room for a sequence number in the version of a record: a
// version is epoch·2⁴⁴ + sequence number, so that it grows with each change of
// a document, whatever becomes of its index.
const epochBits = 44

// history is the one of an index, as the store knows it.
type history struct {
	UUID   string   // of the index
	Shards []string // their histories; "": not yet known
	Epoch  int64    // how many histories there were, from 1 on
	From   []int64  // for start: now, the checkpoints at which it began; nil: all is read
}

// changed says why what was read of the index before does not hold any more, or "".
func (h *history) changed(uuid string, now []string) string {
	switch {
	case h.UUID != uuid:
		return "the index was deleted and created again"
	case len(h.Shards) != len(now):
		return "it has another number of shards"
	}
	for n, s := range now {
		if h.Shards[n] != "" && s != "" && h.Shards[n] != s {
			return fmt.Sprintf("shard %d has another history: it was restored, or lost operations", n)
		}
	}
	return ""
}

// follow finds out what the histories of indices are now, and remembers them.
// Rows of a first plan are made again by the next one if it is never saved.
func (r *reader) follow(ctx context.Context, f *found) (map[string]*history, error) {
	var err error
	if f.shards, err = r.client.Shards(ctx, f.indices...); err != nil {
		return nil, err
	}
	out, first := map[string]*history{}, r.pass.Number <= 1
	var rows []pipeline.Row
	for _, i := range f.indices {
		h, err := r.historyOf(i.Name)
		if err != nil {
			return nil, err
		}
		now := make([]string, i.Shards)
		from := slices.Repeat([]int64{-1}, i.Shards)
		for n, s := range f.shards[i.Name].Shards {
			if s != nil {
				now[n], from[n] = s.History, s.Checkpoint
			}
		}
		next := h.next(i.UUID, now)
		if h == nil && first && r.config.Start == "now" {
			next.From = from
		}
		if h != nil && next.Epoch > h.Epoch {
			pipeline.Logger(ctx).Warn("reading an index again from its beginning", "index", i.Name, "reason", h.changed(i.UUID, now))
		}
		out[i.Name] = next
		if s := f.shards[i.Name]; s.UUID != "" {
			r.stateOf(i.Name).shards = &s
		}
		if text, err := json.Marshal(next); err != nil {
			return nil, err
		} else if old, _ := json.Marshal(h); string(old) != string(text) {
			rows = append(rows, pipeline.Row{Bucket: histories, Key: i.Name, Value: text})
		}
	}
	if len(rows) > 0 && r.pass.Store != nil {
		err = r.pass.Store.Put(rows...)
	}
	if err != nil {
		return nil, fmt.Errorf("state: histories: %w", err)
	}
	return out, nil
}

// next is the history of an index that had h, or none.
func (h *history) next(uuid string, now []string) *history {
	if h == nil {
		return &history{UUID: uuid, Shards: now, Epoch: 1}
	}
	n := &history{UUID: uuid, Shards: now, Epoch: h.Epoch, From: h.From}
	if h.changed(uuid, now) != "" {
		n.Epoch, n.From = h.Epoch+1, nil
		return n
	}
	for i, s := range h.Shards {
		if now[i] == "" {
			n.Shards[i] = s
		}
	}
	return n
}

// historyOf gives the one that the store knows, or nil.
func (r *reader) historyOf(index string) (*history, error) {
	if r.pass.Store == nil { // to check, nothing is remembered
		return nil, nil
	}
	text, err := r.pass.Store.Get(histories, index)
	if err != nil || text == nil {
		return nil, err
	}
	h := new(history)
	if err := json.Unmarshal(text, h); err != nil {
		return nil, fmt.Errorf("history of index %s: %w", index, err)
	}
	return h, nil
}

// sequenced completes the spec of a lane that ends at a sequence number. It
// reports whether there is anything before it that was not read.
func (r *reader) sequenced(s *spec, shards int, h *history, now cluster.Shards) (news bool, err error) {
	s.From, s.To, s.Epoch, s.History = -1, unknown, h.Epoch, h.Shards[s.Shard]
	if h.From != nil {
		s.From = h.From[s.Shard]
	}
	highest := int64(math.MaxInt64)
	if now.UUID == s.UUID && now.Shards[s.Shard] != nil {
		s.To, highest = now.Shards[s.Shard].Checkpoint, now.Shards[s.Shard].Highest
	}
	last := r.pass.Last[fmt.Sprintf("%s-%d", s.Index, s.Shard)]
	at, err := parse(last.Pos)
	read := s.From
	if at.bySeq && last.ID == s.id(shards, r.digestWith(s.Filter)) {
		s.Way, read = sequence, at.seq // what came before was read, in whatever way
	}
	if err == nil && highest < read {
		err = fmt.Errorf("index %s, shard %d: its highest sequence number is %d, but %d was read already: it has lost operations without a new history; %s",
			s.Index, s.Shard, highest, read, remedy)
	}
	if s.From >= 0 {
		s.Way = sequence
	}
	return s.To == unknown || s.To > read || !r.news, err
}

// state is what is known in this run of an index that is read by sequence
// numbers.
type state struct {
	mu        sync.Mutex
	shards    *cluster.Shards // nil: not asked
	refreshed bool            // after they were asked
}

// stateOf gives the state of an index.
func (r *reader) stateOf(index string) *state {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.states[index]
	if s == nil {
		s = new(state)
		r.states[index] = s
	}
	return s
}

// prepare makes all findable that lies before the end of the lane. The order is
// what nothing is lost by: the checkpoint is known first, then each copy is
// refreshed, then it is searched. It reports gone if a shard that is followed
// does not exist any more.
func (l *lane) prepare(ctx context.Context) (gone bool, err error) {
	st := l.stateOf(l.spec.Index)
	var now *cluster.Shards
	err = l.client.Retry(ctx, func() error {
		if now, err = l.current(ctx, st); err != nil {
			return err
		}
		if now.UUID == l.spec.UUID && now.Shards[l.spec.Shard] == nil {
			return errUnallocated
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if gone, err = l.still(ctx, now); gone || err != nil {
		return gone, err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.refreshed {
		err = l.client.Refresh(ctx, l.spec.Index)
		st.refreshed = err == nil
	}
	return false, vanished(err)
}

// current gives the shards of the index, and asks for them if that of the lane
// is not known.
func (l *lane) current(ctx context.Context, st *state) (*cluster.Shards, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.shards != nil && (st.shards.UUID != l.spec.UUID || st.shards.Shards[l.spec.Shard] != nil) {
		return st.shards, nil
	}
	now, err := l.ask(ctx)
	if err == nil {
		st.shards, st.refreshed = now, false
	}
	return now, err
}

// ask asks for the shards of the index now; with no UUID if it does not exist.
func (l *lane) ask(ctx context.Context) (*cluster.Shards, error) {
	all, err := l.client.Shards(ctx, cluster.Index{Name: l.spec.Index, Shards: l.Parts})
	if err != nil {
		return nil, err
	}
	s := all[l.spec.Index]
	return &s, nil
}

// still makes sure that what the lane reads is what was planned, and fixes its
// end if that was not known when it was planned.
func (l *lane) still(ctx context.Context, now *cluster.Shards) (gone bool, err error) {
	switch {
	case now.UUID != l.spec.UUID && l.news:
		pipeline.Logger(ctx).Info("the index was deleted", "index", l.spec.Index)
		return true, nil
	case now.UUID != l.spec.UUID:
		return false, recreated(now.UUID)
	}
	s := now.Shards[l.spec.Shard]
	if l.spec.History != "" && s.History != l.spec.History {
		if l.from != (pipeline.Position{}) {
			return false, l.startOver(ctx, errHistory)
		}
		l.spec.History = s.History // nothing of the other one was read
	}
	if l.spec.To == unknown {
		l.spec.To = s.Checkpoint
	}
	return false, nil
}

var errUnallocated = cluster.Again("shard missing", errors.New("its primary is not allocated"))

var errHistory = errors.New("the shard has another history: it was restored, or lost operations")

// recreated says that the index is not the one that was planned; uuid is that
// of the one that is there now, or "".
func recreated(uuid string) error {
	if uuid == "" {
		return errors.New("the index was deleted since this pass was planned; " + remedy)
	}
	return errors.New("the index was deleted and created again since this pass was planned; " + remedy)
}

// planned gives the shard as it is now, or nil if it has no primary, and makes
// sure that it is the one that was planned, of one history.
func (l *lane) planned(ctx context.Context) (*cluster.Shard, error) {
	now, err := l.ask(ctx)
	if err != nil {
		return nil, err
	}
	if now.UUID != l.spec.UUID {
		return nil, recreated(now.UUID)
	}
	s := now.Shards[l.spec.Shard]
	if s != nil && l.spec.History != "" && s.History != l.spec.History {
		return nil, l.startOver(ctx, errHistory)
	}
	return s, nil
}

// settle lets every copy of the shard show at least what any has shown before:
// a page may come from a copy on which a document has moved on already, and the
// next one from a copy on which it has not, and it would be in neither. So all
// operations that are numbered now must be on all copies, and those refreshed.
// The end of the lane moves there.
func (l *lane) settle(ctx context.Context) error {
	highest := int64(unknown)
	err := l.client.Retry(ctx, func() error {
		s, err := l.planned(ctx)
		switch {
		case err != nil:
			return err
		case s == nil:
			return errUnallocated
		}
		if highest == unknown {
			highest = s.Highest
		}
		if l.spec.To = s.Checkpoint; s.Checkpoint < highest {
			return cluster.Again("operations under way", fmt.Errorf("operations up to %d are on all copies, of %d", s.Checkpoint, highest))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return vanished(l.client.Refresh(ctx, l.spec.Index))
}

// blocked says whether nobody can write to any of the indices.
func blocked(indices []cluster.Index) bool {
	return !slices.ContainsFunc(indices, func(i cluster.Index) bool {
		return i.Settings["index.blocks.write"] != "true" && i.Settings["index.blocks.read_only"] != "true"
	})
}
