package roll_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/roll"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// scenario is a pipeline into a bucket.
type scenario struct {
	source pipelinetest.Source
	stages []pipeline.Stage
	key    string
	roll   roll.Options
	passes int
	timed  bool   // objects end where time says
	listed string // the manifest
	late   bool   // objects are committed while the next are written
	copied bool   // and some are made without their items being read
}

// expand makes three records of some, in blocks without a position but the
// last, and drops whole blocks.
func expand(_ context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
	switch {
	case bytes.Contains(rec, []byte("/2/")):
		return pipeline.Drop, nil
	case bytes.HasSuffix(rec, []byte("/1\n")):
		big := bytes.Repeat([]byte{'x'}, pipeline.BlockSize/2)
		for range 2 {
			dst.Write(append(slices.Clip(big), rec...))
		}
	default:
		dst.Write(rec)
	}
	return pipeline.Keep, nil
}

// keep keeps a record. It could not do so with what is no block of records.
func keep(_ context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
	dst.Write(rec)
	return pipeline.Keep, nil
}

func scenarios() map[string]scenario {
	three := func(int64) []pipelinetest.Lane {
		return []pipelinetest.Lane{{Name: "a", ID: "A", To: 7}, {Name: "bb", ID: "B", To: 5}, {Name: "c", ID: "C", To: 8}}
	}
	blocks := pipelinetest.Source{Lanes: three, Lines: 3, Blocks: true, Delay: 400 * time.Millisecond}
	streams := blocks
	streams.Blocks = false
	again := blocks
	again.Lose = map[string]int{"A": 6, "C": 1}
	edited := blocks
	edited.Lanes = func(int64) []pipelinetest.Lane { return []pipelinetest.Lane{{Name: "a", ID: "A", To: 4}} }
	beside := blocks
	beside.Lanes = func(int64) []pipelinetest.Lane {
		return []pipelinetest.Lane{{Name: "about", ID: "D", To: 6, Aside: true}, {Name: "a", ID: "A", To: 5}}
	}
	besideAgain := beside
	besideAgain.Lose = map[string]int{"D": 5}
	rolled := "{pass}/{lane}_{sequence:3}"
	return map[string]scenario{
		"bytes":           {source: blocks, key: rolled, roll: roll.Options{Bytes: 50}, listed: "m/{pass}/_manifest.ndjson"},
		"records":         {source: blocks, key: rolled, roll: roll.Options{Records: 7}},
		"one object":      {source: blocks, key: rolled},
		"time":            {source: blocks, key: rolled, roll: roll.Options{Every: unit.Duration(time.Second)}, timed: true},
		"time and bytes":  {source: blocks, key: rolled, roll: roll.Options{Every: unit.Duration(700 * time.Millisecond), Bytes: 60}, timed: true, listed: "m/{pass}/_manifest.ndjson"},
		"streams":         {source: streams, key: rolled, roll: roll.Options{Bytes: 50}},
		"items":           {source: streams, key: "x/{key}", late: true},
		"two passes":      {source: blocks, key: rolled, roll: roll.Options{Bytes: 50}, passes: 2, listed: "{date:2006}/{pass}/_manifest.ndjson"},
		"items, again":    {source: streams, key: "x/{key}", passes: 2, late: true, copied: true, listed: "m/_manifest.ndjson"},
		"start over":      {source: again, key: rolled, roll: roll.Options{Bytes: 50}, listed: "m/_manifest.ndjson"},
		"no positions":    {source: edited, key: rolled, roll: roll.Options{Records: 3}, stages: []pipeline.Stage{{Name: "edit", Transform: pipeline.Edit(expand).Transform(2, 0)}}, listed: "m/_manifest.ndjson"},
		"between units":   {source: edited, key: rolled, roll: roll.Options{Bytes: 30}, stages: []pipeline.Stage{{Name: "edit", Transform: pipeline.Edit(expand).Transform(2, 0)}}},
		"lines of items":  {source: streams, key: rolled, roll: roll.Options{Bytes: 40}, stages: []pipeline.Stage{{Name: "lines", Transform: pipeline.Lines{Size: 16}}}},
		"beside":          {source: beside, key: "to_{pass}/{lane}_{sequence}", roll: roll.Options{Bytes: 50}, stages: []pipeline.Stage{{Name: "keep", Transform: pipeline.Edit(keep).Transform(1, 0)}}},
		"beside, again":   {source: besideAgain, key: "to_{pass}/{lane}_{sequence}", roll: roll.Options{Bytes: 50}, late: true, listed: "m/{pass}/_manifest.ndjson"},
		"dated":           {source: blocks, key: "{date:2006-01-02-150405}/{lane}_{sequence}", roll: roll.Options{Bytes: 50}},
		"drops and times": {source: edited, key: rolled, roll: roll.Options{Every: unit.Duration(time.Second)}, timed: true, stages: []pipeline.Stage{{Name: "edit", Transform: pipeline.Edit(expand).Transform(2, 0)}}},
	}
}

