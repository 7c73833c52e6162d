package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// shelf keeps the letters it is given.
type shelf struct {
	mu      sync.Mutex
	letters []pipeline.Letter
}

func (s *shelf) Write(_ context.Context, l pipeline.Letter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letters = append(s.letters, l)
	return nil
}

func (s *shelf) Sync(context.Context) error { return nil }

func TestALetterKeepsWhatTheServerSaid(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		refused := &pipeline.Refusal{Status: 400, Type: "mapper_parsing_exception", Reason: "no date", Attempts: 2}
		reasons := []error{fmt.Errorf("item 7: %w", refused), errors.New("no server said so")}
		e := &ends{plan: names("a"), read: counted(2)}
		e.write = func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
			for {
				it, ok, err := pipeline.Receive(ctx, in)
				if !ok {
					return err
				}
				reason := reasons[0]
				reasons = reasons[1:]
				if err := errors.Join(it.Bury(ctx, 0, []byte("{}\n"), reason), it.Done()); err != nil {
					return err
				}
			}
		}
		p := e.pipeline(&pipelinetest.World{})
		s := &shelf{}
		p.Dead = s
		if res, err := p.Run(t.Context()); err != nil || res.Counts.Dead != 2 || len(s.letters) != 2 {
			t.Fatalf("%+v, %v, %d letters", res, err, len(s.letters))
		}
		if l := s.letters[0]; l.Refusal != refused || !strings.HasPrefix(l.Reason, "item 7: 400 mapper_parsing_exception: no date") {
			t.Errorf("refusal %+v, reason %q", l.Refusal, l.Reason)
		}
		if l := s.letters[1]; l.Refusal != nil || l.Reason != "no server said so" {
			t.Errorf("refusal %+v, reason %q", l.Refusal, l.Reason)
		}
	})
}
