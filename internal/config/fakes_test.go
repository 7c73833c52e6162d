package config_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice/internal/config"
	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// The kinds of these tests: they look like those of Sluice and move nothing.

var fakes = config.Kinds{
	Sources: map[string]func() kind.Source{
		"generate":   func() kind.Source { return new(generate) },
		"opensearch": func() kind.Source { return new(search) },
		"s3":         func() kind.Source { return new(bucket) },
	},
	Transforms: map[string]func() kind.Transform{
		"decompress": func() kind.Transform { return new(decompress) },
		"gzip":       func() kind.Transform { return new(gzip) },
		"lines":      func() kind.Transform { return new(lines) },
	},
	Sinks: map[string]func() kind.Sink{
		"file":       func() kind.Sink { return new(file) },
		"opensearch": func() kind.Sink { return new(searchSink) },
		"s3":         func() kind.Sink { return new(bucketSink) },
	},
}

// nothing is a stage that says what it needs and what it was built with.
type nothing struct {
	kind   string
	need   int64 // of a lane
	shared int64
	env    kind.Env
}

func (n nothing) Need() (lane, shared int64) { return n.need, n.shared }

func (n nothing) Run(context.Context, <-chan *pipeline.Item, chan<- *pipeline.Item) error { return nil }

type (
	noSource struct{ nothing }
	noSink   struct{ nothing }
)

func (noSource) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return nil, nil }
func (noSink) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error)   { return nil, nil }

type generate struct {
	Records int64      `yaml:"records" default:"1000" min:"1" max:"1000000" doc:"How many records there are."`
	Bytes   unit.Bytes `yaml:"bytes" default:"700" doc:"Size of each."`
}

func (*generate) Problems(kind.Env) []kind.Problem { return nil }
func (*generate) Gives() kind.Form                 { return kind.Records }
func (g *generate) Identity() string               { return fmt.Sprintf("%d of %v", g.Records, g.Bytes) }
func (g *generate) Build(env kind.Env) (pipeline.Source, error) {
	return noSource{nothing{"generate", 2 << 20, 0, env}}, nil
}

type cluster struct {
	URL      []string    `yaml:"url" required:"true" doc:"Address of the cluster, or a list of them."`
	Username string      `yaml:"username" doc:"User of basic authentication."`
	Password unit.Secret `yaml:"password" doc:"Password of that user."`
	TLS      struct {
		CA       string `yaml:"ca" doc:"File with certificates."`
		Insecure bool   `yaml:"insecure" doc:"Do not check."`
	} `yaml:"tls" doc:"How both ends prove who they are."`
}

type search struct {
	cluster `yaml:",inline"`
	Index   string        `yaml:"index" required:"true" doc:"Name or pattern of what is read."`
	Query   string        `yaml:"query" file:"true" doc:"Which documents."`
	Page    *int          `yaml:"page" min:"1" max:"10000" doc:"Hits in a page."`
	Wait    unit.Duration `yaml:"wait" default:"5m" min:"1s" doc:"Time to try again."`
	Take    []string      `yaml:"take" default:"data" enum:"data|indices" doc:"What to read."`
}

func (s *search) Problems(kind.Env) []kind.Problem {
	if s.Username != "" && s.Password == "" {
		return []kind.Problem{{Option: "username", Message: "a password belongs to it"}}
	}
	return nil
}
func (s *search) Gives() kind.Form {
	if slices.Contains(s.Take, "data") {
		return kind.Records
	}
	return kind.Metadata
}
func (s *search) Describes() bool  { return slices.Contains(s.Take, "indices") }
func (s *search) Identity() string { return strings.Join(s.URL, ",") + "/" + s.Index }
func (s *search) Build(env kind.Env) (pipeline.Source, error) {
	return noSource{nothing{"opensearch", 8 << 20, 0, env}}, nil
}

type bucket struct {
	Bucket    string      `yaml:"bucket" required:"true" doc:"Name of the bucket."`
	SecretKey unit.Secret `yaml:"secret_key" doc:"Secret of the access key."`
}

func (*bucket) Problems(kind.Env) []kind.Problem { return nil }
func (*bucket) Gives() kind.Form                 { return kind.Bytes }
func (b *bucket) Identity() string               { return b.Bucket }
func (*bucket) Scatters(bool) bool               { return true }
func (b *bucket) Build(env kind.Env) (pipeline.Source, error) {
	return noSource{nothing{"s3", 1 << 20, 0, env}}, nil
}

