// Package s3 is the source that reads the objects of a bucket, in order of
// their keys. Pages are listed while objects flow: it holds one page at a time,
// whatever the bucket holds.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"sluice/internal/keys"
	"sluice/internal/kind"
	"sluice/internal/objects"
	"sluice/pipeline"
)

// Config is the options of the source.
type Config struct {
	objects.Config `yaml:",inline"`
	Start          string `yaml:"start" default:"all" enum:"all|now" doc:"With mode: new, what the first pass takes: all objects, or only what is new from then on."`
}

// Problems implements [kind.Source].
func (c *Config) Problems(kind.Env) []kind.Problem { return c.Config.Problems() }

// Gives implements [kind.Source].
func (*Config) Gives() kind.Form { return kind.Bytes }

// Identity implements [kind.Source].
func (c *Config) Identity() string { return "s3 " + c.Place() }

// Build implements [kind.Source].
func (c *Config) Build(env kind.Env) (pipeline.Source, error) {
	return &Source{config: *c, news: env.New, every: env.Every}, nil
}

// Source gives each object as an item with a streaming body. Its lanes share
// out the keys by hash; each lists all of them, which costs a request for 1,000
// keys. Objects that appear behind the place where a lane is wait for the next
// pass.
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
	return []string{fmt.Sprintf("bucket %s: %s%d objects with prefix %q", s.config.Bucket, least, n, s.config.Prefix)}, nil
}

// reader reads one pass. It implements [pipeline.Reader].
type reader struct {
	*Source
	client *objects.Client
	pass   *pipeline.Pass
}

// Plan implements [pipeline.Reader]. The end of a lane is that of the listing.
func (r *reader) Plan(context.Context) ([]pipeline.Lane, error) {
	lanes := make([]pipeline.Lane, max(1, r.pass.Parallel))
	for i := range lanes {
		lanes[i] = pipeline.Lane{
			Name: fmt.Sprintf("%s-%d", r.config.Bucket, i), Part: i, Parts: len(lanes),
			ID: fmt.Sprintf("%s %d/%d", r.config.Place(), i, len(lanes)),
		}
		if r.news {
			lanes[i].ID = newID(lanes[i].ID, r.pass.Number)
		}
	}
	return lanes, nil
}

// Read implements [pipeline.Reader]. The token of a position is the last key
// before it.
func (r *reader) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	after := from.Token
	if from.Inner != "" {
		after = from.Key
		if err := r.first(ctx, from.Key, out); err != nil {
			return err
		}
	}
	list := func(f func(objects.Object) error) error {
		return r.client.List(ctx, r.config.Prefix, after, func(o objects.Object) error {
			if keys.Part(o.Key, lane.Parts) != lane.Part {
				return nil
			}
			return f(o)
		})
	}
	if r.news {
		return r.readNew(ctx, after, "", list, out)
	}
	return list(func(o objects.Object) error { return pipeline.Send(ctx, out, r.item(o)) })
}

// first sends the object in which the lane goes on, as it is now. If there is
// none any more, the frame sees that another item comes, or nothing.
func (r *reader) first(ctx context.Context, key string, out chan<- *pipeline.Item) error {
	info, err := r.client.Head(ctx, key)
	if errors.Is(err, objects.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	it := r.item(info.Object)
	if r.news {
		it.Notes = append(it.Notes, known(info.Object))
	}
	return pipeline.Send(ctx, out, it)
}

func (r *reader) wanted(objects.Object) bool { return true }

// item makes an item of an object. What only looks like a directory in the
// consoles of stores holds nothing: it is counted as skipped.
func (r *reader) item(o objects.Object) *pipeline.Item {
	it := &pipeline.Item{Key: o.Key, Version: version(o), Pos: pipeline.Position{Token: o.Key}, Size: o.Size, Records: -1}
	if o.Size == 0 && strings.HasSuffix(o.Key, "/") {
		it.Records, it.Counts.Skipped = 0, 1
		return it
	}
	it.Meta = &pipeline.Meta{Modified: o.Modified}
	it.Body = body{r.client, o}
	return it
}

// version names the bytes of an object. Few stores give no ETag.
func version(o objects.Object) string {
	if o.ETag != "" {
		return o.ETag
	}
	return fmt.Sprintf("%d-%d", o.Size, o.Modified.Unix())
}

// Close implements [pipeline.Reader].
func (r *reader) Close() error {
	r.client.Close()
	return nil
}

// body is the bytes of an object. It can be entered at any byte.
type body struct {
	client *objects.Client
	object objects.Object
}

// Open implements [pipeline.Body].
func (b body) Open(ctx context.Context) (io.ReadCloser, error) { return b.get(ctx, 0) }

// OpenFrom implements [pipeline.OpenFrom]. A mark is the number of the byte.
func (b body) OpenFrom(ctx context.Context, mark string) (io.ReadCloser, error) {
	off, err := strconv.ParseInt(mark, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("mark: %w", err)
	}
	return b.get(ctx, off)
}

func (b body) get(ctx context.Context, off int64) (io.ReadCloser, error) {
	r, err := b.client.Get(ctx, b.object, off)
	if err != nil {
		return nil, err // not a nil *Reader in the interface
	}
	return r, nil
}
