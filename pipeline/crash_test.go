package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

type lanes = []pipelinetest.Lane

// part is a lane of the source: items up to to.
func part(name, id string, to int) pipelinetest.Lane {
	return pipelinetest.Lane{Name: name, ID: id, To: to}
}

// scenario is a pipeline and how many passes it makes.
type scenario struct {
	source  pipelinetest.Source
	stages  []pipeline.Stage
	roll    int
	perPass bool
	whole   bool
	onlyNew bool
	lanes   int
	passes  int
	expect  func(line string) []string // what an edit makes of a line
	read    int64                      // records in all passes
}

func fixed(l ...pipelinetest.Lane) func(int64) []pipelinetest.Lane {
	return func(int64) []pipelinetest.Lane { return l }
}

// curate is an edit with every verdict.
func curate(_ context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
	out := curated(string(rec))
	for _, l := range out {
		if l == "dead" {
			return pipeline.Dead, errors.New("seven")
		}
		io.WriteString(dst, l)
	}
	if len(out) == 0 {
		return pipeline.Drop, nil
	}
	return pipeline.Keep, nil
}

func curated(line string) []string {
	var i int
	fmt.Sscan(line[strings.LastIndexByte(line, '/')+1:], &i)
	switch {
	case i%7 == 5:
		return []string{"dead"}
	case i%3 == 1:
		return nil
	case i%5 == 3:
		return []string{line, "again " + line}
	}
	return []string{line}
}

func upper(_ context.Context, dst io.Writer, src io.Reader) error {
	time.Sleep(3 * time.Millisecond)
	b, err := io.ReadAll(src)
	if err == nil {
		_, err = dst.Write(bytes.ToUpper(b))
	}
	return err
}

func dropAll(context.Context, []byte, *pipeline.Block) (pipeline.Verdict, error) {
	return pipeline.Drop, nil
}

var (
	split = pipeline.Stage{Name: "lines", Transform: pipeline.Lines{Size: 256, Blocks: 3}}
	edit  = pipeline.Stage{Name: "edit", Transform: pipeline.Edit(curate).Transform(3, 0)}
	drop  = pipeline.Stage{Name: "drop", Transform: pipeline.Edit(dropAll).Transform(2, 0)}
	shout = pipeline.Stage{Name: "upper", Transform: pipeline.Filter(upper).Transform(3)}
)

const slow = 400 * time.Millisecond

func scenarios() map[string]scenario {
	three := fixed(part("a", "A", 7), part("bb", "B", 5), part("c", "C", 8))
	return map[string]scenario{
		"units":           {source: pipelinetest.Source{Lanes: three, Lines: 3, Blocks: true, Delay: slow, Acks: true}, roll: 3},
		"lines in items":  {source: pipelinetest.Source{Lanes: fixed(part("a", "A", 2), part("b", "B", 3)), Lines: 150, Delay: slow, Acks: true}, stages: []pipeline.Stage{split, shout}, roll: 2},
		"edits":           {source: pipelinetest.Source{Lanes: three, Lines: 40, Delay: slow}, stages: []pipeline.Stage{split, edit, shout}, roll: 3, expect: curated},
		"drops all":       {source: pipelinetest.Source{Lanes: three, Lines: 9, Delay: slow, Acks: true}, stages: []pipeline.Stage{split, drop}, roll: 3, expect: func(string) []string { return nil }},
		"few at a time":   {source: pipelinetest.Source{Lanes: fixed(part("a", "A", 3), part("b", "B", 4), part("c", "C", 0), part("d", "D", 5), part("e", "E", 2)), Lines: 3, Blocks: true, Delay: slow}, stages: []pipeline.Stage{shout}, roll: 2, lanes: 2},
		"two full passes": {source: pipelinetest.Source{Lanes: three, Lines: 3, Blocks: true, Delay: slow}, roll: 3, perPass: true, passes: 2},
		"follow": {source: pipelinetest.Source{Lanes: func(n int64) []pipelinetest.Lane {
			return lanes{part("a", "A", int(4*n)), part("b", "B", int(3*n))}
		}, Lines: 3, Blocks: true, Delay: slow, Acks: true}, roll: 3, passes: 3, onlyNew: true, read: 63},
		"lanes come and go": {source: pipelinetest.Source{Lanes: func(n int64) []pipelinetest.Lane {
			return []lanes{{part("a", "A", 3)}, {part("a", "A", 4), part("b", "B", 3)}, {part("b", "B", 5), part("c", "C", 2)}, {part("a", "A", 6), part("c", "C2", 3)}}[n-1]
		}, Lines: 3, Blocks: true, Delay: slow, Acks: true}, roll: 2, passes: 4, onlyNew: true, perPass: true, read: 48},
		"whole pass": {source: pipelinetest.Source{Lanes: three, Lines: 30, Delay: slow, Acks: true}, stages: []pipeline.Stage{split}, whole: true},
		"start over": {source: pipelinetest.Source{Lanes: three, Lines: 3, Blocks: true, Delay: slow, Lose: map[string]int{"A": 6, "C": 1}}, roll: 2, read: 36},
	}
}

