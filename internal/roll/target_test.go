package roll_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

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
	Overwrite string                                      // "": own
	Manifest  string                                      // template; "": none
	Late      bool                                        // objects are committed while the next are written
	Copied    bool                                        // and are made without their items being read, but for some
	Refused   bool                                        // none is, though it is tried
	Committed func(ctx context.Context, key string) error // called first; may be nil
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
	spec := roll.Spec{Key: key, Roll: b.Roll}
	if b.Manifest != "" {
		if spec.Manifest, err = roll.Manifest(b.Manifest, keys.Files); err != nil {
			return nil, err
		}
	}
	w, err := roll.New(p, spec, b)
	if err == nil && b.notes != nil {
		w.Note(b.notes)
	}
	return bucketWriter{w}, err
}

type bucketWriter struct{ *roll.Writer }

func (bucketWriter) Close() error { return nil }

func (b *bucket) Create(_ context.Context, d roll.Draft) (roll.Object, error) {
	key, owner := d.Key, d.Owner
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
	o := &object{bucket: b, key: key, owner: owner}
	if b.Copied && owner.Source != "" && !d.Beside {
		return &copied{o, d.First}, nil
	}
	return o, nil
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
func (o *object) Commit(ctx context.Context) error {
	if o.Committed != nil {
		if err := o.Committed(ctx, o.key); err != nil {
			return err
		}
	}
	defer o.end()
	return o.World.Do(func() {
		old, again := o.Objects[o.key]
		if again && old.Owner.Pass == o.owner.Pass && old.Owner.Start == o.owner.Start && old.Content != o.String() {
			o.Bad("%s: written again with %d bytes, had %d", o.key, o.Len(), len(old.Content))
		}
		o.Objects[o.key] = made{o.owner, o.String()}
	})
}

func (o *object) Later() bool { return o.Late }

func (o *object) ETag() string { return fmt.Sprintf("%x", o.Len()) }

// unread says of which items copied objects are made without reading them.
func unread(key string) bool { return strings.HasSuffix(key, "1") || strings.HasSuffix(key, "4") }

// copied is an object that is perhaps made without reading its item.
type copied struct {
	*object
	of *pipeline.Item
}

func (c *copied) Copy(ctx context.Context) (int64, bool, error) {
	if c.Refused || !unread(c.of.Key) {
		return 0, false, pause(ctx, time.Millisecond)
	}
	body, err := c.of.Body.Open(ctx)
	if err != nil {
		return 0, false, err
	}
	defer body.Close()
	n, err := c.ReadFrom(body)
	if err != nil {
		return 0, false, err
	}
	return n, true, c.Commit(ctx)
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
