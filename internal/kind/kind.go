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
//	file:"true"          it may also be given as name_file, the path of a file that holds it
//
// Field types: string, bool, int, int64, []string, unit.Bytes, unit.Duration, unit.Share,
// unit.Secret, *T of these (nil: not given), structs, and []struct. A
// unit.Secret named x may also be given as x_file, the path of a file that holds it.
package kind

import (
	"context"

	"sluice/pipeline"
)

// Form is what the bodies between two stages hold.
type Form string

// The forms.
const (
	Records Form = "records" // blocks of whole NDJSON lines, in clear
	Bytes   Form = "bytes"   // anything else: objects as they are, compressed blocks

	// Metadata is whole documents about records, in lanes that are aside (see
	// [pipeline.Lane]): no transform is asked about them.
	Metadata Form = "metadata"
)

// Env is what a stage may know of the pipeline it is built for.
type Env struct {
	Pipeline  string // name of the pipeline
	Workers   int    // goroutines a CPU-bound stage may use per lane; at least 1
	MaxRecord int64  // longest record in bytes; a longer one is a dead letter or an error
	Every     bool   // the pipeline repeats its passes
	New       bool   // passes take what is new since the last complete one
	Repeats   bool   // items of the source may share a key: they differ in their versions
	Versions  bool   // the sink orders the writes to one _id by the _version of records
	Target    Lister // the sink, if it is one
	Lanes     int    // that the pipeline wants at a time; fewer run if memory has no room for them
	Scattered bool   // lanes of the source may hold records of one document
	Frugal    bool   // memory is short: what a stage takes of it by default is the least that is of use
	Selects   bool   // the sink opens few of the items, and several at a time: what it has not opened is not fetched
	Makes     bool   // the sink makes indices of metadata: a source that can find some gives it
	Moves     string // the first transform that is a Mover
	Scratch   string // directory for files that are worth nothing to another process; it need not be there
	Transient bool   // the state lives no longer than the process (copy without --state)

	Source     string       // identity of the source
	Transforms string       // identities of the transforms, in order: what the bytes at the sink depend on
	DryRun     func(Change) // nil: a real run; else nothing is changed, and this is told what would be, from several goroutines
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
	// Gives is what its items hold; Metadata if it gives nothing else.
	Gives() Form
	// Identity names what positions depend on, without secrets and tuning: a
	// state made under another identity is refused. It is shown to the user.
	Identity() string
	// Build makes the source. It does no input or output.
	Build(env Env) (pipeline.Source, error)
}

// News is a Source whose passes can take what is new since the last complete one.
type News interface{ News() }

// Sole is a Source that only one pipeline can read as it is configured: it
// loses what was delivered, or others would not see what one has taken.
type Sole interface {
	// Sole says of each option by which it is so why, and what to do; nil: any
	// number of pipelines can read it.
	Sole() []Problem
}

// Repeater is a Source that can say that its items may share a key, and then
// differ in their versions.
type Repeater interface{ Repeats() bool }

// Scatterer is a Source that can say that records of one document, in several
// indices if the sink merges them, may be in lanes that are read side by side.
type Scatterer interface{ Scatters(merged bool) bool }

// Versioned is a Sink that can say that it orders the writes to one _id by the
// _version of records.
type Versioned interface{ Versioned() bool }

// Lister is a Sink that takes deletes (see [pipeline.Item]) and can say which
// documents its target holds, so that those are found which no longer exist at
// the source.
type Lister interface {
	// Target names what the records of an index are written to. If it is the
	// same for several indices, a document of the target may be of any of them.
	Target(index string) string
	// List calls yield for each document of the target of an index, in any order,
	// and of some more than once. It gives all that searches of the target find,
	// or an error; a target that does not exist has none. The slices are valid
	// during the call; routing is empty if there is none. An error of yield
	// ends it.
	List(ctx context.Context, index string, yield func(id, routing []byte, version int64) error) error
}

// Maker is a Sink that can say that it makes indices of metadata.
type Maker interface{ Makes() bool }

// Selective is a Sink that can say that it opens few of the items, and several
// at a time.
type Selective interface{ Selects() bool }

// Describer is a Source that can say that it gives metadata beside its items:
// the sink is then asked whether it takes that too.
type Describer interface{ Describes() bool }

// Transform is the options of a kind of transform.
type Transform interface {
	Problems(env Env) []Problem
	// Form is what it gives when it is given in; a Problem if it cannot take that.
	Form(in Form) (Form, *Problem)
	// Identity as of a Source: what the bytes at the sink depend on.
	Identity() string
	Build(env Env) (pipeline.Transform, error)
}

// Editor is a Transform that changes records one by one.
type Editor interface {
	Transform
	// Edit makes what does it. It does no input or output.
	Edit(env Env) (pipeline.Edit, error)
}

// Mover is a Transform behind which a record may be of another document than
// before: its index or _id is another.
type Mover interface{ Moves() }

// Sink is the options of a kind of sink.
type Sink interface {
	Problems(env Env) []Problem
	// Takes is nil if it can take in, else what is wrong and which stage is missing.
	Takes(in Form) *Problem
	Identity() string
	Build(env Env) (pipeline.Sink, error)
}

// Filed is a group of options that wants to know from which files options of
// its own were taken, because it reads them again while it runs.
type Filed interface {
	// FromFile says that an option, as its tag calls it, was read from a file.
	FromFile(option, path string)
}

// Noter is a Source that says what its passes leave out as they are configured,
// a sentence each, for check and the report.
type Noter interface{ Notes(env Env) []string }

// Replayer is a Sink to which records can be sent again, long after others of
// their pass.
type Replayer interface {
	// Replay says that all records are such ones. The sink then does nothing to
	// its target but write them, and unless replace is set it writes over no
	// document of which it cannot tell that it is older: such a record is a dead
	// letter again.
	Replay(replace bool)
}

// Warner is options of a stage that can be something that a user may not have
// meant, though it is allowed.
type Warner interface {
	// Warnings says what, a sentence each. They are shown by check, and logged
	// when a run begins.
	Warnings() []string
}
