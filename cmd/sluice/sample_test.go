package main

import (
	"context"
	"testing"

	"sluice/internal/config"
	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/sinks"
	"sluice/transforms"
)

// told is a source that acts on what was delivered.
type told struct{ saved *int }

func (told) Problems(kind.Env) []kind.Problem          { return nil }
func (told) Gives() kind.Form                          { return kind.Records }
func (told) Identity() string                          { return "told" }
func (s told) Build(kind.Env) (pipeline.Source, error) { return toldSource(s), nil }

type toldSource struct{ saved *int }

func (s toldSource) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }
func (toldSource) Close() error                                                    { return nil }
func (toldSource) Plan(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{{Name: "a", ID: "a"}, {Name: "aside", ID: "aside", Aside: true}}, nil
}

func (toldSource) Read(ctx context.Context, lane pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
	b, err := pipeline.NewQuota(1).Block(ctx)
	if err != nil {
		return err
	}
	b.Write([]byte("{\"lane\":\"" + lane.Name + "\"}\n{}\n"))
	return pipeline.Send(ctx, out, b.Item("k", pipeline.Position{Token: "end"}, 2))
}

func (s toldSource) Saved(context.Context, pipeline.Lane, pipeline.Position) error {
	*s.saved++
	return nil
}

// A source that deletes or acknowledges what was delivered does nothing of it
// for a sample, also if that is all there is.
func TestASampleTellsTheSourceNothing(t *testing.T) {
	for most, want := range map[int]int{1: 1, 2: 2, 10: 2} {
		saved := 0
		file, err := config.New("p", []config.Setting{{Path: "source.told"}, {Path: "sink.file.path", Value: "out"}, {Path: "sink.file.key", Value: "{lane}-{sequence}"}}, config.Options{
			Transient: true, Kinds: config.Kinds{Sources: map[string]func() kind.Source{"told": func() kind.Source { return &told{&saved} }}, Transforms: transforms.Kinds, Sinks: sinks.Kinds},
		})
		if err != nil {
			t.Fatal(err)
		}
		s := sample{file: file, pipeline: file.Pipelines[0], most: most}
		records, err := s.take(t.Context(), nil)
		if err != nil || len(records) != want || string(records[0]) != "{\"lane\":\"a\"}\n" || saved > 0 {
			t.Errorf("%d: got %q, %v, and %d times the source was told, want %d records and 0", most, records, err, saved, want)
		}
	}
}
