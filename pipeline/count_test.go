package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// countFunc says what a lane holds behind a position.
type countFunc func(ctx context.Context, lane pipeline.Lane, from pipeline.Position) (objects, bytes int64, ok bool, err error)

// countingSource cannot say in its plan how much there is.
type countingSource struct {
	pipeline.Source
	count countFunc
}

type countingReader struct {
	pipeline.Reader
	count countFunc
}

func (s countingSource) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Reader, error) {
	r, err := s.Source.Open(ctx, p)
	return countingReader{r, s.count}, err
}

func (r countingReader) Count(ctx context.Context, lane pipeline.Lane, from pipeline.Position) (objects, bytes int64, ok bool, err error) {
	return r.count(ctx, lane, from)
}

// counting is a pipeline of a lane with 4 objects, one a second, and one with one.
// Neither has ended before it is counted: of those that have, nothing is.
func counting(count countFunc) *pipeline.Pipeline {
	w := &pipelinetest.World{}
	source := &pipelinetest.Source{World: w, Lines: 1, Delay: time.Second, Lanes: fixed(part("a", "A", 4), part("b", "B", 1))}
	return &pipeline.Pipeline{
		Name: "p", Source: countingSource{source, count}, Lanes: 2, Store: &pipelinetest.Store{World: w},
		Sink: &pipelinetest.Sink{World: w, Roll: 1, Objects: map[string]string{}},
	}
}

// TestWhatIsLeftOfALaneIsExpected also after a stop: what came before is not
// counted again.
func TestWhatIsLeftOfALaneIsExpected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var from []string
		p := counting(func(_ context.Context, lane pipeline.Lane, at pipeline.Position) (objects, bytes int64, ok bool, err error) {
			if lane.Name == "b" {
				return 0, 0, true, nil
			}
			from = append(from, at.Token)
			have := int64(0)
			fmt.Sscanf(at.Token, "0:%d", &have)
			return 4 - have, 100 * (4 - have), true, nil
		})
		ctx, stop := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer stop()
		if res, err := p.Run(ctx); err != nil || res.Complete || res.Counts.ObjectsRead != 3 {
			t.Fatalf("got %+v, %v, want half of the first lane, and the other", res, err)
		}
		s, _ := p.Status()
		if a, b := s.Lanes[0], s.Lanes[1]; a.Objects != 4 || a.Bytes != 400 || !a.Counted || b.Objects != 0 || !b.Counted {
			t.Errorf("got %+v, %+v, want 4 objects and, as was said, none", a, b)
		}
		res, err := p.Run(t.Context())
		if err != nil || !res.Complete || len(from) != 2 || from[0] != "" || from[1] == "" {
			t.Errorf("got %+v, %v, counted from %q", res, err, from)
		}
		if s, _ := p.Status(); s.Lanes[0].Objects != 4 || s.Lanes[0].Bytes != 200 { // those that came had no known size
			t.Errorf("got %+v, want 4 objects", s.Lanes[0])
		}
	})
}

// A pass waits for no count, and ends it.
func TestACountThatTakesLongHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, began := false, time.Now()
		p := counting(func(ctx context.Context, _ pipeline.Lane, _ pipeline.Position) (int64, int64, bool, error) {
			<-ctx.Done()
			ended = true
			return 0, 0, true, nil
		})
		if res, err := p.Run(t.Context()); err != nil || !res.Complete || !ended || time.Since(began) > time.Minute {
			t.Errorf("got %+v, %v, count ended: %t, after %v", res, err, ended, time.Since(began))
		}
		if s, _ := p.Status(); s.Lanes[0].Counted {
			t.Error("got a lane that nobody counted as counted")
		}
	})
}

func TestACountThatFailsIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := counting(func(_ context.Context, lane pipeline.Lane, _ pipeline.Position) (int64, int64, bool, error) {
			if lane.Name == "a" {
				return 0, 0, false, errors.New("no such listing")
			}
			return 7, 7, false, nil // unknown
		})
		p.Log = slog.New(slog.NewTextHandler(&log, nil))
		if res, err := p.Run(t.Context()); err != nil || !res.Complete {
			t.Errorf("got %+v, %v", res, err)
		}
		if !strings.Contains(log.String(), "no such listing") {
			t.Errorf("got the log %q", log.String())
		}
		if s, _ := p.Status(); s.Lanes[0].Counted || s.Lanes[1].Counted {
			t.Errorf("got %+v, want nothing counted", s.Lanes)
		}
	})
}

// A pass that reads but a part of what is there would seem to be far from its
// end.
func TestOnlyWhatIsReadIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := 0
		count := func(context.Context, pipeline.Lane, pipeline.Position) (int64, int64, bool, error) {
			counts++
			return 0, 0, true, nil
		}
		p := counting(count)
		p.New = true
		for n := range 2 {
			if _, err := p.Run(t.Context()); err != nil || counts != 2 {
				t.Errorf("run %d: got %v, %d counts, want one for each lane of the first pass", n, err, counts)
			}
		}
		counts = 0
		p = counting(count)
		p.Sink = &wholeSink{p.Sink}
		if _, err := p.Run(t.Context()); err != nil || counts != 0 {
			t.Errorf("got %v, %d counts for a sink that skips what it has", err, counts)
		}
	})
}

// wholeSink acts on what is missing.
type wholeSink struct{ pipeline.Sink }

func (wholeSink) WholePass() {}
