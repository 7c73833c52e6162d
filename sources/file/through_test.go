package file_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/kind"
	"sluice/internal/roll"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	sink "sluice/sinks/file"
)

// through is a pipeline from files, by lines, to files.
type through struct {
	from, to string
	world    *pipelinetest.World
	store    *pipelinetest.Store
	letters  map[string]string
	giveUp   bool
	lanes    int
}

func newThrough(t *testing.T, files map[string]string) *through {
	p := &through{from: t.TempDir(), to: t.TempDir(), world: &pipelinetest.World{Mode: pipelinetest.Stop}, letters: map[string]string{}, lanes: 1}
	p.store = &pipelinetest.Store{World: p.world}
	write(t, p.from, files)
	return p
}

func (p *through) run(t *testing.T) (pipeline.Result, error) {
	t.Helper()
	out, err := (&sink.Config{Path: p.to, Key: "{pass}/{lane}/{sequence:3}", Overwrite: roll.Own, Roll: roll.Options{Bytes: unit.Bytes(90)}}).Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	p.world.Stop = stop
	defer p.world.Restart()
	frame := &pipeline.Pipeline{Name: "p", Log: slog.New(slog.DiscardHandler), Source: build(t, p.from), Sink: out, Store: p.store,
		Stages: []pipeline.Stage{{Name: "lines", Transform: pipeline.Lines{Size: 40}}}, Dead: &pipelinetest.Letters{World: p.world, Durable: p.letters},
		GiveUp: p.giveUp, Lanes: p.lanes, Grace: 8 * time.Second}
	return frame.Run(ctx)
}

func (p *through) must(t *testing.T) pipeline.Result {
	t.Helper()
	res, err := p.run(t)
	if err != nil || !res.Complete {
		t.Fatalf("got %+v, %v", res, err)
	}
	return res
}

// files are the files of the sink, in order of their names.
func (p *through) files(t *testing.T) (files map[string]string) {
	t.Helper()
	files = map[string]string{}
	names, err := filepath.Glob(filepath.Join(p.to, "*", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rel, _ := filepath.Rel(p.to, name)
		files[rel] = string(b)
	}
	return files
}

// pass is the content of the files of a pass, in order.
func (p *through) pass(t *testing.T, n int) (all string) {
	files := p.files(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(name, fmt.Sprint(n, "/")) {
			all += files[name]
		}
	}
	return all
}

func lines(key string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s line %d\n", key, i)
	}
	return b.String()
}

func source() map[string]string {
	return map[string]string{"b": lines("b", 40), "d": lines("d", 9), "e/f": lines("e", 3), "e-g": lines("g", 1)}
}

func everything() string { return lines("b", 40) + lines("d", 9) + lines("g", 1) + lines("e", 3) }

// halfway stops runs, at one operation after another, in the middle of b, and
// calls f with what is left, and the position that was saved.
func halfway(t *testing.T, f func(t *testing.T, p *through, at pipeline.Position)) {
	found := 0
	for op := 4; op < 18; op++ {
		p := newThrough(t, source())
		p.world.At = op
		if res, err := p.run(t); err != nil || res.Complete {
			continue
		}
		var st pipeline.LaneState
		b, _ := p.store.Get("lanes", "0")
		if err := json.Unmarshal(b, &st); err != nil {
			t.Fatal(err)
		}
		if st.Pos.Inner != "" && st.Pos.Key == "b" {
			found++
			f(t, p, st.Pos)
		}
	}
	if found == 0 {
		t.Error("no run was stopped in the middle of an item")
	}
}

func TestAnItemHalfDeliveredGoesOn(t *testing.T) {
	halfway(t, func(t *testing.T, p *through, at pipeline.Position) {
		p.must(t)
		if got := p.pass(t, 1); got != everything() {
			t.Errorf("from %+v: got %q", at, got)
		}
	})
}

