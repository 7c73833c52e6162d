// Package s3 is the sink that writes objects to a bucket: one object per item,
// or the items of a lane rolled into objects (see package roll).
//
// # Commit
//
// An object becomes visible in one step, by one request: a PUT, the completion
// of an upload in parts, or a copy on the server. Objects carry in their
// metadata who made them, and of what ([roll.Owner]).
//
// A store that honours If-None-Match is told to make an object only if there is
// none; one request for each object then suffices. If it answers that there is
// one, the sink looks whose it is, and either replaces that one and no other
// (If-Match), or fails. Whether a store honours it is tried once, and kept in
// the Store. One that does not is asked before each object whether there is one;
// of two writers that write a key at the same time, the last one wins there,
// and a warning says so.
//
// When the reply to a commit is lost, the request is made again, and what is
// found under the key then is ours or not by its metadata and size.
//
// # Many small objects
//
// Objects of single items that are not larger than 256 KiB are sent while the
// next ones are read, up to 16 of a lane at a time; a larger one that fits into
// a part is, if there is a spare part.
//
// # Objects of other buckets
//
// An item whose bytes are an object as it is (no transform has touched them)
// keeps what that object has beside its bytes: content type and encoding, cache
// control, disposition, language, user metadata, and tags. Options that say
// otherwise go first, Sluice's own metadata is added. If both ends are one store,
// the store copies it, exactly the version that was listed; if it refuses, the
// bytes go through Sluice.
//
// # Uploads
//
// That an upload is to begin is in the Store before it is asked for, and its id
// before its first part. What a run that was killed left behind is aborted by
// the next one: uploads whose id is known, and of those whose reply was lost, or
// came too late for the Store, each that is of the very key, has no part, and
// was begun since then. All others stay, because nothing that can be listed of
// an upload says whose it is: check counts them, and a lifecycle rule
// AbortIncompleteMultipartUpload removes them.
package s3

import (
	"fmt"
	"strings"
	"time"

	"sluice/internal/keys"
	"sluice/internal/kind"
	"sluice/internal/mirror"
	"sluice/internal/objects"
	"sluice/internal/roll"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Config is the options of the sink.
type Config struct {
	objects.Config `yaml:",inline"`

	Key        string       `yaml:"key" default:"{key}" doc:"Key of each object below prefix, with the fields {index} {lane} {sequence} {pass} {date:2006/01/02} {key} {stem} {ext} {version}; with {sequence}, an object holds several items."`
	Roll       roll.Options `yaml:"roll" doc:"When an object ends, if its key has {sequence}: at the first of these."`
	Part       unit.Bytes   `yaml:"part" default:"5MiB" doc:"Size of the parts in which objects are uploaded that are not smaller. Each lane holds one in memory, and two of them another that is sent. An object has at most 10,000."`
	Manifest   string       `yaml:"manifest" doc:"Key below prefix of an object that says, for each pass, which objects it has made, with their bytes, records and checksums; with the fields {pass} and {date:2006/01/02}, and _manifest.ndjson at its end. It is written last. If it is not given, there is none."`
	Overwrite  string       `yaml:"overwrite" default:"own" enum:"own|never|always" doc:"Which existing objects are replaced: those that this pipeline made of the same, none but of this very pass after a crash, or any."`
	Preserve   bool         `yaml:"preserve" default:"true" doc:"An object of a bucket that no transform has touched keeps its content type, user metadata, tags, cache control and the like, where the options below do not say otherwise."`
	Properties `yaml:",inline"`
	mirror.Options
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
	list = append(list, c.Properties.problems(time.Now())...)
	if c.Manifest != "" {
		if _, err := roll.Manifest(c.Prefix+c.Manifest, keys.Objects); err != nil {
			list = append(list, kind.Problem{Option: "manifest", Message: err.Error()})
		}
	}
	t, err := c.template()
	if err != nil {
		return append(list, kind.Problem{Option: "key", Message: err.Error()})
	}
	list = append(append(list, t.Problems(env)...), c.Roll.Problems(t)...)
	return append(list, c.Options.Problems(env, t, mirror.With{Overwrite: c.Overwrite, Manifest: c.Manifest != ""})...)
}

func (c *Config) template() (*keys.Template, error) {
	return keys.Parse(c.Prefix+c.Key, keys.Objects)
}

// spec is what the options say of what is made.
func (c *Config) spec() (s roll.Spec, err error) {
	s.Roll = c.Roll
	if s.Key, err = c.template(); err != nil {
		return s, fmt.Errorf("key: %w", err)
	}
	if c.Manifest == "" {
		return s, nil
	}
	if s.Manifest, err = roll.Manifest(c.Prefix+c.Manifest, keys.Objects); err != nil {
		return s, fmt.Errorf("manifest: %w", err)
	}
	return s, nil
}

// Takes implements [kind.Sink].
func (c *Config) Takes(in kind.Form) *kind.Problem {
	if p := c.Options.Takes(in); p != nil {
		return p
	}
	t, err := c.template()
	if err != nil || in != kind.Records || t.Rolled() {
		return nil // a key that cannot be parsed is reported by Problems
	}
	return &kind.Problem{Option: "key", Message: "records come in blocks without keys of their own: put {sequence} into the key, as in {index}/{lane}-{sequence}.json"}
}

// Identity implements [kind.Sink].
func (c *Config) Identity() string { return "s3 " + c.Place() + c.Key }

// Build implements [kind.Sink].
func (c *Config) Build(env kind.Env) (pipeline.Sink, error) {
	s, err := c.spec()
	if err != nil {
		return nil, err
	}
	out := &Sink{config: *c, spec: s}
	if c.Mirror {
		return c.mirrorOf(out, env), nil
	}
	return out, nil
}