type outcome struct {
	Objects map[string]made
	Listed  []string // the manifest of each pass
	Counts  pipeline.Counts
	Rows    int // cuts that are left
	ops     int
}

// play makes the passes in a world in which something happens at operation at.
func (s scenario) play(t *testing.T, mode pipelinetest.Mode, at int) (out outcome) {
	t.Helper()
	w := &pipelinetest.World{Mode: mode, At: at}
	store := &pipelinetest.Store{World: w}
	src := s.source
	src.World, src.Bad = w, t.Errorf
	bad := func(format string, args ...any) { t.Errorf("%d at %d: "+format, append([]any{mode, at}, args...)...) }
	sink := &bucket{World: w, Key: s.key, Roll: s.roll, Bad: bad, Objects: map[string]made{}, Manifest: s.listed, Late: s.late, Copied: s.copied}
	for pass := range max(1, s.passes) {
		for try := 0; ; try++ {
			ctx, cancel := context.WithCancel(t.Context())
			w.Stop = cancel
			p := &pipeline.Pipeline{Name: "p", Log: slog.New(slog.DiscardHandler), Source: &src, Stages: s.stages, Sink: sink, Store: store, Lanes: 2, Depth: 1, Grace: 8 * time.Second}
			res, err := p.Run(ctx)
			cancel()
			w.Restart()
			if sink.Open_ != 0 && mode != pipelinetest.Crash {
				bad("%d objects neither committed nor aborted", sink.Open_)
			}
			sink.Open_ = 0
			if mode == pipelinetest.Stop && err != nil {
				bad("stop: %v", err)
			}
			if res.Complete {
				out.Counts.Add(res.Counts)
				break
			}
			if complete(store, pass+1) && err != nil { // crashed after it was complete
				break
			}
			if try > 3 {
				t.Fatalf("%d at %d: does not complete: %v", mode, at, err)
			}
			time.Sleep(3 * time.Second)
		}
		if s.listed != "" {
			out.Listed = append(out.Listed, manifest(bad, sink.Objects, pass+1))
		}
	}
	out.Objects, out.ops = sink.Objects, w.Ops()
	store.Range("sink.cuts", "", func(string, []byte) error { out.Rows++; return nil })
	return out
}

func complete(s *pipelinetest.Store, number int) bool {
	var p struct {
		Number   int
		Complete bool
	}
	b, _ := s.Get("pass", "current")
	json.Unmarshal(b, &p)
	return p.Complete && p.Number == number
}

// joined is the content of each lane and pass, without who made it.
func (o outcome) joined() map[string]string {
	all := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(o.Objects)) {
		all[key[:strings.LastIndexAny(key, "/_")]] += o.Objects[key].Content
	}
	return all
}

// contents is the content of each object, and where it begins.
func (o outcome) contents() map[string]string {
	all := map[string]string{}
	for key, m := range o.Objects {
		all[key] = m.Owner.From + ":" + m.Content
	}
	return all
}

func TestACrashAnywhereMakesTheSameObjects(t *testing.T)   { enumerate(t, pipelinetest.Crash) }
func TestAFailureAnywhereMakesTheSameObjects(t *testing.T) { enumerate(t, pipelinetest.Fail) }
func TestAStopAnywhereLosesNothing(t *testing.T)           { enumerate(t, pipelinetest.Stop) }