// outcome is all that a pipeline leaves behind.
type outcome struct {
	Objects  map[string]string
	Counts   pipeline.Counts
	Letters  []string
	Finishes []string
	Acked    map[string]pipeline.Position
	Known    int
	ops      int
}

// play makes the passes of a scenario in a world in which something happens at
// operation number at, and restarts until each pass is complete.
func (s scenario) play(t *testing.T, mode pipelinetest.Mode, at int) outcome {
	t.Helper()
	return s.playing(t, mode, at, 0)
}

// playing is play in which it happens again and again: every so many
// operations after the first, a few times.
func (s scenario) playing(t *testing.T, mode pipelinetest.Mode, at, every int) (out outcome) {
	t.Helper()
	w := &pipelinetest.World{Mode: mode, At: at, Every: every, Times: 8}
	store := &pipelinetest.Store{World: w}
	src := s.source
	src.World, src.Bad = w, t.Errorf
	src.Pos = func(lane string) pipeline.Position { return laneState(store, lane).Pos }
	sink := &pipelinetest.Sink{World: w, Roll: s.roll, PerPass: s.perPass, Objects: map[string]string{}}
	mirror := &pipelinetest.Mirror{World: w}
	letters := map[string]string{}
	store.Check = func(rows map[string]map[string][]byte) {
		dead := int64(0)
		for _, b := range rows["lanes"] {
			var st pipeline.LaneState
			json.Unmarshal(b, &st)
			dead += st.Counts.Dead
		}
		if dead > int64(len(letters)) {
			t.Errorf("%d at %d: saved beyond %d dead letters, %d are durable", mode, at, dead, len(letters))
		}
	}
	last := false
	for pass := int64(1); pass <= int64(max(1, s.passes)); pass++ {
		for try := 0; ; try++ {
			if try > 12 {
				t.Fatalf("%d at %d: pass %d does not complete", mode, at, pass)
			}
			ctx, cancel := context.WithCancel(t.Context())
			w.Stop = cancel
			p := &pipeline.Pipeline{Source: &src, Stages: s.stages, Sink: sink, Store: store, New: s.onlyNew,
				Dead:  &pipelinetest.Letters{World: w, Durable: letters, Delay: 500 * time.Millisecond},
				Lanes: max(s.lanes, 3), Depth: 2, Grace: 8 * time.Second}
			if s.lanes > 0 {
				p.Lanes = s.lanes
			}
			if s.whole {
				p.Sink = mirror
			}
			finished := len(sink.Finishes) + len(mirror.Finishes)
			res, err := p.Run(ctx)
			cancel()
			w.Restart()
			number, complete := passState(store)
			if number != pass && number != pass-1 {
				t.Fatalf("%d at %d: pass %d, want %d", mode, at, number, pass)
			}
			complete = complete && number == pass
			if res.Complete != complete && err == nil {
				t.Fatalf("%d at %d: complete %v, saved %v", mode, at, res.Complete, complete)
			}
			if !res.Complete && err == nil && mode != pipelinetest.Stop {
				t.Fatalf("%d at %d: neither complete nor an error", mode, at)
			}
			if mode == pipelinetest.Stop && err != nil {
				t.Fatalf("stop at %d: %v", at, err)
			}
			if complete && len(sink.Finishes)+len(mirror.Finishes) == 0 || res.Complete && finished == len(sink.Finishes)+len(mirror.Finishes) {
				t.Fatalf("%d at %d: complete without Finish", mode, at)
			}
			if last = res.Complete; complete {
				break
			}
		}
		for _, l := range src.Lanes(pass) {
			st := laneState(store, l.Name)
			if !st.Ended {
				t.Fatalf("%d at %d: complete, but lane %s is not ended", mode, at, l.Name)
			}
			out.Counts.Add(st.Counts)
		}
	}
	out.Objects, out.ops, out.Acked = sink.Objects, w.Ops(), src.Acked
	if s.whole {
		out.Objects = mirror.Objects
	}
	if !last { // crashed after the last save, before Saved: the next run repeats it
		out.Acked = nil
	}
	if mode != pipelinetest.Crash { // a drain ends units: only what is in them is the same
		joined := map[string]string{}
		for _, k := range slices.SortedFunc(maps.Keys(out.Objects), byNumber) {
			lane := k[:strings.LastIndexByte(k, '/')+1]
			joined[lane] += out.Objects[k]
		}
		out.Objects = joined
	}
	out.Finishes = slices.Compact(append(sink.Finishes, mirror.Finishes...))
	out.Letters = slices.Sorted(maps.Keys(letters))
	if src.Lose == nil { // notes of a walk that was abandoned stay until their stage removes them
		store.Range("source.known", "", func(string, []byte) error { out.Known++; return nil })
	}
	return out
}

