// Package config turns a configuration, a YAML file or the options of a
// command, into pipelines that can be run.
//
// It is strict: an unknown key, a wrong type or an impossible value is an
// error, and all errors are reported at once, each with its line and column,
// the source line and a caret. What an option is called, means and takes is
// said once, by the tags of the structs here and of the kinds of stages (see
// package kind); the decoder, the JSON schema and the reference are made of them.
package config

import (
	"os"
	"reflect"
	"strings"

	"sluice/internal/daemon"
	"sluice/internal/kind"
	"sluice/internal/letters"
	"sluice/internal/otlp"
	"sluice/internal/unit"
	"sluice/sinks"
	"sluice/sources"
	"sluice/transforms"
)

// Options is what a configuration is read with. The zero value is what a
// command wants.
type Options struct {
	Env       func(name string) (value string, ok bool) // for ${NAME}; nil: os.LookupEnv
	ReadFile  func(path string) ([]byte, error)         // for password_file and the like; nil: os.ReadFile
	Workers   int                                       // goroutines that CPU-bound stages may use in all; 0: one per processor
	Transient bool                                      // the state lives no longer than the process
	Kinds     Kinds                                     // nil maps: the kinds of Sluice
}

// Kinds are the kinds of stages by name.
type Kinds struct {
	Sources    map[string]func() kind.Source
	Transforms map[string]func() kind.Transform
	Sinks      map[string]func() kind.Sink
}

// File is a configuration that was found to be without errors.
type File struct {
	State     string       `yaml:"state" default:"./state" doc:"Directory of what pipelines know between runs, one file for each; relative to the working directory."`
	Memory    unit.Bytes   `yaml:"memory" default:"80MiB" min:"16MiB" doc:"Memory of the process: its resident size stays under this plus 60 MB. If it is not given, and pipelines that run side by side take more for one lane each: as much as that."`
	HTTP      string       `yaml:"http" doc:"Address of the status page, /api/v1, /metrics, /healthz and /readyz, such as 127.0.0.1:9600; there is none if it is not given."`
	HTTPToken unit.Secret  `yaml:"http_token" doc:"Who pauses, resumes or begins passes over http has to send it, as Authorization: Bearer TOKEN. Without it, only this machine can, and only if http is an address of its own such as 127.0.0.1."`
	OTLP      *otlp.Config `yaml:"otlp" doc:"Pushes metrics to a collector of OpenTelemetry, by OTLP over HTTP: for runs that end before anybody scrapes them."`
	Metrics   Metrics      `yaml:"metrics" doc:"What /metrics shows beside the metrics of Sluice."`
	Pipelines []*Pipeline  `yaml:"pipelines" required:"true" doc:"The pipelines, each below its name: lower case letters and digits, then also . _ and -, at most 64."` // in the order of the file

	grows bool // memory was not given
}

// Metrics are those by the names of other tools.
type Metrics struct {
	GitSync bool `yaml:"git_sync" doc:"Those of kubeckup's git-sync (git_sync_duration_seconds and the like), of pipelines with a git sink."`
}

// Pipeline is one pipeline of a configuration, checked but not yet built.
type Pipeline struct {
	Name        string          `yaml:"-"`
	Source      Source          `yaml:"source" required:"true" doc:"Where items come from; its one key names the kind."`
	Transforms  []Transform     `yaml:"transforms" doc:"What changes items on the way, in this order; the one key of each names its kind."`
	Sink        Sink            `yaml:"sink" required:"true" doc:"Where items go; its one key names the kind."`
	Of          Definition      `yaml:"sinks" doc:"In the place of sink: several, each below its name. Each makes a pipeline of its own, called PIPELINE-NAME, with its own state, pace and dead letters."` // what makes it; empty with sink
	DeadLetters *letters.Config `yaml:"dead_letters" doc:"Where records go that can never be delivered; without it they end the run."`
	Lanes       int             `yaml:"lanes" default:"4" min:"1" max:"256" doc:"Parts of a pass that move at the same time, as many of them as fit into memory."`
	Mode        string          `yaml:"mode" default:"full" enum:"full|new" doc:"Whether each pass takes everything, or what is new since the last complete one."`
	Every       unit.Duration   `yaml:"every" min:"1ms" doc:"Begins a new pass this long after the last one began; without it and cron the pipeline is complete after one."`
	Cron        string          `yaml:"cron" doc:"In the place of every: when passes begin, as minute, hour, day of month, month and day of week, such as 0 3 * * * for three each night."`
	TimeZone    string          `yaml:"time_zone" default:"UTC" doc:"Whose clocks cron goes by, such as Europe/Berlin."`
	Missed      string          `yaml:"missed" default:"run" enum:"run|skip" doc:"What becomes of passes that were due while another took longer, or sluice did not run: one is made at once for all of them, or none. One that was interrupted goes on either way."`
	Stall       unit.Duration   `yaml:"stall" default:"15m" doc:"How long a pass may get nowhere before a warning says where it hangs; 0 is never."`
	Hooks       []daemon.Hook   `yaml:"hooks" doc:"Who is told how a pass ended, with its report: programs and webhooks."`
	OnError     string          `yaml:"on_error" default:"stop" enum:"stop|dead_letter" doc:"What becomes of an object that cannot be had: the lane ends with an error, or it is a dead letter."`
	MaxRecord   unit.Bytes      `yaml:"max_record" default:"8MiB" min:"1MiB" doc:"Longest record, at most a quarter of memory; a longer one is a dead letter."`
	Grace       unit.Duration   `yaml:"grace" default:"8s" doc:"Time to deliver what has been read when the run is stopped."`
	Line        int             `yaml:"-"` // of its name in the file; 0 without a file
	Schedule    daemon.Schedule `yaml:"-"` // what every or cron say; nil: neither

	env kind.Env
}

// Source, Transform and Sink are the stages of a pipeline.
type (
	Source    = Stage[kind.Source]
	Transform = Stage[kind.Transform]
	Sink      = Stage[kind.Sink]
)

// Stage is one stage: its kind and the options of that kind.
type Stage[K any] struct {
	Kind    string // such as s3
	Name    string // unique among the transforms of the pipeline: lines, lines-2
	Options K

	at   place // of the name of the kind
	spot spot
}

// Parse reads a configuration file. name is what errors call it. The error is
// an [Errors], which names everything that is wrong.
func Parse(name string, text []byte, opts Options) (*File, error) {
	plain := strings.TrimPrefix(string(text), "\ufeff")
	src := newSource(name, plain)
	root, errs := parse(src, plain)
	return decode(src, root, errs, opts)
}

// decode makes a configuration of what was parsed.
func decode(src *source, root *node, errs []Error, opts Options) (*File, error) {
	if root == nil {
		return nil, src.finish(errs)
	}
	d := &decoder{Options: opts.orDefaults(), src: src, errs: errs, places: map[string]place{}, failed: map[string]bool{}}
	f := &File{}
	d.group(root, reflect.ValueOf(f).Elem(), spot{})
	d.check(f)
	if len(d.errs) > 0 {
		return nil, src.finish(d.errs)
	}
	return f, nil
}

func (o Options) orDefaults() Options {
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	if o.Kinds.Sources == nil && o.Kinds.Sinks == nil {
		o.Kinds = Kinds{sources.Kinds, transforms.Kinds, sinks.Kinds}
	}
	return o
}
