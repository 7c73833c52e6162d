package transforms

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"sluice/internal/kind"
	"sluice/internal/manifest"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Manifest is the options of the transform that leaves out what a cluster writes
// into Kubernetes manifests, so that they differ only where people changed them.
// What stays is byte for byte as it was. Objects are taken into memory.
type Manifest struct {
	Drop    []string   `yaml:"drop" doc:"Fields that are left out beside the usual ones: paths such as metadata.annotations.example.com/seen. The usual ones are status, in metadata managedFields, resourceVersion, uid, creationTimestamp, generation and selfLink, and the annotations kubectl.kubernetes.io/last-applied-configuration, deployment.kubernetes.io/revision and control-plane.alpha.kubernetes.io/leader."`
	Keep    []string   `yaml:"keep" doc:"Those of the usual fields that stay."`
	MaxSize unit.Bytes `yaml:"max_size" default:"2MiB" doc:"Larger objects are taken for others; three times as much memory is needed in each lane."`
	Others  string     `yaml:"others" default:"pass" enum:"pass|refuse" doc:"What becomes of an object that is no manifest, or one whose YAML is not understood: it is passed as it is, or cannot be had, as on_error says."`
}

// usual are the fields that clusters write.
var usual = []string{
	"status", "metadata.managedFields", "metadata.resourceVersion", "metadata.uid", "metadata.creationTimestamp", "metadata.generation", "metadata.selfLink",
	"metadata.annotations.kubectl.kubernetes.io/last-applied-configuration", "metadata.annotations.deployment.kubernetes.io/revision", "metadata.annotations.control-plane.alpha.kubernetes.io/leader",
}

const refuse = "refuse"

// fields are those that are left out.
func (c *Manifest) fields() []string {
	kept := slices.DeleteFunc(slices.Clone(usual), func(f string) bool { return slices.Contains(c.Keep, f) })
	return append(kept, c.Drop...)
}

// Problems implements [kind.Transform].
func (c *Manifest) Problems(kind.Env) (all []kind.Problem) {
	add := func(option, format string, args ...any) {
		all = append(all, kind.Problem{Option: option, Message: fmt.Sprintf(format, args...)})
	}
	if len(c.Drop) > 0 {
		all = badPaths("drop", c.Drop)
	}
	for _, f := range c.Drop {
		switch {
		case f == "apiVersion" || f == "kind" || f == "metadata" || f == "items":
			add("drop", "%s: without it, it would be no manifest", f)
		case slices.Contains(usual, f):
			add("drop", "%s is left out as it is: leave it out here, too", f)
		}
	}
	for _, f := range c.Keep {
		if !slices.Contains(usual, f) {
			add("keep", "%s stays as it is; only these are left out: %s", f, strings.Join(usual, " "))
		}
	}
	if c.MaxSize < 1<<10 {
		add("max_size", "%v has no room for a manifest: give it 1KiB at least", c.MaxSize)
	}
	return all
}

// Form implements [kind.Transform].
func (c *Manifest) Form(in kind.Form) (kind.Form, *kind.Problem) {
	if in != kind.Bytes {
		return "", &kind.Problem{Message: fmt.Sprintf("it takes objects or files of manifests, and what comes in is %s: remove manifest", in)}
	}
	return in, nil
}

// Identity implements [kind.Transform].
func (c *Manifest) Identity() string {
	return fmt.Sprintf("manifest without %s, up to %v", strings.Join(c.fields(), ","), c.MaxSize)
}

// Build implements [kind.Transform].
func (c *Manifest) Build(kind.Env) (pipeline.Transform, error) {
	all, most := c.fields(), int64(c.MaxSize)
	return manifests{View: func(it *pipeline.Item) pipeline.Body {
		return manifestBody{it.Body, it.Size, all, most, c.Others == refuse}
	}, need: sourceSize + 3*most}, nil
}

// manifests is a transform of objects. It is safe for several lanes.
type manifests struct {
	pipeline.View
	need int64
}

// Need implements [pipeline.Sized].
func (m manifests) Need() (lane, shared int64) { return m.need, 0 }

// manifestBody is a body without the fields that clusters write.
type manifestBody struct {
	of     pipeline.Body
	size   int64 // of that, or -1
	fields []string
	most   int64
	refuse bool // what is no manifest
}

// Open implements [pipeline.Body]. It reads the body, if that is no larger than
// it may be.
func (b manifestBody) Open(ctx context.Context) (io.ReadCloser, error) {
	body, err := b.of.Open(ctx)
	if err != nil {
		return nil, err
	}
	src := newSource(body, 0, b.size)
	text := bytes.NewBuffer(make([]byte, 0, min(max(b.size, sourceSize), b.most)+bytes.MinRead))
	_, err = io.Copy(text, io.LimitReader(src, b.most+1))
	whole := int64(text.Len()) <= b.most
	switch {
	case err != nil:
	case whole:
		err = b.cut(text)
	case b.refuse:
		err = fmt.Errorf("more than max_size, %d bytes, is no manifest: %w", b.most, pipeline.ErrGone)
	}
	if err == nil && !whole {
		r := &reader{src: src, format: plainFormat, codec: plainFormat.open(src), maxRatio: 1}
		r.err = r.explain(r.next())
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(text, r), r}, nil
	}
	src.free()
	if shut := body.Close(); err == nil {
		err = shut
	}
	if err != nil {
		return nil, err
	}
	return io.NopCloser(text), nil
}

// cut leaves out the fields of a text.
func (b manifestBody) cut(text *bytes.Buffer) error {
	left, err := manifest.Cut(text.Bytes(), b.fields)
	if err != nil && b.refuse {
		return fmt.Errorf("%w: %w", err, pipeline.ErrGone)
	}
	text.Truncate(len(left))
	return nil
}