func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func laneState(s *pipelinetest.Store, lane string) (st pipeline.LaneState) {
	b, _ := s.Get("lanes", lane)
	json.Unmarshal(b, &st)
	return st
}

func passState(s *pipelinetest.Store) (int64, bool) {
	var p struct {
		Number   int64
		Complete bool
	}
	b, _ := s.Get("pass", "current")
	json.Unmarshal(b, &p)
	return p.Number, p.Complete
}

// compare checks got against the undisturbed run.
func (s scenario) compare(t *testing.T, mode pipelinetest.Mode, at int, got, want outcome) {
	t.Helper()
	if mode != pipelinetest.Crash {
		got.Finishes = want.Finishes
	}
	if got.Acked == nil {
		got.Acked = want.Acked
	}
	got.ops, want.ops = 0, 0
	g, _ := json.MarshalIndent(got, "", " ")
	w, _ := json.MarshalIndent(want, "", " ")
	if !bytes.Equal(g, w) {
		t.Fatalf("%d at %d:\ngot  %s\nwant %s", mode, at, g, w)
	}
}

func TestACrashAnywhereChangesNothing(t *testing.T)   { enumerate(t, pipelinetest.Crash) }
func TestAFailureAnywhereChangesNothing(t *testing.T) { enumerate(t, pipelinetest.Fail) }
func TestAStopAnywhereLosesNothing(t *testing.T)      { enumerate(t, pipelinetest.Stop) }

func enumerate(t *testing.T, mode pipelinetest.Mode) {
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) {
			var want outcome
			synctest.Test(t, func(t *testing.T) { want = s.play(t, mode, 0) })
			s.check(t, mode, want)
			if t.Failed() {
				return
			}
			for at := 1; at <= want.ops; at++ {
				synctest.Test(t, func(t *testing.T) { s.compare(t, mode, at, s.play(t, mode, at), want) })
				if t.Failed() {
					return
				}
			}
			t.Logf("%d operations", want.ops)
		})
	}
}

// check checks the undisturbed run against what the source holds.
func (s scenario) check(t *testing.T, mode pipelinetest.Mode, out outcome) {
	t.Helper()
	c := out.Counts
	if c.Read+c.Created != c.Written+c.Filtered+c.Dead || c.Read == 0 || c.Unknown != 0 {
		t.Errorf("counts %+v", c)
	}
	if int64(len(out.Letters)) != c.Dead {
		t.Errorf("%d letters, counted %d", len(out.Letters), c.Dead)
	}
	if s.read > 0 {
		if c.Read != s.read || c.Written != s.read {
			t.Errorf("read %d, written %d, want %d", c.Read, c.Written, s.read)
		}
		return
	}
	if s.passes > 1 {
		return
	}
	items := 0
	for _, l := range s.source.Lanes(1) {
		items += l.To
	}
	if out.Known != items {
		t.Errorf("%d notes, want %d", out.Known, items)
	}
	var got, want []string
	for _, o := range out.Objects {
		got = append(got, strings.SplitAfter(strings.ToLower(o), "\n")...)
	}
	for _, l := range s.source.Lanes(1) {
		for n := range l.To {
			for _, line := range strings.SplitAfter(string(pipelinetest.Content(l.ID, 0, n, s.source.Lines)), "\n") {
				if line == "" {
					continue
				}
				made := []string{line}
				if s.expect != nil {
					made = s.expect(line)
				}
				for _, m := range made {
					if m != "dead" {
						want = append(want, strings.ToLower(m))
					}
				}
			}
		}
	}
	got = slices.DeleteFunc(got, func(l string) bool { return l == "" })
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
}
