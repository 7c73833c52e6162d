package pipeline_test

import (
	"context"
	"fmt"
	"testing"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// forgetful is a source that passes over what it remembers: n items without a
// body, with notes.
type forgetful struct{ n, notes int }

func (s forgetful) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }
func (s forgetful) Close() error                                                  { return nil }

func (s forgetful) Plan(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{{Name: "l", ID: "l", Parts: 1}}, nil
}

func (s forgetful) Read(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
	for i := range s.n {
		it := &pipeline.Item{Pos: pipeline.Position{Token: fmt.Sprint(i)}}
		for j := range s.notes {
			it.Notes = append(it.Notes, pipeline.Row{Bucket: "source.known", Key: fmt.Sprintf("%d-%d", i, j), Value: []byte("1")})
		}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
	return nil
}

// puts is a store that notes the most rows that were put at once.
type puts struct {
	pipelinetest.Store
	most int
}

func (s *puts) Put(rows ...pipeline.Row) error {
	s.most = max(s.most, len(rows))
	return s.Store.Put(rows...)
}

func TestNotesDoNotPileUpBetweenSaves(t *testing.T) {
	store := &puts{Store: pipelinetest.Store{World: &pipelinetest.World{}}}
	p := &pipeline.Pipeline{Name: "p", Source: forgetful{150, 1000}, Store: store, Lanes: 1,
		Sink: &pipelinetest.Sink{World: store.World, Roll: 1, Objects: map[string]string{}}}
	if res, err := p.Run(t.Context()); err != nil || !res.Complete {
		t.Fatalf("complete %v, %v", res.Complete, err)
	}
	if store.most < 1_500 || store.most > 4_000 {
		t.Errorf("got %d rows in one save, want about 2,000 at most", store.most)
	}
}
