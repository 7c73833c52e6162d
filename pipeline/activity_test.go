package pipeline_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// TestAStatusSaysWhatEachStageWaitsFor: the source gives an item every 4
// seconds, the sink takes each for 10.
func TestAStatusSaysWhatEachStageWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		e := &ends{plan: names("a")}
		e.read = func(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
			for n := range 6 {
				time.Sleep(4 * time.Second)
				b, err := pipeline.NewQuota(1).Block(ctx)
				if err != nil {
					return err
				}
				b.Write([]byte("{}\n"))
				if err := pipeline.Send(ctx, out, b.Item("k", pipeline.Position{Token: fmt.Sprint(n)}, 1)); err != nil {
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
				time.Sleep(10 * time.Second)
				pipeline.Moved(ctx)
				if err := it.Done(); err != nil {
					return err
				}
			}
		}
		p := e.pipeline(&pipelinetest.World{})
		p.Depth = 0
		done := make(chan error, 1)
		go func() { _, err := p.Run(t.Context()); done <- err }()

		look := func(at time.Duration) (pipeline.LaneStatus, map[string]pipeline.StageStatus) {
			t.Helper()
			time.Sleep(time.Until(began.Add(at)))
			synctest.Wait()
			s, _ := p.Status()
			all := map[string]pipeline.StageStatus{}
			for _, st := range s.Lanes[0].Stages {
				all[st.Name] = st
			}
			return s.Lanes[0], all
		}
		if _, got := look(2 * time.Second); got["source"].Waits != "" || got["sink"].Waits != pipeline.Receiving || !got["sink"].Since.Equal(began) || len(got) != 4 {
			t.Errorf("got %+v, want a source that works and a sink that waits for it", got)
		}
		// 4: the sink has the first, 8: ledger the second, 12: place the third,
		// 14: the sink has the second, 16: place the fourth, 20: nobody takes the fifth.
		l, got := look(22 * time.Second)
		if s := got["source"]; s.Waits != pipeline.Sending || !s.Since.Equal(began.Add(20*time.Second)) || s.Sending != 2*time.Second || s.Moved != 4 {
			t.Errorf("got %+v, want a source that waits for place since 20 s", s)
		}
		if s := got["sink"]; s.Waits != "" || s.Receiving != 4*time.Second || s.Open != 22*time.Second || s.Moved != 3 || l.Held != 2 {
			t.Errorf("got %+v and %d held, want a sink that works and has waited 4 s, and two not done", s, l.Held)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if _, got = look(time.Hour); got["place"].Took != (pipeline.Flow{Items: 6, Records: 6, Bytes: 18}) || got["ledger"].Gave != got["place"].Took {
			t.Errorf("got %+v and %+v, want six items of a record each", got["place"], got["ledger"])
		}
		if n := got["source"].Held; n != 0 {
			t.Errorf("got %d bytes held by a pass that has ended, want none", n)
		}
		if l, got = look(time.Hour); !got["sink"].Ended || got["sink"].Waits != "" || got["sink"].Open != 64*time.Second || l.Held != 0 {
			t.Errorf("got %+v, want a sink that has ended after 64 s", got["sink"])
		}
	})
}
