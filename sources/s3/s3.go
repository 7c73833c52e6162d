// Package s3 is the source that reads the objects of a bucket, in order of
// their keys. Pages are listed while objects flow: it holds one page at a time,
// whatever the bucket holds.
//
// Its lanes are ranges of keys, found by some requests when a pass is planned.
// Together they cover all keys there can be. An object that appears while a
// pass runs is taken if its key lies before none that its lane has listed
// already; else it waits for the next pass.
package s3

import (
	"context"
	"fmt"

	"sluice/internal/kind"
	"sluice/internal/objects"
	"sluice/pipeline"
)

// Config is the options of the source.
type Config struct {
	objects.Config `yaml:",inline"`
	Start          string `yaml:"start" default:"all" enum:"all|now" doc:"With mode: new, what the first pass takes: all objects, or only what is new from then on."`
	After          After  `yaml:"after" doc:"What becomes of an object when all of it is durable at the sink; what could not be had or was replaced meanwhile stays as it is."`
}

// Problems implements [kind.Source].
func (c *Config) Problems(env kind.Env) []kind.Problem {
	list := append(c.Config.Problems(), c.After.problems(c.Prefix)...)
	if c.Start == "now" && !env.New {
		list = append(list, kind.Problem{Option: "start", Message: "now is for mode: new, which goes on from there"})
	}
	return list
}

// Gives implements [kind.Source].
func (*Config) Gives() kind.Form { return kind.Bytes }

// Identity implements [kind.Source].
func (c *Config) Identity() string { return "s3 " + c.Place() }

// Build implements [kind.Source].
func (c *Config) Build(env kind.Env) (pipeline.Source, error) {
	return &Source{config: *c, news: env.New, every: env.Every}, nil
}

// Source gives each object as an item with a streaming body.
type Source struct {
	config Config
	news   bool // passes take what is new
	every  bool // passes are repeated
}

// page is about what a page of a listing takes while it is read.
const page = 3 << 20

// Need implements [pipeline.Sized].
func (s *Source) Need() (lane, shared int64) { return page + 2*objects.ConnSize, 0 }

// Open implements [pipeline.Source].
func (s *Source) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Reader, error) {
	client, err := s.config.Client(ctx, 2*p.Parallel)
	if err != nil {
		return nil, err
	}
	if err := client.Reach(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return &reader{s, client, p}, nil
}

// Check connects to the bucket and says what would be read, one finding a line.
func (s *Source) Check(ctx context.Context) ([]string, error) {
	client, err := s.config.Client(ctx, 1)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := client.Reach(ctx); err != nil {
		return nil, err
	}
	n, more, err := client.Count(ctx, s.config.Prefix)
	if err != nil {
		return nil, err
	}
	least := ""
	if more {
		least = "at least "
	}
	found := fmt.Sprintf("bucket %s: %s%d objects with prefix %q", s.config.Bucket, least, n, s.config.Prefix)
	findings, err := client.Findings(ctx)
	return append([]string{found}, findings...), err
}

// reader reads one pass. It implements [pipeline.Reader].
type reader struct {
	*Source
	client *objects.Client
	pass   *pipeline.Pass
}

// Saved implements [pipeline.Saver].
func (r *reader) Saved(ctx context.Context, _ pipeline.Lane, _ pipeline.Position) error {
	f := finisher{r.config.After, r.client, r.config.Bucket, r.pass.Store}
	return f.finish(ctx)
}

// Close implements [pipeline.Reader].
func (r *reader) Close() error {
	r.client.Close()
	return nil
}
