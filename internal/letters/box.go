package letters

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sluice/internal/jq"
)

// Box is the letters of a pipeline as they are read again: each of them once,
// and without those that do not count any more.
type Box struct {
	Config   *Config
	Pipeline string
	Replayed map[ID]bool // those that were sent again, and delivered or made a letter anew

	// What the last Each left out.
	Void   int // of starts of a lane after which it started over, and read everything again
	Done   int // replayed
	Broken int // lines that are no letter: what a loss of power left, which was written again
}

// Each calls f for each letter, in the order in which they were written as far
// as that is known. Memory holds 16 bytes of each. The line, which is the
// letter as it is kept, is valid during the call. An error of f ends it.
func (b *Box) Each(ctx context.Context, f func(l *Letter, line []byte) error) error {
	b.Void, b.Done, b.Broken = 0, 0, 0
	past, err := b.past(ctx)
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	seen := map[ID]struct{}{}
	var failed error
	err = b.Config.read(ctx, b.Pipeline, func(line []byte) error {
		l := &Letter{}
		if json.Unmarshal(line, l) != nil || l.Pipeline != b.Pipeline {
			b.Broken++
			return nil
		}
		id := l.ID()
		if _, twice := seen[id]; twice {
			return nil
		}
		seen[id] = struct{}{}
		switch {
		case past.replaced[id]:
		case past.void(l):
			b.Void++
		case b.Replayed[id]:
			b.Done++
		default:
			failed = f(l, line)
		}
		return failed
	})
	if err != nil && failed == nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return err
}

// past is what letters say of others.
type past struct {
	starts   map[laneOf]map[int]time.Time // when the last letter of each start of a lane was written, if it has started over
	replaced map[ID]bool                  // letters in whose place others are that were sent again
}

type laneOf struct {
	pass int64
	lane string
}

// past reads all letters for that.
func (b *Box) past(ctx context.Context) (past, error) {
	p := past{map[laneOf]map[int]time.Time{}, map[ID]bool{}}
	err := b.Config.read(ctx, b.Pipeline, func(line []byte) error {
		var l Letter
		if json.Unmarshal(line, &l) != nil {
			return nil
		}
		if l.Start > 0 {
			p.note(&l)
		}
		if l.Replay > 0 { // a process that was killed may not have marked the one before
			l.Replay--
			p.replaced[l.ID()] = true
		}
		return nil
	})
	return p, err
}

func (p past) note(l *Letter) {
	of := laneOf{l.Pass, l.Lane}
	if p.starts[of] == nil {
		p.starts[of] = map[int]time.Time{}
	}
	if l.Time.After(p.starts[of][l.Start]) {
		p.starts[of][l.Start] = l.Time
	}
}

// void says whether the lane of a letter has started over since. One of an
// earlier time is of a state that was reset: then passes begin at 1 again.
func (p past) void(l *Letter) bool {
	for start, last := range p.starts[laneOf{l.Pass, l.Lane}] {
		if start > l.Start && last.After(l.Time) {
			return true
		}
	}
	return false
}

// Filter chooses letters. The zero value chooses all.
type Filter struct {
	Reason string      // text in the reason, or its [Group]
	Where  *jq.Program // of the letter; its record is an object, if it is JSON
	Limit  int         // the most; 0: any number

	chosen int
}

// Chooses says whether the filter chooses a letter, and counts those.
func (f *Filter) Chooses(ctx context.Context, l *Letter, line []byte) (bool, error) {
	if f.Limit > 0 && f.chosen == f.Limit || !strings.Contains(l.Reason, f.Reason) && Group(l.Reason) != f.Reason {
		return false, nil
	}
	if f.Where != nil {
		if ok, err := l.chosen(ctx, f.Where, line); !ok {
			return false, err
		}
	}
	f.chosen++
	return true, nil
}
