package letters

import (
	"context"
	"fmt"
	"path/filepath"

	"sluice/internal/kind"
	"sluice/internal/objects"
	"sluice/internal/search"
	"sluice/internal/unit"
)

// Config says where dead letters go, and how many a run may have.
type Config struct {
	File     *File       `yaml:"file" doc:"Keeps dead letters in files, one NDJSON line each."`
	S3       *S3         `yaml:"s3" doc:"Keeps dead letters in objects, one NDJSON line each."`
	Search   *Search     `yaml:"search" doc:"Keeps dead letters in an index of Elasticsearch or OpenSearch, one document each."`
	Max      int64       `yaml:"max" min:"1" doc:"The most dead letters of a pass; one more ends the run. Without it, any number."`
	MaxRatio *unit.Share `yaml:"max_ratio" doc:"The most dead letters among the records of a window, as a percentage; more of them end the run. Without it, any share."`
	Window   int64       `yaml:"window" default:"1000" min:"1" doc:"Records after which max_ratio is looked at, and then again after as many; it is done when the state is saved, at most once a second."`
}

// File is the options of dead letters in files.
type File struct {
	Path string `yaml:"path" required:"true" doc:"Directory of the dead letters."`
}

// S3 is the options of dead letters in objects: PREFIX PIPELINE/PASS/….ndjson.
type S3 struct{ objects.Config }

// Search is the options of dead letters in an index.
type Search struct {
	search.Config
	Index string `yaml:"index" required:"true" doc:"Index of the dead letters, also of several pipelines; it is made if there is none."`
}

// Problems checks the options.
func (c *Config) Problems() (list []kind.Problem) {
	add := func(below string, problems []kind.Problem) {
		for _, p := range problems {
			p.Option = below + "." + p.Option
			list = append(list, p)
		}
	}
	places := 0
	if c.File != nil {
		places++
	}
	if c.S3 != nil {
		places++
		add("s3", c.S3.Problems())
	}
	if c.Search != nil {
		places++
		add("search", c.Search.Problems())
	}
	if places != 1 {
		list = append(list, kind.Problem{Message: "one place for them is expected here: file, s3 or search"})
	}
	if c.MaxRatio != nil && *c.MaxRatio >= 0 {
		list = append(list, kind.Problem{Option: "max_ratio", Message: fmt.Sprintf("%v is no percentage; write it as 10%%, and a number of dead letters as max", *c.MaxRatio)})
	}
	return list
}

// Open opens the place for the letters of a pipeline, and makes it if there is
// none. The writer is to be closed.
func (c *Config) Open(ctx context.Context, pipelineName string) (*Writer, error) {
	switch {
	case c.S3 != nil:
		return openObjects(ctx, c.S3, pipelineName)
	case c.Search != nil:
		return openIndex(ctx, c.Search, pipelineName)
	}
	return Open(c.File.Path, pipelineName)
}

// Place names where the letters of a pipeline are, for people.
func (c *Config) Place(pipelineName string) string {
	switch {
	case c.S3 != nil:
		return "s3://" + c.S3.Bucket + "/" + c.S3.Prefix + pipelineName + "/"
	case c.Search != nil:
		return c.Search.Endpoint() + "/" + c.Search.Index
	}
	return filepath.Join(c.File.Path, pipelineName)
}

// read gives what was kept of a pipeline, in the order in which it was put as
// far as that is known: each letter as a line, valid during the call.
func (c *Config) read(ctx context.Context, pipelineName string, yield func(line []byte) error) error {
	switch {
	case c.S3 != nil:
		return readObjects(ctx, c.S3, pipelineName, yield)
	case c.Search != nil:
		return readIndex(ctx, c.Search, pipelineName, yield)
	}
	dir, err := directory(c.File.Path, pipelineName)
	if err != nil {
		return err
	}
	return readFiles(ctx, dir, yield)
}