type gzip struct {
	Level int `yaml:"level" default:"1" min:"1" max:"9" doc:"From fast to small."`
}

func (*gzip) Problems(kind.Env) []kind.Problem          { return nil }
func (*gzip) Form(kind.Form) (kind.Form, *kind.Problem) { return kind.Bytes, nil }
func (g *gzip) Identity() string                        { return fmt.Sprint("level ", g.Level) }
func (g *gzip) Build(env kind.Env) (pipeline.Transform, error) {
	return nothing{"gzip", int64(env.Workers) * (2 << 20), 8 << 20, env}, nil
}

type decompress struct{}

func (*decompress) Problems(kind.Env) []kind.Problem { return nil }
func (*decompress) Form(in kind.Form) (kind.Form, *kind.Problem) {
	if in == kind.Records {
		return "", &kind.Problem{Message: "records are in clear already; leave this stage out"}
	}
	return kind.Bytes, nil
}
func (*decompress) Identity() string { return "" }
func (*decompress) Build(env kind.Env) (pipeline.Transform, error) {
	return nothing{"decompress", 0, 0, env}, nil
}

type lines struct{}

func (*lines) Problems(kind.Env) []kind.Problem          { return nil }
func (*lines) Form(kind.Form) (kind.Form, *kind.Problem) { return kind.Records, nil }
func (*lines) Identity() string                          { return "" }
func (*lines) Build(env kind.Env) (pipeline.Transform, error) {
	return nothing{"lines", env.MaxRecord + 4<<20, 0, env}, nil
}

type file struct {
	Path string `yaml:"path" required:"true" doc:"Directory of the files."`
	Key  string `yaml:"key" default:"{key}" doc:"Names of the files."`
}

func (*file) Problems(kind.Env) []kind.Problem { return nil }
func (*file) Takes(kind.Form) *kind.Problem    { return nil }
func (f *file) Identity() string               { return f.Path + " " + f.Key }
func (f *file) Build(env kind.Env) (pipeline.Sink, error) {
	return noSink{nothing{"file", 1 << 20, 0, env}}, nil
}

type bucketSink struct {
	bucket    `yaml:",inline"`
	Key       string `yaml:"key" required:"true" doc:"Names of the objects."`
	Overwrite string `yaml:"overwrite" default:"own" enum:"own|never|always" doc:"What becomes of objects that exist."`
	Roll      struct {
		Bytes   unit.Bytes `yaml:"bytes" default:"64MiB" min:"1MiB" doc:"Size at which an object ends."`
		Records int64      `yaml:"records" min:"0" doc:"Records at which it ends."`
	} `yaml:"roll" doc:"When an object ends."`
	Part unit.Bytes `yaml:"part" default:"8MiB" doc:"Size of parts."`
}

func (b *bucketSink) Problems(kind.Env) (out []kind.Problem) {
	if !strings.Contains(b.Key, "{lane}") {
		out = append(out, kind.Problem{Option: "key", Message: "two lanes would write the same key; it needs {lane}"})
	}
	if b.Part > b.Roll.Bytes {
		out = append(out, kind.Problem{Option: "roll.bytes", Message: "it is less than part"})
	}
	return out
}
func (*bucketSink) Takes(kind.Form) *kind.Problem { return nil }
func (b *bucketSink) Build(env kind.Env) (pipeline.Sink, error) {
	return noSink{nothing{"s3", int64(b.Part) * 2, 0, env}}, nil
}

type searchSink struct {
	cluster `yaml:",inline"`
}

func (*searchSink) Problems(kind.Env) []kind.Problem { return nil }
func (*searchSink) Takes(in kind.Form) *kind.Problem {
	if in == kind.Metadata {
		return &kind.Problem{Message: "it takes no metadata"}
	}
	if in != kind.Records {
		return &kind.Problem{Message: "it takes records, and gets bytes; put lines before it"}
	}
	return nil
}
func (s *searchSink) Identity() string { return strings.Join(s.URL, ",") }
func (s *searchSink) Build(env kind.Env) (pipeline.Sink, error) {
	if env.Frugal {
		return noSink{nothing{"opensearch", 10 << 20, 0, env}}, nil
	}
	return noSink{nothing{"opensearch", 20 << 20, 0, env}}, nil
}
