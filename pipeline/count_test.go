package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// countingSource cannot say in its plan how much there is.
type countingSource struct {
	pipeline.Source
	count func(ctx context.Context, lanes []pipeline.Lane, tell func(lane string, objects, bytes int64)) error
}

type countingReader struct {
	pipeline.Reader
	countingSource
}

func (s countingSource) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Reader, error) {
	r, err := s.Source.Open(ctx, p)
	return countingReader{r, s}, err
}

func (r countingReader) Count(ctx context.Context, lanes []pipeline.Lane, tell func(lane string, objects, bytes int64)) error {
	return r.count(ctx, lanes, tell)
}

// counting is a pipeline of two lanes.
func counting(w *pipelinetest.World, source countingSource) *pipeline.Pipeline {
	source.Source = &pipelinetest.Source{World: w, Lines: 1, Blocks: true, Lanes: fixed(part("a", "A", 1), part("b", "B", 0))}
	return &pipeline.Pipeline{
		Name: "p", Source: source, Lanes: 2, Store: &pipelinetest.Store{World: w},
		Sink: &pipelinetest.Sink{World: w, Roll: 1, Objects: map[string]string{}},
	}
}

func TestWhatASourceCountsIsExpected(t *testing.T) {
	p := counting(&pipelinetest.World{}, countingSource{count: func(_ context.Context, lanes []pipeline.Lane, tell func(string, int64, int64)) error {
		for i, l := range lanes {
			tell(l.Name, int64(10*i), int64(100*i))
		}
		return nil
	}})
	if _, err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, _ := p.Status()
	for i, l := range s.Lanes {
		if !l.Counted || l.Objects != int64(10*i) || l.Bytes != int64(100*i) {
			t.Errorf("lane %s: got %d objects, %d bytes, counted %t", l.Name, l.Objects, l.Bytes, l.Counted)
		}
	}
}

// A pass waits for no count, and ends it.
func TestACountThatTakesLongHoldsNothingUp(t *testing.T) {
	ended := false
	p := counting(&pipelinetest.World{}, countingSource{count: func(ctx context.Context, _ []pipeline.Lane, _ func(string, int64, int64)) error {
		<-ctx.Done()
		ended = true
		return ctx.Err()
	}})
	if res, err := p.Run(t.Context()); err != nil || !res.Complete || !ended {
		t.Errorf("got %+v, %v, count ended: %t", res, err, ended)
	}
	if s, _ := p.Status(); s.Lanes[0].Counted {
		t.Error("got a lane that nobody counted as counted")
	}
}

func TestACountThatFailsIsLogged(t *testing.T) {
	var log bytes.Buffer
	p := counting(&pipelinetest.World{}, countingSource{count: func(context.Context, []pipeline.Lane, func(string, int64, int64)) error {
		return errors.New("no such listing")
	}})
	p.Log = slog.New(slog.NewTextHandler(&log, nil))
	if res, err := p.Run(t.Context()); err != nil || !res.Complete {
		t.Errorf("got %+v, %v", res, err)
	}
	if !strings.Contains(log.String(), "no such listing") {
		t.Errorf("got the log %q", log.String())
	}
}

// A pass that reads but a part of what is there would seem to be far from its
// end.
func TestOnlyWhatIsReadIsCounted(t *testing.T) {
	counts := 0
	source := countingSource{count: func(context.Context, []pipeline.Lane, func(string, int64, int64)) error {
		counts++
		return nil
	}}
	w := &pipelinetest.World{}
	p := counting(w, source)
	p.New = true
	for want := range 2 {
		if _, err := p.Run(t.Context()); err != nil || counts != 1 {
			t.Errorf("run %d: got %v, %d counts, want one, of the first pass", want, err, counts)
		}
	}
	counts = 0
	p = counting(&pipelinetest.World{}, source)
	p.Sink = &pipelinetest.Mirror{World: w, Objects: map[string]string{}}
	if _, err := p.Run(t.Context()); err != nil || counts != 0 {
		t.Errorf("got %v, %d counts for a sink that skips what it has", err, counts)
	}
}
