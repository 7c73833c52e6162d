package s3

import (
	"context"
	"errors"

	"sluice/internal/kind"
	"sluice/internal/mirror"
	"sluice/internal/objects"
	"sluice/internal/roll"
	"sluice/pipeline"
)

// mirroring is a sink that makes the bucket what the source has.
type mirroring struct {
	*Sink
	config mirror.Config
}

// mirrorOf is the sink that mirrors.
func (c *Config) mirrorOf(s *Sink, env kind.Env) pipeline.Sink {
	return mirroring{s, mirror.Config{Options: c.Options, Key: s.spec.Key, Overwrite: c.Overwrite, Bytes: env.Transforms, DryRun: env.DryRun}}
}

// WholePass implements [pipeline.WholePass].
func (mirroring) WholePass() {}

// Need implements [pipeline.Sized].
func (m mirroring) Need() (lane, shared int64) {
	lane, shared = m.Sink.Need()
	return lane + mirror.NeedLane, shared + mirror.NeedShared
}

// Open implements [pipeline.Sink].
func (m mirroring) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Writer, error) {
	client, err := m.Sink.config.Client(ctx, m.conns()*p.Parallel)
	if err != nil {
		return nil, err
	}
	out, err := m.open(ctx, p, client)
	if err != nil {
		client.Close()
		return nil, err
	}
	return out, nil
}

func (m mirroring) open(ctx context.Context, p *pipeline.Pass, client *objects.Client) (pipeline.Writer, error) {
	open := m.Sink.open
	if m.config.DryRun != nil {
		open = m.look
	}
	w, err := open(ctx, p, client)
	if err != nil {
		return nil, err
	}
	to := bucket{client, m.spec.Key.Literal(), hashed(roll.Owner{Pipeline: p.Pipeline})}
	out, err := mirror.New(p, w.Writer, to, m.config)
	if err != nil {
		return nil, err
	}
	return mirrorWriter{out, w}, nil
}

// look opens a pass that writes nothing.
func (m mirroring) look(ctx context.Context, p *pipeline.Pass, client *objects.Client) (*writer, error) {
	if err := client.Reach(ctx); err != nil {
		return nil, err
	}
	w, err := roll.New(p, m.spec, nil)
	return &writer{w, client}, err
}

// mirrorWriter writes one pass.
type mirrorWriter struct {
	*mirror.Writer
	w *writer
}

// Close implements [pipeline.Writer].
func (m mirrorWriter) Close() error { return m.w.Close() }

// bucket is where the mirror is. It implements [mirror.Target].
type bucket struct {
	client *objects.Client
	prefix string     // of all keys
	owner  roll.Owner // hashed; its pipeline alone is set
}

// Name implements [mirror.Target].
func (b bucket) Name(key string) string { return b.client.Name(key) }

// Finder implements [mirror.Target]. It lists the bucket, a page at a time.
func (b bucket) Finder() mirror.Finder {
	return &finder{mirror.Window[roll.Stamp]{Page: func(ctx context.Context, after string) (page []mirror.Entry[roll.Stamp], last bool, err error) {
		objects, more, err := b.client.Page(ctx, b.prefix, after, perPage)
		for _, o := range objects {
			page = append(page, mirror.Entry[roll.Stamp]{Key: o.Key, Value: stamp(o)})
		}
		return page, !more, err
	}}}
}

// perPage is how many objects are asked for at a time.
const perPage = 1000

func stamp(o objects.Object) roll.Stamp { return roll.Stamp{Tag: o.ETag, Size: o.Size} }

// finder looks for objects in pages. It implements [mirror.Finder].
type finder struct{ mirror.Window[roll.Stamp] }

// List implements [mirror.Target].
func (b bucket) List(ctx context.Context, prefix string, f func(mirror.There) error) error {
	return b.client.List(ctx, prefix, "", func(o objects.Object) error {
		return f(mirror.There{Key: o.Key, Stamp: stamp(o)})
	})
}

// Made implements [mirror.Target].
func (b bucket) Made(ctx context.Context, o mirror.There) (bool, error) {
	there, err := b.client.Head(ctx, o.Key)
	if errors.Is(err, objects.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	mine, theirs := compared(b.owner, there.Meta)
	return theirs != nil && mine.Pipeline == theirs.Pipeline && stamp(there.Object) == o.Stamp, nil
}

// Delete implements [mirror.Target].
func (b bucket) Delete(ctx context.Context, o mirror.There) (bool, error) {
	err := b.client.DeleteIf(ctx, objects.Object{Key: o.Key, ETag: o.Tag, Size: o.Size})
	if errors.Is(err, objects.ErrPrecondition) {
		return false, nil
	}
	return err == nil, err
}
