// Package s3 is the sink that writes objects to a bucket: one object per item,
// or the items of a lane rolled into objects (see package roll).
//
// # Commit
//
// An object becomes visible in one step, by one request: a PUT, or the
// completion of an upload in parts. Objects carry in their metadata who made
// them, and of what ([roll.Owner]). Before it writes, the sink looks whether
// there is an object under the key and whether it may be replaced; if there is
// none, the commit is conditional, so that nobody else's object is replaced
// that appears meanwhile. When the reply to a commit is lost, the request is
// made again, and what is found under the key then is ours or not by its
// metadata and size.
//
// # Uploads
//
// The id of an upload is in the Store before its first part. What a run that
// was killed left behind is aborted by the next one. A run that is killed in
// the instant between the store's reply and the Put leaves an upload that
// nobody knows; a lifecycle rule AbortIncompleteMultipartUpload removes those.
package s3

import (
	"context"
	"fmt"
	"strings"

	"sluice/internal/keys"
	"sluice/internal/kind"
	"sluice/internal/objects"
	"sluice/internal/roll"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Config is the options of the sink.
type Config struct {
	objects.Config `yaml:",inline"`

	Key         string       `yaml:"key" default:"{key}" doc:"Key of each object below prefix, with the fields {index} {lane} {sequence} {pass} {date:2006/01/02} {key} {stem} {ext}; with {sequence}, an object holds several items."`
	Roll        roll.Options `yaml:"roll" doc:"When an object ends, if its key has {sequence}: at the first of these."`
	Part        unit.Bytes   `yaml:"part" default:"5MiB" doc:"Size of the parts in which objects are uploaded that are not smaller. Each lane holds one in memory, and two of them another that is sent. An object has at most 10,000."`
	Overwrite   string       `yaml:"overwrite" default:"own" enum:"own|never|always" doc:"Which existing objects are replaced: those that this pipeline made of the same, none but of this very pass after a crash, or any."`
	ContentType string       `yaml:"content_type" doc:"Content type of the objects; if it is not given, that of the item, or what the store makes of it."`
}

// Problems implements [kind.Sink].
func (c *Config) Problems(env kind.Env) []kind.Problem {
	list := c.Config.Problems()
	if strings.ContainsAny(c.Prefix, "{}") {
		list = append(list, kind.Problem{Option: "prefix", Message: "fields belong into key; the prefix is taken as it is"})
	}
	if least, most, _ := c.PartBounds(); int64(c.Part) < least || int64(c.Part) > most {
		list = append(list, kind.Problem{Option: "part", Message: fmt.Sprintf("parts have from %s to %s", unit.Bytes(least), unit.Bytes(most))})
	}
	t, err := c.template()
	if err != nil {
		return append(list, kind.Problem{Option: "key", Message: err.Error()})
	}
	return append(append(list, t.Problems(env)...), c.Roll.Problems(t)...)
}

func (c *Config) template() (*keys.Template, error) {
	return keys.Parse(c.Prefix+c.Key, keys.Objects)
}

// Takes implements [kind.Sink].
func (c *Config) Takes(in kind.Form) *kind.Problem {
	t, err := c.template()
	if err != nil || in != kind.Records || t.Rolled() {
		return nil // a key that cannot be parsed is reported by Problems
	}
	return &kind.Problem{Option: "key", Message: "records come in blocks without keys of their own: put {sequence} into the key, as in {index}/{lane}-{sequence}.json"}
}

// Identity implements [kind.Sink].
func (c *Config) Identity() string { return "s3 " + c.Place() + c.Key }

// Build implements [kind.Sink].
func (c *Config) Build(kind.Env) (pipeline.Sink, error) {
	t, err := c.template()
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return &Sink{config: *c, key: t}, nil
}

// Sink writes objects.
type Sink struct {
	config Config
	key    *keys.Template
	lanes  int    // that parts are for
	parts  *parts // of one pass after the other
}

// Need implements [pipeline.Sized]: a part, and the spare ones.
func (s *Sink) Need() (lane, shared int64) {
	return int64(s.config.Part) + roll.Need + 2*objects.ConnSize, spares * int64(s.config.Part)
}

// Open implements [pipeline.Sink].
func (s *Sink) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Writer, error) {
	client, err := s.config.Client(ctx, 2*p.Parallel)
	if err != nil {
		return nil, err
	}
	w, err := s.open(ctx, p, client)
	if err != nil {
		client.Close()
		return nil, err
	}
	return w, nil
}

func (s *Sink) open(ctx context.Context, p *pipeline.Pass, client *objects.Client) (*writer, error) {
	if err := client.Reach(ctx); err != nil {
		return nil, err
	}
	if s.parts == nil || s.lanes != p.Parallel {
		s.parts, s.lanes = newParts(int(s.config.Part), p.Parallel), p.Parallel
	}
	t := &target{
		client: client, store: p.Store, overwrite: s.config.Overwrite, contentType: s.config.ContentType,
		parts: s.parts,
	}
	if err := t.abortLeft(ctx); err != nil {
		return nil, err
	}
	w, err := roll.New(p, s.key, s.config.Roll, t)
	if err != nil {
		return nil, err
	}
	return &writer{w, client}, nil
}

// Check connects to the bucket and says where objects would go. If it is not
// known whether the store honours conditions, it writes an object there to try
// that, and removes it again.
func (s *Sink) Check(ctx context.Context) ([]string, error) {
	client, err := s.config.Client(ctx, 1)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := client.Reach(ctx); err != nil {
		return nil, err
	}
	if _, err := client.Conditional(ctx, s.config.Prefix+probeName); err != nil {
		return nil, err
	}
	findings, err := client.Findings(ctx)
	return append([]string{fmt.Sprintf("bucket %s: objects go to %s", s.config.Bucket, s.key)}, findings...), err
}

// probeName is what the name of an object begins with by which a store is tried.
const probeName = "sluice-probe"

// writer writes one pass.
type writer struct {
	*roll.Writer
	client *objects.Client
}

// Finish implements [pipeline.Writer]. All is done already.
func (*writer) Finish(context.Context) error { return nil }

// Close implements [pipeline.Writer].
func (w *writer) Close() error {
	w.client.Close()
	return nil
}
