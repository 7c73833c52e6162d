package pipeline_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// TestAnyPipelineSurvivesAnything draws a pipeline, and what happens to it and
// when, and compares it with its undisturbed run.
func TestAnyPipelineSurvivesAnything(t *testing.T) {
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		s := scenario{roll: rapid.IntRange(1, 5).Draw(r, "roll"), lanes: rapid.IntRange(1, 4).Draw(r, "lanes"),
			passes: rapid.IntRange(1, 3).Draw(r, "passes"), onlyNew: rapid.Bool().Draw(r, "new")}
		s.whole = !s.onlyNew && rapid.IntRange(0, 3).Draw(r, "whole") == 0
		s.perPass = !s.onlyNew
		s.source = pipelinetest.Source{Blocks: rapid.Bool().Draw(r, "blocks"), Acks: s.onlyNew || s.passes == 1,
			Delay: time.Duration(rapid.IntRange(1, 1500).Draw(r, "delay")) * time.Millisecond,
			Lines: rapid.IntRange(1, 60).Draw(r, "lines")}
		first := make([]pipelinetest.Lane, rapid.IntRange(1, 4).Draw(r, "plan"))
		for i := range first {
			first[i] = pipelinetest.Lane{Name: fmt.Sprint("l", i), ID: fmt.Sprint("L", i), To: rapid.IntRange(0, 5).Draw(r, "to")}
		}
		grow := rapid.IntRange(0, 3).Draw(r, "grow")
		s.source.Lanes = func(pass int64) (plan []pipelinetest.Lane) {
			for i, l := range first {
				l.To += int(pass-1) * grow
				if (int(pass)+i)%4 != 3 || len(first) == 1 { // lanes come and go
					plan = append(plan, l)
				}
			}
			return plan
		}
		if !s.source.Blocks {
			s.stages = append(s.stages, pipeline.Stage{Name: "lines", Transform: pipeline.Lines{Size: rapid.IntRange(20, 400).Draw(r, "size")}})
		}
		for i := range rapid.IntRange(0, 3).Draw(r, "stages") {
			st := []pipeline.Stage{edit, shout, drop}[rapid.IntRange(0, 5).Draw(r, "stage")%3]
			st.Name += fmt.Sprint(i)
			s.stages = append(s.stages, st)
		}
		mode := pipelinetest.Mode(rapid.IntRange(0, 2).Draw(r, "mode"))
		var want outcome
		synctest.Test(t, func(t *testing.T) { want = s.play(t, mode, 0) })
		for range 4 {
			at := rapid.IntRange(1, max(1, want.ops)).Draw(r, "at")
			every := rapid.SampledFrom([]int{0, 0, 3, 7, 20}).Draw(r, "every")
			synctest.Test(t, func(t *testing.T) { s.compare(t, mode, at, s.playing(t, mode, at, every), want) })
			n++
		}
		if t.Failed() {
			r.FailNow()
		}
	})
	t.Logf("%d disturbed runs", n)
}
