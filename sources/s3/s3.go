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
	"time"

	"sluice/internal/keys"
	"sluice/internal/objects"
	"sluice/pipeline"
)

// Source gives each object as an item with a streaming body.
type Source struct {
	config Config
	wanted wanted
	news   bool          // passes take what is new
	makes  bool          // a lane gives metadata, of which the sink makes indices
	posted chan struct{} // a webhook was told something
}

// page is about what a page of a listing takes while it is read: the client asks
// for fewer keys when one has more than a MiB.
const page = 3 << 19

// Need implements [pipeline.Sized].
func (s *Source) Need() (lane, shared int64) {
	conns := int64(2)
	if s.config.ReadAhead > 0 {
		conns += fetchers
	}
	return page + int64(s.config.ReadAhead) + conns*objects.ConnSize, page + objects.ConnSize
}

// Open implements [pipeline.Source].
func (s *Source) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Reader, error) {
	client, err := s.config.Client(ctx, (2+fetchers)*p.Parallel+1)
	if err != nil {
		return nil, err
	}
	if err := client.Reach(ctx); err != nil {
		client.Close()
		return nil, err
	}
	r := &reader{Source: s, client: client, pass: p}
	if err := r.openMail(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return r, nil
}

// openMail opens the queue, if there is one.
func (r *reader) openMail(ctx context.Context) error {
	n := r.config.Notifications
	if n == nil || n.SQS == nil {
		return nil
	}
	queue, err := n.SQS.Open(ctx, r.config.Config.Config, time.Duration(r.config.Retry))
	if err != nil {
		return err
	}
	r.mail = &mail{queue: queue, open: map[string]int{}, keys: map[string][]string{}}
	return nil
}

// reader reads one pass. It implements [pipeline.Reader].
type reader struct {
	*Source
	client *objects.Client
	pass   *pipeline.Pass
	mail   *mail // nil: none
}

// Saved implements [pipeline.Saver].
func (r *reader) Saved(ctx context.Context, lane pipeline.Lane, pos pipeline.Position) error {
	if err := (&finisher{r.config.After, r}).finish(ctx); err != nil {
		return err
	}
	if s, _, err := parseSpec(lane.Spec); r.mail == nil || err != nil || s.Keys != hintLanes {
		return err
	}
	last, err := untoken(pos.Token)
	if err != nil {
		return err
	}
	return r.mail.saved(ctx, func(key string) bool { return key <= last && keys.Part(key, lane.Parts) == lane.Part })
}

// Close implements [pipeline.Reader].
func (r *reader) Close() error {
	if r.mail != nil {
		r.mail.close()
	}
	r.client.Close()
	return nil
}
