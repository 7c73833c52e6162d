package s3

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"

	"sluice/internal/objects"
	"sluice/internal/roll"
	"sluice/pipeline"
)

// Sink writes objects.
type Sink struct {
	config Config
	spec   roll.Spec
	lanes  int    // that parts are for
	parts  *parts // of one pass after the other
	warn   sync.Once
}

// single says whether lanes of data make an object of each item. Those aside
// always do, but have few.
func (s *Sink) single() bool { return !s.spec.Key.Rolled() }

// conns is how many requests a lane makes at a time.
func (s *Sink) conns() int {
	if s.single() {
		return 2 + roll.InFlight
	}
	return 2
}

// Need implements [pipeline.Sized]: a part, and the spare ones; and small
// buffers, if objects are of single items.
func (s *Sink) Need() (lane, shared int64) {
	lane = int64(s.config.Part) + roll.Need + int64(s.conns())*objects.ConnSize
	if s.single() {
		lane += smalls * smallSize
	}
	return lane, spares * int64(s.config.Part)
}

// Open implements [pipeline.Sink].
func (s *Sink) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Writer, error) {
	client, err := s.config.Client(ctx, s.conns()*p.Parallel)
	if err != nil {
		return nil, err
	}
	w, err := s.open(ctx, p, client)
	if err != nil {
		client.Close()
		return nil, err
	}
	return w, nil
}

func (s *Sink) open(ctx context.Context, p *pipeline.Pass, client *objects.Client) (*writer, error) {
	if err := client.Reach(ctx); err != nil {
		return nil, err
	}
	if s.parts == nil || s.lanes != p.Parallel {
		s.parts, s.lanes = newParts(int(s.config.Part), p.Parallel, s.single()), p.Parallel
	}
	t := &target{Config: &s.config, client: client, store: p.Store, parts: s.parts}
	if err := t.abortLeft(ctx); err != nil {
		return nil, err
	}
	if err := s.condition(ctx, t); err != nil {
		return nil, err
	}
	w, err := roll.New(p, s.spec, t)
	if err != nil {
		return nil, err
	}
	return &writer{w, client}, nil
}

// storeBucket holds what was found out about stores, by place.
const storeBucket = "sink.stores"

// condition finds out whether the store honours If-None-Match, once for a place,
// unless all that is there may be replaced.
func (s *Sink) condition(ctx context.Context, t *target) (err error) {
	if s.config.Overwrite == roll.Always {
		return nil
	}
	if t.conditional, err = s.conditional(ctx, t); err != nil {
		return err
	}
	if !t.conditional {
		s.warn.Do(func() { pipeline.Logger(ctx).Warn(lastWins, "bucket", s.config.Bucket) })
	}
	return nil
}

// What is known of a store. Else it is the key of the object with which it is
// tried: who was killed then removes that when he tries again.
const (
	honoured = "honours If-None-Match"
	ignored  = "ignores If-None-Match"
)

func (s *Sink) conditional(ctx context.Context, t *target) (bool, error) {
	c := &s.config
	row := pipeline.Row{Bucket: storeBucket, Key: strings.Join([]string{c.Endpoint, c.Bucket, c.Config.Provider, c.Quirks.ConditionalWrites}, " ")}
	known, err := t.store.Get(row.Bucket, row.Key)
	if err != nil {
		return false, fmt.Errorf("state: stores: %w", err)
	}
	put := func(value string) error {
		row.Value = []byte(value)
		if err := t.store.Put(row); err != nil {
			return fmt.Errorf("state: stores: %w", err)
		}
		return nil
	}
	key := string(known)
	switch key {
	case honoured, ignored:
		return key == honoured, nil
	case "":
		key = s.probeKey()
		if err := put(key); err != nil {
			return false, err
		}
	}
	yes, err := t.client.Conditional(ctx, key)
	if err != nil {
		return false, err
	}
	if yes {
		return true, put(honoured)
	}
	return false, put(ignored)
}

const lastWins = "the store does not honour If-None-Match: if another writes the same key at the same moment, the last one wins"

// probeKey is the key of an object with which a store is tried.
func (s *Sink) probeKey() string { return s.spec.Key.Literal() + ".sluice-probe-" + rand.Text() }

// writer writes one pass. Its Finish is that of [roll.Writer].
type writer struct {
	*roll.Writer
	client *objects.Client
}

// Close implements [pipeline.Writer].
func (w *writer) Close() error {
	w.client.Close()
	return nil
}
