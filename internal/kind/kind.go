// Package kind says what a kind of source, transform or sink is to the
// configuration: a struct of options that can check itself and build its stage.
//
// The options are the exported fields of the struct. Their tags are the only
// description of an option there is; the strict parser, the JSON schema, the
// annotated reference and the defaults are made from them:
//
//	yaml:"name"          the option's name; a nested struct is a mapping
//	doc:"One sentence."  what it means, for the schema and the reference
//	default:"8MiB"       its text when it is not given
//	enum:"a|b"           the only values it takes
//	required:"true"      it must be given
//	min:"1" max:"9"      bounds of an integer
//
// Field types: string, bool, int, int64, []string, unit.Bytes, unit.Duration,
// unit.Secret, *T of these (nil: not given), structs, and []struct. A
// unit.Secret named x may also be given as x_file, the path of a file that holds it.
package kind

import (
	"sluice/pipeline"
)

// Form is what the bodies between two stages hold.
type Form string

// The forms.
const (
	Records Form = "records" // blocks of whole NDJSON lines, in clear
	Bytes   Form = "bytes"   // anything else: objects as they are, compressed blocks
)

// Env is what a stage may know of the pipeline it is built for.
type Env struct {
	Pipeline  string // name of the pipeline
	Workers   int    // goroutines a CPU-bound stage may use per lane; at least 1
	MaxRecord int64  // longest record in bytes; a longer one is a dead letter or an error
	Every     bool   // the pipeline repeats its passes
	Transient bool   // the state lives no longer than the process (copy without --state)
}

// Problem is an option whose value cannot be used.
type Problem struct {
	Option  string // its path below the stage: "key", "roll.bytes"; "" for the stage itself
	Message string // what is wrong, and what to do
}

// Source is the options of a kind of source.
type Source interface {
	// Problems checks the values, each alone and against each other and env.
	Problems(env Env) []Problem
	// Gives is what its items hold.
	Gives() Form
	// Identity names what positions depend on, without secrets and tuning: a
	// state made under another identity is refused. It is shown to the user.
	Identity() string
	// Build makes the source. It does no input or output.
	Build(env Env) (pipeline.Source, error)
}

// Transform is the options of a kind of transform.
type Transform interface {
	Problems(env Env) []Problem
	// Form is what it gives when it is given in; a Problem if it cannot take that.
	Form(in Form) (Form, *Problem)
	// Identity as of a Source: what the bytes at the sink depend on.
	Identity() string
	Build(env Env) (pipeline.Transform, error)
}

// Sink is the options of a kind of sink.
type Sink interface {
	Problems(env Env) []Problem
	// Takes is nil if it can take in, else what is wrong and which stage is missing.
	Takes(in Form) *Problem
	Identity() string
	Build(env Env) (pipeline.Sink, error)
}

// Warner is options of a stage that can be something that a user may not have
// meant, though it is allowed.
type Warner interface {
	// Warnings says what, a sentence each. They are shown by check, and logged
	// when a run begins.
	Warnings() []string
}
