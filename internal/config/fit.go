package config

import (
	"log/slog"

	"sluice/internal/unit"
	"sluice/pipeline"
)

// Fitted is a pipeline whose stages are built and whose lanes fit into memory.
type Fitted struct {
	Config  *Pipeline
	Lanes   int    // at a time; Config.Lanes or, if they do not fit, fewer
	Workers int    // of each CPU-bound stage, per lane
	Needs   []Need // of one lane, in the order of the stages
}

// Need is the memory that a stage needs for each lane.
type Need struct {
	Stage string // source, the name of a transform, or sink
	Bytes unit.Bytes
}

// Links is what a pipeline is run with. It is not closed by the pipeline.
type Links struct {
	Store pipeline.Store
	Dead  pipeline.DeadLetters // nil if Config.DeadLetters is
	Log   *slog.Logger         // nil: slog.Default
}

// Fit builds pipelines that are to run side by side, and gives them lanes:
// first one to each, then one more to each in turn that wants more, as far as
// memory reaches. If not even one lane of each fits, the error says how much
// memory they need. It does no input or output.
func Fit(memory unit.Bytes, pipelines ...*Pipeline) ([]*Fitted, error) { panic("not yet") }

// Pipeline gives the pipeline that runs.
func (f *Fitted) Pipeline(l Links) *pipeline.Pipeline { panic("not yet") }
