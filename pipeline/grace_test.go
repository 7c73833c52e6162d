package pipeline_test

import (
	"context"
	"errors"
	"testing"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// refusing is a sink that fails at once.
type refusing struct{ err error }

func (s refusing) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return s, nil }
func (s refusing) Finish(context.Context) error                                  { return nil }
func (s refusing) Close() error                                                  { return nil }

func (s refusing) Write(context.Context, pipeline.Lane, string, <-chan *pipeline.Item) error {
	return s.err
}

// The error of a sink stops the run. If there is no grace, the run is over at
// once, and its end must not be taken for the reason.
func TestAnErrorOfTheSinkIsReportedWithoutGrace(t *testing.T) {
	want := errors.New("refused")
	for range 300 {
		p := &pipeline.Pipeline{Name: "p", Sink: refusing{want}, Store: &pipelinetest.Store{World: &pipelinetest.World{}},
			Source: &pipelinetest.Source{World: &pipelinetest.World{}, Lines: 1, Blocks: true, Lanes: fixed(part("a", "A", 1))}}
		if _, err := p.Run(t.Context()); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
}
