package s3_test

import (
	"context"
	"slices"
	"testing"

	"sluice/internal/kind"
	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sources/s3"
)

// metadata is a sink that keeps the keys of items, and of lanes that are aside
// their name.
type metadata struct{ keys []string }

func (m *metadata) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return m, nil }
func (m *metadata) Finish(context.Context) error                                  { return nil }
func (m *metadata) Close() error                                                  { return nil }

func (m *metadata) Write(ctx context.Context, lane pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		if it.Body != nil && lane.Aside {
			m.keys = append(m.keys, lane.Name+" "+it.Key)
		} else if it.Body != nil {
			m.keys = append(m.keys, it.Key)
		}
		if err := it.Done(); err != nil {
			return err
		}
	}
}

// TestMetadataComesInALaneOfItsOwnBeforeTheData: where the sink makes indices of
// it, and not else; whatever the filter says of data.
func TestMetadataComesInALaneOfItsOwnBeforeTheData(t *testing.T) {
	b := objectstest.New(t)
	for _, key := range []string{"logs/a/0.gz", "logs/a/_index.json", "logs/b/_index.json", "logs/b/_index_template.json", "logs/tmp/_index.json", "other/c/_index.json"} {
		b.Put(key, []byte("{}"))
	}
	cfg := s3.Config{Config: b.Config(""), ReadAhead: 4 << 20, Filter: s3.Filter{Include: []string{"**/*.gz"}, Exclude: []string{"tmp/**"}}}
	cfg.Prefix = "logs/"
	cfg.After.Delete = true
	for _, makes := range []bool{true, false} {
		src, err := cfg.Build(kind.Env{Makes: makes})
		if err != nil {
			t.Fatal(err)
		}
		got := &metadata{}
		p := &pipeline.Pipeline{Name: "t", Source: src, Sink: got, Store: &pipelinetest.Store{World: &pipelinetest.World{}}, Lanes: 1}
		if res, err := p.Run(t.Context()); err != nil || !res.Complete || res.Counts.Read != 0 {
			t.Fatalf("%+v, %v", res, err)
		}
		want := []string{"_metadata logs/a/_index.json", "_metadata logs/b/_index.json", "logs/a/0.gz"}
		if !makes {
			want = nil // it was deleted, after it had been delivered
		}
		if !slices.Equal(got.keys, want) {
			t.Errorf("makes %v: got %q, want %q", makes, got.keys, want)
		}
	}
	if got := b.Keys(); slices.Contains(got, "logs/a/0.gz") || !slices.Contains(got, "logs/a/_index.json") {
		t.Errorf("%q are left, want all metadata, and no data", got)
	}
}
