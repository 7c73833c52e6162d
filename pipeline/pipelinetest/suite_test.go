package pipelinetest_test

import (
	"strings"
	"testing"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

func TestTheSuiteAcceptsTheSourceOfThisPackage(t *testing.T) {
	for name, blocks := range map[string]bool{"blocks": true, "streams": false} {
		t.Run(name, func(t *testing.T) {
			pipelinetest.TestSource(t, pipelinetest.SourceCase{Open: func(t *testing.T) pipeline.Source {
				return &pipelinetest.Source{World: &pipelinetest.World{}, Lines: 3, Blocks: blocks, Bad: t.Errorf,
					Lanes: func(int64) []pipelinetest.Lane {
						return []pipelinetest.Lane{{Name: "a", ID: "A", To: 3}, {Name: "b", ID: "B", To: 0}}
					}}
			}})
		})
	}
}

func TestTheSuiteAcceptsTheStoreOfThisPackage(t *testing.T) {
	pipelinetest.TestStore(t, func(*testing.T) pipeline.Store { return &pipelinetest.Store{World: &pipelinetest.World{}} })
}

func TestTheSuiteAcceptsTheSinkOfThisPackage(t *testing.T) {
	pipelinetest.TestSink(t, func(*testing.T) pipelinetest.SinkCase {
		sink := &pipelinetest.Sink{World: &pipelinetest.World{}, Roll: 4, Objects: map[string]string{}}
		return pipelinetest.SinkCase{
			Open: func(*testing.T) pipeline.Sink { return sink },
			Contents: func(*testing.T) (lines []string) {
				sink.World.Look(func() {
					for _, o := range sink.Objects {
						lines = append(lines, strings.SplitAfter(strings.TrimSuffix(o, "\n"), "\n")...)
					}
				})
				for i, l := range lines {
					lines[i] = strings.TrimSuffix(l, "\n") + "\n"
				}
				return lines
			},
		}
	})
}
