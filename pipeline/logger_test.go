package pipeline_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// planning is a source that logs what it does for all lanes.
type planning struct{ pipeline.Source }

func (s planning) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Reader, error) {
	pipeline.Logger(ctx).Info("opened")
	r, err := s.Source.Open(ctx, p)
	return plan{r}, err
}

type plan struct{ pipeline.Reader }

func (p plan) Plan(ctx context.Context) ([]pipeline.Lane, error) {
	pipeline.Logger(ctx).Info("planned")
	pipeline.Retried(ctx, "plan")
	return p.Reader.Plan(ctx)
}

func TestWhatIsDoneForAllLanesIsLoggedAndCounted(t *testing.T) {
	var log bytes.Buffer
	w := &pipelinetest.World{}
	p := &pipeline.Pipeline{
		Name: "p", Log: slog.New(slog.NewTextHandler(&log, nil)),
		Source: planning{&pipelinetest.Source{World: w, Lines: 1, Blocks: true, Lanes: fixed(part("a", "A", 1))}},
		Sink:   &pipelinetest.Sink{World: w, Roll: 1, Objects: map[string]string{}}, Store: &pipelinetest.Store{World: w},
	}
	if _, err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"msg=opened pipeline=p stage=source\n", "msg=planned pipeline=p stage=source\n"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("got the log %q, want %q in it", log.String(), want)
		}
	}
	if s, _ := p.Status(); s.Retries["plan"] != 1 {
		t.Errorf("got retries %v, want that of the plan", s.Retries)
	}
}