func TestANewKeyBeforeAnItemHalfDeliveredWaits(t *testing.T) {
	halfway(t, func(t *testing.T, p *through, at pipeline.Position) {
		write(t, p.from, map[string]string{"a": lines("a", 2)})
		p.must(t)
		if got := p.pass(t, 1); got != everything() {
			t.Errorf("from %+v: got %q", at, got)
		}
		p.must(t)
		if got := p.pass(t, 2); got != lines("a", 2)+everything() {
			t.Errorf("the next pass: got %q", got)
		}
	})
}

func TestAnItemReplacedWhenHalfDeliveredStartsOver(t *testing.T) {
	halfway(t, func(t *testing.T, p *through, at pipeline.Position) {
		half := p.pass(t, 1)
		write(t, p.from, map[string]string{"b": lines("new b", 12)})
		if res, err := p.run(t); err == nil || res.Complete || !strings.Contains(err.Error(), "b") {
			t.Fatalf("nobody may give up: got %+v, %v", res, err)
		}
		p.giveUp = true
		res := p.must(t)
		want := half + lines("new b", 12) + strings.TrimPrefix(everything(), lines("b", 40))
		if got := p.pass(t, 1); got != want || res.Counts.GivenUp != 1 || len(p.letters) != 1 {
			t.Errorf("from %+v: got %q, want %q; %+v; letters %v", at, got, want, res.Counts, p.letters)
		}
	})
}

func TestAnItemGoneWhenHalfDeliveredIsGivenUp(t *testing.T) {
	halfway(t, func(t *testing.T, p *through, at pipeline.Position) {
		half := p.pass(t, 1)
		if err := os.Remove(filepath.Join(p.from, "b")); err != nil {
			t.Fatal(err)
		}
		if res, err := p.run(t); err == nil || res.Complete || !strings.Contains(err.Error(), "b") {
			t.Fatalf("nobody may give up: got %+v, %v", res, err)
		}
		p.giveUp = true
		res := p.must(t)
		want := half + strings.TrimPrefix(everything(), lines("b", 40))
		if got := p.pass(t, 1); got != want || res.Counts.GivenUp != 1 || len(p.letters) != 1 {
			t.Errorf("from %+v: got %q, want %q; %+v; letters %v", at, got, want, res.Counts, p.letters)
		}
	})
}

// TestTheNumberOfLanesMayChange stops a pass of two lanes at a time and goes on
// with one or five: the plan stays.
func TestTheNumberOfLanesMayChange(t *testing.T) {
	plain := newThrough(t, source())
	plain.lanes = 2
	plain.must(t)
	want := byLane(plain.files(t))
	if len(want) != 4 {
		t.Fatalf("lanes %v", want)
	}
	for _, lanes := range []int{1, 5} {
		for op := 4; op < 9; op++ {
			p := newThrough(t, source())
			p.lanes, p.world.At = 2, op
			if _, err := p.run(t); err != nil {
				t.Fatal(err)
			}
			p.lanes = lanes
			p.must(t)
			if got := byLane(p.files(t)); !maps.Equal(got, want) {
				t.Errorf("then %d lanes, stopped at %d: got %q, want %q", lanes, op, got, want)
			}
		}
	}
}

func byLane(files map[string]string) map[string]string {
	all := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(name, "1/") {
			all[filepath.Dir(name)] += files[name]
		}
	}
	return all
}

func TestACrashAnywhereLeavesTheSameFiles(t *testing.T) {
	plain := newThrough(t, source())
	plain.lanes = 2
	plain.must(t)
	want := plain.files(t)
	if n := strings.Count(strings.Join(slices.Collect(maps.Values(want)), ""), "\n"); n != 53 {
		t.Fatalf("%d lines, want 53", n)
	}
	for op := 1; op <= plain.world.Ops(); op++ {
		p := newThrough(t, source())
		p.lanes, p.world.Mode, p.world.At = 2, pipelinetest.Crash, op
		_, crashed := p.run(t)
		if b, _ := p.store.Get("pass", "current"); !strings.Contains(string(b), `"Complete":true`) {
			if crashed == nil {
				t.Errorf("at %d: neither complete nor an error", op)
			}
			p.must(t)
		}
		if got := p.files(t); !maps.Equal(got, want) {
			t.Errorf("at %d: got %q, want %q", op, got, want)
		}
	}
}
