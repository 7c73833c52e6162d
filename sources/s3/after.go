package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"sluice/internal/kind"
	"sluice/internal/objects"
	"sluice/pipeline"
)

// After is what becomes of an object that was delivered; one of these. It meets
// only the version that was read: by a condition where the store knows that for
// a DELETE, else the object is looked at right before.
type After struct {
	Delete bool     `yaml:"delete" doc:"Delete it."`
	Move   string   `yaml:"move" doc:"Move it: put this before its key. What is there is not read."`
	Tag    []string `yaml:"tag" doc:"Add these tags to it, each as name=value."`
}

// doneBucket holds what was delivered and is still to be dealt with, by key:
// the version. Its rows are written by the save that covers the objects.
const doneBucket = "source.after"

// afterConns is how many objects are dealt with at a time.
const afterConns = 16

func (a After) given() bool { return a.Delete || a.Move != "" || len(a.Tag) > 0 }

// Consumes implements [kind.Consumer].
func (c *Config) Consumes() bool { return c.After.Delete || c.After.Move != "" }

// Sole implements [kind.Sole].
func (c *Config) Sole() (list []kind.Problem) {
	if c.After.given() {
		list = append(list, kind.Problem{Option: "after", Message: "with several sinks, an object would be dealt with as soon as the first of them has it; leave after out"})
	}
	if c.Notifications != nil {
		list = append(list, kind.Problem{Option: "notifications", Message: "with several sinks, each would get a part of them; write a pipeline for each sink, with a queue or address of its own"})
	}
	return list
}

func (a After) problems(prefix string) (list []kind.Problem) {
	add := func(option, message string) {
		list = append(list, kind.Problem{Option: "after" + option, Message: message})
	}
	n := 0
	for _, given := range []bool{a.Delete, a.Move != "", len(a.Tag) > 0} {
		if given {
			n++
		}
	}
	if n > 1 {
		add("", "give one of delete, move and tag: an object is dealt with once")
	}
	if a.Move != "" && strings.HasPrefix(prefix, a.Move) {
		add(".move", fmt.Sprintf("all that is read is below %q already; write another prefix", a.Move))
	}
	for _, t := range a.Tag {
		if name, _, ok := strings.Cut(t, "="); !ok || name == "" {
			add(".tag", fmt.Sprintf("%q is no tag; write it as name=value", t))
		}
	}
	return list
}

// leaves says whether the key is that of an object that was moved away.
func (a After) leaves(key string) bool { return a.Move == "" || !strings.HasPrefix(key, a.Move) }

// notes gives the row that says that an object is to be dealt with.
func (a After) notes(key, version string) []pipeline.Row {
	if !a.given() {
		return nil
	}
	return []pipeline.Row{{Bucket: doneBucket, Key: key, Value: []byte(version)}}
}

// finisher deals with the objects that were delivered.
type finisher struct {
	After
	*reader
}

// finish deals with all that rows say was delivered: they were written by the
// saves that cover the objects, so all of them are durable at the sink. A row
// goes when its object has been dealt with: a crash in between repeats that.
func (f *finisher) finish(ctx context.Context) error {
	if !f.given() {
		return nil
	}
	for {
		rows, err := someRows(f.pass.Store, doneBucket, "", batch, every)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := f.all(ctx, rows); err != nil {
			return err
		}
		for i := range rows {
			rows[i].Value = nil
		}
		if err := f.pass.Store.Put(rows...); err != nil {
			return err
		}
	}
}

func (f *finisher) all(ctx context.Context, rows []pipeline.Row) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(afterConns)
	var left atomic.Int64
	for _, row := range rows {
		g.Go(func() error {
			err := f.one(gctx, row.Key, string(row.Value))
			if errors.Is(err, errOther) {
				left.Add(1)
				return nil
			}
			return err
		})
	}
	err := g.Wait()
	if n := left.Load(); n > 0 {
		pipeline.Logger(ctx).Info("objects were replaced or are gone since they were read: left alone", "count", n)
	}
	return err
}

// errOther says that what is under the key is not what was read.
var errOther = errors.New("another object")

// one deals with one object, if it is still the one that was read.
func (f *finisher) one(ctx context.Context, key, read string) error {
	info, err := f.client.Head(ctx, key)
	if errors.Is(err, objects.ErrNotFound) {
		return errOther
	}
	if err != nil {
		return err
	}
	if f.version(info.Object) != read {
		return errOther
	}
	err = f.act(ctx, info)
	if errors.Is(err, objects.ErrPrecondition) || errors.Is(err, objects.ErrNotFound) {
		return errOther
	}
	return err
}

// act deals with exactly this version of an object. Where the bucket keeps
// versions, one that is deleted stays as an old one, behind a marker.
func (f *finisher) act(ctx context.Context, is objects.Info) error {
	o := is.Object
	switch {
	case len(f.Tag) > 0:
		return f.tag(ctx, o)
	case f.Move != "":
		if err := f.client.Copy(ctx, is.As(f.Move+o.Key), objects.From{Bucket: f.config.Bucket, Object: o}); err != nil {
			return err
		}
	}
	return f.client.DeleteIf(ctx, o)
}

// tag adds the tags to those that the object has.
func (f *finisher) tag(ctx context.Context, o objects.Object) error {
	tags, err := f.client.Tags(ctx, o.Key, o.VersionID)
	if err != nil {
		return err
	}
	for _, t := range f.Tag {
		name, value, _ := strings.Cut(t, "=")
		tags[name] = value
	}
	return f.client.SetTags(ctx, o.Key, o.VersionID, tags)
}
