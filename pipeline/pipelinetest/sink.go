package pipelinetest

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"

	"sluice/pipeline"
)

// Sink keeps objects of Roll items each. What is in Objects survives.
type Sink struct {
	World    *World
	Roll     int
	PerPass  bool              // keys contain the pass
	Objects  map[string]string // what is visible
	Finishes []string          // the sorted keys at each Finish
}

// Open implements [pipeline.Sink].
func (s *Sink) Open(_ context.Context, p *pipeline.Pass) (pipeline.Writer, error) {
	return &writer{s, p}, nil
}

type writer struct {
	*Sink
	pass *pipeline.Pass
}

// Write implements [pipeline.Writer].
func (w *writer) Write(ctx context.Context, lane pipeline.Lane, state string, in <-chan *pipeline.Item) error {
	var unit pipeline.Unit
	var content strings.Builder
	seq := 0
	fmt.Sscan(state, &seq)
	complete := func() error {
		if unit.Len() == 0 {
			return nil
		}
		key := w.key(lane, seq)
		if err := w.World.Do(func() { w.Objects[key] = content.String() }); err != nil {
			return err
		}
		content.Reset()
		seq++
		return unit.Done(fmt.Sprint(seq), pipeline.Row{Bucket: "sink.manifest", Key: key, Value: []byte("1")})
	}
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if b, ok := it.Body.(*pipeline.Block); ok {
			content.Write(b.B())
		}
		at := it.Pos
		unit.Add(it)
		if unit.Len() >= w.Roll && at != (pipeline.Position{}) {
			if err := complete(); err != nil {
				return err
			}
		}
	}
	if err := complete(); err != nil || lane.Start == 0 {
		return err
	}
	return w.World.Do(func() { // objects of an earlier walk of this lane
		for ; w.Objects[w.key(lane, seq)] != ""; seq++ {
			delete(w.Objects, w.key(lane, seq))
		}
	})
}

func (w *writer) key(lane pipeline.Lane, seq int) string {
	if w.PerPass {
		return fmt.Sprintf("%d/%s/%d", w.pass.Number, lane.Name, seq)
	}
	return fmt.Sprintf("%s/%d", lane.Name, seq)
}

// Finish implements [pipeline.Writer].
func (w *writer) Finish(context.Context) error {
	return w.World.Do(func() {
		var b strings.Builder
		for range maps.Keys(w.Objects) {
			b.WriteByte('.')
		}
		w.Finishes = append(w.Finishes, fmt.Sprintf("%d:%d", w.pass.Number, b.Len()))
	})
}

// Close implements [pipeline.Writer].
func (w *writer) Close() error { return nil }

// Mirror is a sink that makes visible, in one step, exactly what a pass held.
type Mirror struct {
	World    *World
	Objects  map[string]string
	Finishes []string
}

// WholePass implements [pipeline.WholePass].
func (*Mirror) WholePass() {}

// Open implements [pipeline.Sink].
func (m *Mirror) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) {
	return &mirroring{m: m, taken: map[string]string{}}, nil
}

type mirroring struct {
	m     *Mirror
	mu    sync.Mutex
	taken map[string]string
}

// Write implements [pipeline.Writer].
func (w *mirroring) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		w.mu.Lock()
		w.taken[it.Key] += string(it.Body.(*pipeline.Block).B())
		w.mu.Unlock()
		if err := it.Done(); err != nil {
			return err
		}
	}
}

// Finish implements [pipeline.Writer].
func (w *mirroring) Finish(context.Context) error {
	return w.m.World.Do(func() {
		w.m.Objects = maps.Clone(w.taken)
		w.m.Finishes = append(w.m.Finishes, fmt.Sprint(len(w.taken)))
	})
}

// Close implements [pipeline.Writer].
func (w *mirroring) Close() error { return nil }
