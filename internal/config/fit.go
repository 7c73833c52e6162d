package config

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sluice/internal/unit"
	"sluice/pipeline"
)

// depth is how many items may wait between two stages: enough that neither
// waits for the other at each item. Their blocks are in the stages' needs.
const depth = 2

// Fitted is a pipeline whose stages are built and whose lanes fit into memory.
type Fitted struct {
	Config  *Pipeline
	Lanes   int    // at a time; Config.Lanes or, if they do not fit, fewer
	Workers int    // of each CPU-bound stage, per lane
	Needs   []Need // in the order of the stages

	source pipeline.Source
	stages []pipeline.Stage
	sink   pipeline.Sink
}

// Need is the memory that a stage needs.
type Need struct {
	Stage  string     // source, the name of a transform, or sink
	Lane   unit.Bytes // for each lane
	Shared unit.Bytes // for all lanes together, beside that
}

// Links is what a pipeline is run with. It is not closed by the pipeline. Dead
// letters are set in the pipeline itself, whose counts may bound them.
type Links struct {
	Store pipeline.Store
	Log   *slog.Logger // nil: slog.Default
}

// Fit fits pipelines of the file into its memory, as the function Fit does. If
// the file does not say how much that is, it raises Memory to what one lane of
// each pipeline takes.
func (f *File) Fit(pipelines ...*Pipeline) ([]*Fitted, error) {
	fitted, err := Fit(f.Memory, pipelines...)
	if small := new(SmallError); f.grows && errors.As(err, &small) {
		f.Memory = small.Needed
		return Fit(f.Memory, pipelines...)
	}
	return fitted, err
}

// SmallError says that memory does not fit one lane of each pipeline.
type SmallError struct {
	Memory, Needed unit.Bytes
	pipelines      []string // what each needs
}

// Error implements error.
func (e *SmallError) Error() string {
	return fmt.Sprintf("memory: %v does not fit one lane: it takes at least %v: %s", e.Memory, e.Needed, strings.Join(e.pipelines, ", "))
}

// Fit builds pipelines that are to run side by side, and gives them lanes:
// first one to each, then one more to each in turn that wants more, as far as
// memory reaches. Rather than lanes, stages give up workers. If not even one
// lane of each fits, the error is a [*SmallError]. It does no
// input or output.
func Fit(memory unit.Bytes, pipelines ...*Pipeline) ([]*Fitted, error) {
	if fitted, all, err := fit(memory, pipelines, maxWorkers, false); all {
		return fitted, err
	}
	for workers := maxWorkers; ; workers-- {
		fitted, all, err := fit(memory, pipelines, workers, true)
		if all || workers == 1 {
			return fitted, err
		}
	}
}

// fit tries with a number of workers, and with frugal stages or others. all is
// true if every pipeline has the lanes it wants, or if trying again is of no use.
func fit(memory unit.Bytes, pipelines []*Pipeline, workers int, frugal bool) (out []*Fitted, all bool, err error) {
	for _, p := range pipelines {
		f, err := p.build(min(workers, p.env.Workers), frugal)
		if err != nil {
			return nil, true, err
		}
		out = append(out, f)
	}
	left := memory // for lanes; the program itself, its state and garbage are in the 60 MB beside it
	for _, f := range out {
		lane, shared := f.Need()
		left -= lane + shared
		f.Lanes = 1
	}
	if left < 0 {
		return nil, false, tooSmall(memory, memory-left, out)
	}
	for grown := true; grown; {
		grown, all = false, true
		for _, f := range out {
			if f.Lanes == f.Config.Lanes {
				continue
			}
			all = false
			if lane, _ := f.Need(); lane <= left {
				left -= lane
				f.Lanes++
				grown = true
			}
		}
	}
	return out, all, nil
}

// Need is the memory of one lane, and of all together beside that.
func (f *Fitted) Need() (lane, shared unit.Bytes) {
	for _, n := range f.Needs {
		lane += n.Lane
		shared += n.Shared
	}
	return lane, shared
}

// Wanted is the memory, in whole MiB, in which pipelines side by side have all
// the lanes that they want.
func Wanted(all []*Fitted) (sum unit.Bytes) {
	for _, f := range all {
		lane, shared := f.Need()
		sum += unit.Bytes(f.Config.Lanes)*lane + shared
	}
	return roundUp(sum)
}

func tooSmall(memory, needed unit.Bytes, fitted []*Fitted) error {
	var parts []string
	for _, f := range fitted {
		var needs []string
		for _, n := range f.Needs {
			needs = append(needs, fmt.Sprintf("%s %s", n.Stage, roundUp(n.Lane+n.Shared)))
		}
		lane, shared := f.Need()
		parts = append(parts, fmt.Sprintf("pipeline %s %s (%s)", f.Config.Name, roundUp(lane+shared), strings.Join(needs, ", ")))
	}
	return &SmallError{memory, roundUp(needed), parts}
}

// roundUp gives a size in whole MiB.
func roundUp(n unit.Bytes) unit.Bytes { return (n + 1<<20 - 1) >> 20 << 20 }

// build builds the stages and asks what they need.
func (p *Pipeline) build(workers int, frugal bool) (*Fitted, error) {
	f := &Fitted{Config: p, Workers: workers}
	env := p.env
	env.Workers, env.Frugal = workers, frugal
	var err error
	if f.source, err = p.Source.Options.Build(env); err != nil {
		return nil, fmt.Errorf("pipeline %s: source %s: %w", p.Name, p.Source.Kind, err)
	}
	f.needs("source", f.source)
	for _, t := range p.Transforms {
		built, err := t.Options.Build(env)
		if err != nil {
			return nil, fmt.Errorf("pipeline %s: transform %s: %w", p.Name, t.Name, err)
		}
		f.stages = append(f.stages, pipeline.Stage{Name: t.Name, Transform: built})
		f.needs(t.Name, built)
	}
	if f.sink, err = p.Sink.Options.Build(env); err != nil {
		return nil, fmt.Errorf("pipeline %s: sink %s: %w", p.Name, p.Sink.Kind, err)
	}
	f.needs("sink", f.sink)
	return f, nil
}

func (f *Fitted) needs(name string, stage any) {
	if s, ok := stage.(pipeline.Sized); ok {
		lane, shared := s.Need()
		f.Needs = append(f.Needs, Need{name, unit.Bytes(lane), unit.Bytes(shared)})
	}
}

// Pipeline gives the pipeline that runs.
func (f *Fitted) Pipeline(l Links) *pipeline.Pipeline {
	return &pipeline.Pipeline{
		Name: f.Config.Name, Log: l.Log, Store: l.Store,
		Source: f.source, Stages: f.stages, Sink: f.sink,
		GiveUp: f.Config.OnError == "dead_letter", New: f.Config.Mode == "new",
		Lanes: f.Lanes, Depth: depth, Grace: time.Duration(f.Config.Grace),
	}
}
