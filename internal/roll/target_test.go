package roll_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"sluice/internal/keys"
	"sluice/internal/roll"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bucket is a sink of objects in memory. What is in Objects survives.
type bucket struct {
	World     *pipelinetest.World
	Key       string
	Roll      roll.Options
	Overwrite string // "": own
	Bad       func(format string, args ...any)
	Objects   map[string]made
	Open_     int // objects under way
	mu        sync.Mutex
	notes     roll.Notes // nil: none
}

type made struct {
	Owner   roll.Owner
	Content string
}

func (b *bucket) Open(_ context.Context, p *pipeline.Pass) (pipeline.Writer, error) {
	key, err := keys.Parse(b.Key, keys.Files)
	if err != nil {
		return nil, err
	}
	if b.Overwrite == "" {
		b.Overwrite = roll.Own
	}
	w, err := roll.New(p, key, b.Roll, b)
	if err == nil && b.notes != nil {
		w.Note(b.notes)
	}
	return bucketWriter{w}, err
}

type bucketWriter struct{ *roll.Writer }

func (bucketWriter) Finish(context.Context) error { return nil }
func (bucketWriter) Close() error                 { return nil }

func (b *bucket) Create(_ context.Context, key string, owner roll.Owner, _ *pipeline.Meta) (roll.Object, error) {
	var err error
	b.World.Look(func() {
		if old, ok := b.Objects[key]; ok {
			err = roll.Allow(b.Overwrite, key, owner, &old.Owner)
		}
	})
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.Open_++
	b.mu.Unlock()
	return &object{bucket: b, key: key, owner: owner}, nil
}

func (b *bucket) Sweep(_ context.Context, prefix string, owner roll.Owner, stale func(string) bool) error {
	return b.World.Do(func() {
		for key, o := range b.Objects {
			if strings.HasPrefix(key, prefix) && owner.Stale(o.Owner) && stale(key) {
				delete(b.Objects, key)
			}
		}
	})
}

func (b *bucket) Remove(_ context.Context, key string, owner roll.Owner) (stays bool, err error) {
	werr := b.World.Do(func() {
		old, ok := b.Objects[key]
		if !ok {
			return
		}
		var may bool
		if may, err = roll.Removable(b.Overwrite, key, owner, &old.Owner); may {
			delete(b.Objects, key)
		}
		stays = !may
	})
	return stays, errors.Join(err, werr)
}

type object struct {
	*bucket
	key   string
	owner roll.Owner
	bytes.Buffer
	ended bool
}

func (o *object) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		o.Open_--
	}
	o.ended = true
}

// Commit makes the object visible. One that was visible may be written again,
// but not with other bytes in the same walk.
func (o *object) Commit(context.Context) error {
	defer o.end()
	return o.World.Do(func() {
		old, again := o.Objects[o.key]
		if again && old.Owner.Pass == o.owner.Pass && old.Owner.Start == o.owner.Start && old.Content != o.String() {
			o.Bad("%s: written again with %d bytes, had %d", o.key, o.Len(), len(old.Content))
		}
		o.Objects[o.key] = made{o.owner, o.String()}
	})
}

func (o *object) Abort(ctx context.Context) error {
	if ctx.Err() != nil {
		o.Bad("%s: aborted with a dead context", o.key)
	}
	o.end()
	return nil
}

// script is a source of one lane with given items. Its positions are their
// numbers, unless an item has none.
type script struct {
	items []*pipeline.Item
	after func(ctx context.Context, n int) // called when item n has been sent
}

func (s *script) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }
func (s *script) Close() error                                                  { return nil }

func (s *script) Plan(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{{Name: "l", ID: "L", Parts: 1}}, nil
}

func (s *script) Read(ctx context.Context, _ pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	n := 0
	fmt.Sscan(from.Token, &n)
	for i, it := range s.items[n:] {
		fresh := *it
		if fresh.Pos.Token != "none" {
			fresh.Pos.Token = fmt.Sprint(n + i + 1)
		} else {
			fresh.Pos = pipeline.Position{}
		}
		if err := pipeline.Send(ctx, out, &fresh); err != nil {
			return err
		}
		if s.after != nil {
			s.after(ctx, n+i)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// Stamp implements [roll.Stamped]: the tag is the content.
func (o *object) Stamp() roll.Stamp { return roll.Stamp{Tag: o.String(), Size: int64(o.Len())} }
