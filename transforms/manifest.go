package transforms

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

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
	MaxSize unit.Bytes `yaml:"max_size" default:"2MiB" doc:"Larger objects are taken for others; three times as much memory is set aside for one at a time."`
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

// smallManifest is the size of those that several bodies may have in memory at
// a time. Larger ones are rare, so that all lanes have room for one together.
const smallManifest = 64 << 10

// Build implements [kind.Transform].
func (c *Manifest) Build(env kind.Env) (pipeline.Transform, error) {
	m := manifests{fields: c.fields(), most: int64(c.MaxSize), refuse: c.Others == refuse, bodies: 1, large: semaphore.NewWeighted(1)}
	if env.Selects {
		m.bodies = kind.Together
	}
	return &m, nil
}

// manifests is a transform of objects. It is safe for several lanes.
type manifests struct {
	fields []string
	most   int64 // bytes of a manifest
	refuse bool  // what is no manifest
	bodies int64 // that are open in a lane at a time
	large  *semaphore.Weighted
}

// Run implements [pipeline.Transform].
func (m *manifests) Run(ctx context.Context, in <-chan *pipeline.Item, out chan<- *pipeline.Item) error {
	return pipeline.View(func(it *pipeline.Item) pipeline.Body { return manifestBody{m, it.Body, it.Size} }).Run(ctx, in, out)
}

// Need implements [pipeline.Sized]: while it grows, a text is there three times.
func (m *manifests) Need() (lane, shared int64) {
	return m.bodies * (sourceSize + 3*smallManifest), 3 * m.most
}

// manifestBody is a body without the fields that clusters write.
type manifestBody struct {
	*manifests
	of   pipeline.Body
	size int64 // of that, or -1
}

// Open implements [pipeline.Body]. It reads the body, if that is no larger than
// it may be.
func (b manifestBody) Open(ctx context.Context) (io.ReadCloser, error) {
	body, err := b.of.Open(ctx)
	if err != nil {
		return nil, err
	}
	src := newSource(body, 0, b.size)
	text, small, err := b.read(ctx, src)
	whole := text.Len() <= int(b.most)
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
		return held{io.MultiReader(text, endFunc(small), r), func() error { small(); return r.Close() }}, nil
	}
	src.free()
	if shut := body.Close(); err == nil {
		err = shut
	}
	if err != nil {
		small()
		return nil, err
	}
	return held{text, func() error { small(); return nil }}, nil
}

// read reads what may be a manifest, and a byte more if it is none. One that is
// not small waits for its room, which small gives back; so does the end of ctx.
func (b manifestBody) read(ctx context.Context, src io.Reader) (text *bytes.Buffer, small func(), err error) {
	first := min(smallManifest, b.most)
	text = bytes.NewBuffer(make([]byte, 0, int(first)+1+bytes.MinRead))
	_, err = io.Copy(text, io.LimitReader(src, first+1))
	if err != nil || int64(text.Len()) <= first || first == b.most {
		return text, func() {}, err
	}
	if b.large.Acquire(ctx, 1) != nil {
		return text, func() {}, context.Cause(ctx)
	}
	give := sync.OnceFunc(func() { b.large.Release(1) })
	stop := context.AfterFunc(ctx, give)
	if b.size >= 0 {
		text.Grow(max(0, int(min(b.size, b.most))-text.Len()) + bytes.MinRead)
	}
	_, err = io.Copy(text, io.LimitReader(src, b.most-first))
	return text, func() { stop(); give() }, err
}

// held is a reader that is closed by a function.
type held struct {
	io.Reader
	close func() error
}

// Close implements io.Closer. It may be called again.
func (h held) Close() error { return h.close() }

// endFunc is called when the end of what was before it is read.
type endFunc func()

// Read implements io.Reader.
func (f endFunc) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
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
