package pipeline_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

func TestALaneOfDocumentsPassesNoTransform(t *testing.T) {
	var got []string
	e := &ends{plan: []pipeline.Lane{{Name: "data", ID: "1"}, {Name: "about", ID: "2", Aside: true}}}
	e.read = func(ctx context.Context, lane pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
		b, err := pipeline.NewQuota(1).Block(ctx)
		if err != nil {
			return err
		}
		b.Write([]byte("a line\n"))
		it := b.Item(lane.Name, pipeline.Position{Token: "1"}, 1)
		if lane.Aside {
			it.Records = 0
		}
		return pipeline.Send(ctx, out, it)
	}
	e.write = func(ctx context.Context, lane pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
		for {
			it, ok, err := pipeline.Receive(ctx, in)
			if !ok {
				return err
			}
			got = append(got, it.Key+": "+string(it.Body.(*pipeline.Block).B()))
			if err := it.Done(); err != nil {
				return err
			}
		}
	}
	drop := pipeline.Edit(func(context.Context, []byte, *pipeline.Block) (pipeline.Verdict, error) { return pipeline.Drop, nil })
	p := e.pipeline(&pipelinetest.World{}, pipeline.Stage{Name: "drop", Transform: drop.Transform(1, 0)})
	p.Lanes = 1
	res, err := p.Run(t.Context())
	if err != nil || !res.Complete {
		t.Fatalf("got %+v, %v, want a complete pass", res, err)
	}
	if want := "about: a line\n"; strings.Join(got, "") != want {
		t.Errorf("got %q, want the document alone, %q", got, want)
	}
	if c := res.Counts; c.Read != 1 || c.Filtered != 1 || c.Written != 0 {
		t.Errorf("got counts %+v, want the record filtered, and none of the document", c)
	}
}

func TestWhatHoldsNoRecordsIsLeftOutUnopened(t *testing.T) {
	never := pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) { return nil, errors.New("it was opened") })
	two := pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("1\n2\n")), nil })
	e := &ends{plan: names("lane")}
	e.read = func(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
		for _, it := range []*pipeline.Item{
			{Key: "a", Pos: pipeline.Position{Token: "1"}, Size: 4, Records: -1, Body: two},
			{Key: "about", Pos: pipeline.Position{Token: "2"}, Size: 9, Records: -1, Body: never},
		} {
			if err := pipeline.Send(ctx, out, it); err != nil {
				return err
			}
		}
		return nil
	}
	e.write = func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
		for {
			it, ok, err := pipeline.Receive(ctx, in)
			if !ok {
				return err
			}
			if err := it.Done(); err != nil {
				return err
			}
		}
	}
	lines := pipeline.Lines{Skip: func(_ context.Context, it *pipeline.Item) bool { return it.Key == "about" }}
	p := e.pipeline(&pipelinetest.World{}, pipeline.Stage{Name: "lines", Transform: lines})
	res, err := p.Run(t.Context())
	if err != nil || !res.Complete {
		t.Fatalf("got %+v, %v, want a complete pass", res, err)
	}
	want := pipeline.Counts{Read: 2, Written: 2, Skipped: 1, BytesRead: 4, BytesWritten: 4, ObjectsRead: 1}
	if res.Counts != want {
		t.Errorf("got counts %+v, want %+v", res.Counts, want)
	}
	if s, _ := p.Status(); s.Lanes[0].State.Pos.Token != "2" {
		t.Errorf("got position %+v, want the one after what was left out", s.Lanes[0].State.Pos)
	}
}