func enumerate(t *testing.T, mode pipelinetest.Mode) {
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want outcome
			synctest.Test(t, func(t *testing.T) { want = s.play(t, mode, 0) })
			s.check(t, want)
			for at := 1; at <= want.ops && !t.Failed(); at++ {
				synctest.Test(t, func(t *testing.T) { s.compare(t, mode, at, s.play(t, mode, at), want) })
			}
		})
	}
}

func (s scenario) compare(t *testing.T, mode pipelinetest.Mode, at int, got, want outcome) {
	t.Helper()
	g, w := got.contents(), want.contents()
	if s.timed || mode != pipelinetest.Crash { // where objects end depends on when things happened
		g, w = got.joined(), want.joined()
	}
	if strings.Contains(s.key, "{date") {
		g, w = undated(g), undated(w)
	}
	if !maps.Equal(g, w) {
		t.Fatalf("%d at %d:\ngot  %.2000s\nwant %.2000s", mode, at, dump(g), dump(w))
	}
	for i, m := range got.Listed {
		m, want := strings.ReplaceAll(m, `"start":1,`, ""), strings.ReplaceAll(want.Listed[i], `"start":1,`, "") // a crash may make starting over needless
		if !s.timed && mode == pipelinetest.Crash && m != want {
			t.Errorf("%d at %d: manifest of pass %d: got\n%s\nwant\n%s", mode, at, i+1, m, want)
		}
	}
	if got.Rows > 0 {
		t.Errorf("%d at %d: %d cuts are left after they were passed", mode, at, got.Rows)
	}
}

func dump(m map[string]string) string {
	b, _ := json.MarshalIndent(m, "", " ")
	return string(b)
}

// undated leaves out the date, which a crash before the pass began moves.
func undated(m map[string]string) map[string]string {
	all := map[string]string{}
	dates := map[string]bool{}
	for k, v := range m {
		date, rest, _ := strings.Cut(k, "/")
		dates[date] = true
		all[rest] = v
	}
	if len(dates) != 1 {
		all["dates"] = fmt.Sprint(len(dates))
	}
	return all
}

// check checks the undisturbed run against what the source gives.
func (s scenario) check(t *testing.T, o outcome) {
	t.Helper()
	if n := int64(len(o.Objects)) * int64(max(1, s.passes)); o.Counts.ObjectsWritten != n && s.passes < 2 && s.source.Lose == nil {
		t.Errorf("counted %d objects, there are %d", o.Counts.ObjectsWritten, n)
	}
	total := int64(0)
	for key, m := range o.Objects {
		n := int64(strings.Count(m.Content, "\n"))
		if total += n; s.roll.Records > 0 && n > s.roll.Records {
			t.Errorf("%s: %d records", key, n)
		}
		if m.Content == "" {
			t.Errorf("%s is empty", key)
		}
		if m.Owner.Source != "" { // of a lane that is aside, or not counted
			total -= n
		}
	}
	if o.Counts.Written != total && o.Counts.Unknown == 0 && s.passes < 2 {
		t.Errorf("counted %d records, there are %d", o.Counts.Written, total)
	}
	var stored, want []string
	for _, content := range o.joined() {
		stored = append(stored, strings.SplitAfter(content, "\n")...)
	}
	if s.stages != nil && s.stages[0].Name == "edit" {
		return
	}
	for range max(1, strings.Count(s.key, "{pass}")*s.passes) {
		for _, l := range s.source.Lanes(1) {
			epoch, to := 0, l.To
			if _, lost := s.source.Lose[l.ID]; lost {
				epoch, to = 1, l.To/2
			}
			for n := range to {
				want = append(want, strings.SplitAfter(string(pipelinetest.Content(l.ID, epoch, n, s.source.Lines)), "\n")...)
			}
		}
	}
	if got, want := sorted(stored), sorted(want); !slices.Equal(got, want) {
		t.Errorf("stored %d lines, want %d", len(got), len(want))
	}
}

func sorted(lines []string) []string {
	lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" })
	slices.Sort(lines)
	return lines
}

var _ io.Writer = (*object)(nil)
