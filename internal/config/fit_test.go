package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/config"
	"sluice/internal/unit"
)

// Of the fakes, opensearch needs 8 MiB for each lane, gzip 2 MiB for each
// worker, s3 twice its part.
const fits = `
pipelines:
  a:
    source: {opensearch: {url: x, index: y}}
    transforms: [gzip]
    sink: {s3: {bucket: b, key: "{lane}", part: 5MiB}}
    lanes: %d
    on_error: dead_letter
    dead_letters: {file: {path: dead}}
  b:
    source: {opensearch: {url: x, index: y}}
    sink: {opensearch: {url: x}}
    lanes: %d
`

func TestLanesAreAsManyAsFitIntoMemory(t *testing.T) {
	for _, test := range []struct {
		memory   unit.Bytes
		lanes    [2]int // wanted
		want     [2]int
		workers  int // of a's gzip
		pipeline int // how many run
	}{
		{72, [2]int{1, 1}, [2]int{1, 0}, 4, 1},
		{72, [2]int{4, 1}, [2]int{3, 0}, 1, 1},   // 64 MiB for lanes of 20 MiB
		{88, [2]int{4, 1}, [2]int{4, 0}, 1, 1},   // 80 MiB for lanes of 20 MiB
		{28, [2]int{4, 1}, [2]int{1, 0}, 1, 1},   // exactly one
		{192, [2]int{2, 2}, [2]int{2, 2}, 2, 2},  // 2×22 + 2×18 of 184
		{72, [2]int{4, 4}, [2]int{2, 1}, 1, 2},   // 20+18, then 20 more
		{86, [2]int{1, 4}, [2]int{1, 3}, 1, 2},   // 20, and 3×18 of 78
		{1000, [2]int{8, 4}, [2]int{8, 4}, 1, 2}, // one of four workers for each lane
	} {
		name := fmt.Sprintf("%d MiB for %v", test.memory, test.lanes)
		f := mustParse(t, fmt.Sprintf(fits, test.lanes[0], test.lanes[1]))
		fitted, err := config.Fit(test.memory<<20, f.Pipelines[:test.pipeline]...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got [2]int
		var sum unit.Bytes
		for i, one := range fitted {
			got[i] = one.Lanes
			lane, shared := one.Need()
			sum += unit.Bytes(one.Lanes)*lane + shared
		}
		if got != test.want {
			t.Errorf("%s: got lanes %v, want %v", name, got, test.want)
		}
		if w := fitted[0].Workers; w != test.workers {
			t.Errorf("%s: got %d workers, want %d", name, w, test.workers)
		}
		if sum > test.memory<<20 {
			t.Errorf("%s: got lanes that need %v", name, sum)
		}
	}
}

func TestMemoryForLessThanOneLaneIsRefusedWithTheSizeItTakes(t *testing.T) {
	f := mustParse(t, fmt.Sprintf(fits, 4, 4))
	_, err := config.Fit(45<<20, f.Pipelines...)
	want := "memory: 45MiB does not fit one lane: it takes at least 46MiB: pipeline a 28MiB (source 8MiB, gzip 10MiB, sink 10MiB), pipeline b 18MiB (source 8MiB, sink 10MiB)"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := config.Fit(46<<20, f.Pipelines...); err != nil {
		t.Errorf("got %v with what the error says it takes, want none", err)
	}
}

func TestMemoryThatIsNotGivenIsWhatOneLaneOfEachTakes(t *testing.T) {
	text := fmt.Sprintf(fits, 4, 4) + strings.ReplaceAll(strings.SplitAfter(fmt.Sprintf(fits, 4, 4), "pipelines:\n")[1], "  a:", "  c:")
	text = strings.Replace(text, "  b:", "  d:", 1)
	for given, want := range map[string]unit.Bytes{"": 92 << 20, "memory: 91MiB\n": 0, "memory: 100MiB\n": 100 << 20} {
		f := mustParse(t, given+text)
		fitted, err := f.Fit(f.Pipelines...)
		if want == 0 && err == nil || want != 0 && (err != nil || f.Memory != want || len(fitted) != 4) {
			t.Errorf("%q: got %v for %d pipelines, %v, want %v", given, f.Memory, len(fitted), err, want)
		}
		if _, err := f.Fit(f.Pipelines[0]); err != nil {
			t.Errorf("%q: one alone: %v", given, err)
		}
	}
	if f := mustParse(t, text); f.Memory != 80<<20 {
		t.Errorf("got %v, want 80MiB", f.Memory)
	}
}

func TestABuiltPipelineIsAsConfigured(t *testing.T) {
	f := mustParse(t, strings.Replace(fmt.Sprintf(fits, 3, 1), "transforms: [gzip]", "transforms: [gzip, gzip]\n    grace: 3s", 1))
	fitted, err := config.Fit(200<<20, f.Pipelines...)
	if err != nil {
		t.Fatal(err)
	}
	p := fitted[0].Pipeline(config.Links{})
	if p.Name != "a" || p.Lanes != 3 || p.Grace != 3*time.Second || !p.GiveUp || p.Depth < 1 || p.Source == nil || p.Sink == nil || p.New {
		t.Errorf("got %+v, want it as configured", p)
	}
	if len(p.Stages) != 2 || p.Stages[0].Name != "gzip" || p.Stages[1].Name != "gzip-2" {
		t.Errorf("got stages %v, want gzip and gzip-2", p.Stages)
	}
	if env := p.Stages[0].Transform.(nothing).env; env.Workers != 2 || env.Pipeline != "a" || env.MaxRecord != 8<<20 || env.Every || env.Transient {
		t.Errorf("got env %+v, want that of the pipeline", env)
	}
	if fitted[1].Pipeline(config.Links{}).GiveUp {
		t.Error("got a pipeline that gives up, want one that stops")
	}
}

func TestStagesAreFrugalWhereNotAllLanesFitOtherwise(t *testing.T) {
	f := mustParse(t, fmt.Sprintf(fits, 1, 2))
	for memory, want := range map[unit.Bytes]unit.Bytes{36: 10, 55: 10, 56: 20} { // two lanes, of 8+10 or of 8+20 MiB
		fitted, err := config.Fit(memory<<20, f.Pipelines[1])
		if err != nil {
			t.Fatal(err)
		}
		if needs := fitted[0].Needs; fitted[0].Lanes != 2 || needs[1].Lane != want<<20 {
			t.Errorf("%d MiB: %d lanes with a sink of %v, want 2 of %d MiB", memory, fitted[0].Lanes, needs[1].Lane, want)
		}
	}
}

func TestASinkIsToldOfLanesThatMayHoldOneDocument(t *testing.T) {
	for source, want := range map[string]bool{"s3: {bucket: b}": true, "opensearch: {url: x, index: y}": false} {
		f := mustParse(t, "pipelines:\n  a:\n    source: {"+source+"}\n    transforms: [lines]\n    sink: {opensearch: {url: x}}\n    lanes: 3\n")
		fitted, err := config.Fit(200<<20, f.Pipelines...)
		if err != nil {
			t.Fatal(err)
		}
		if env := fitted[0].Pipeline(config.Links{}).Sink.(noSink).env; env.Scattered != want || env.Lanes != 3 {
			t.Errorf("%s: %v in %d lanes, want %v in 3", source, env.Scattered, env.Lanes, want)
		}
	}
}
