package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"

	"sluice/internal/kind"
	"sluice/internal/notify"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Notifications say early which objects may be new. They are hints: what is
// under a key is asked of the store, and what they have missed, the next listing
// finds. So passes are of two kinds: those that list the bucket, and between
// them those that look at what notifications have named.
type Notifications struct {
	SQS       *notify.QueueConfig `yaml:"sqs" doc:"A queue of Amazon SQS that gets the events of the bucket: directly, through SNS, or through EventBridge."`
	Webhook   *notify.Webhook     `yaml:"webhook" doc:"Where the store itself posts its events, as MinIO and VersityGW do."`
	ListEvery unit.Duration       `yaml:"list_every" default:"1h" min:"1s" doc:"How long after the last listing the whole bucket is listed again, whatever notifications say."`
}

const (
	listedBucket = "source.listed" // one row: the last pass that lists the bucket
	inboxBucket  = "source.inbox"  // by key: what a webhook was told, and no pass has looked at; another spelling of it, or nothing
	mostHints    = 1000            // messages, or keys, that a pass looks at
	longestWait  = 20 * time.Second
	hintLanes    = "hints" // what lanes read that look at hints
)

func (n *Notifications) problems(env kind.Env) (list []kind.Problem) {
	if n == nil {
		return nil
	}
	add := func(message string) {
		list = append(list, kind.Problem{Option: "notifications", Message: message})
	}
	if (n.SQS == nil) == (n.Webhook == nil) {
		add("give either sqs or webhook")
	}
	if !env.New || !env.Every {
		add("they are for mode: new and passes that are repeated, as with every: 1s")
	}
	if n.SQS != nil {
		list = append(list, below("notifications.sqs.", n.SQS.Problems())...)
	}
	if n.Webhook != nil {
		list = append(list, below("notifications.webhook.", n.Webhook.Problems())...)
	}
	return list
}

func below(path string, list []kind.Problem) []kind.Problem {
	for i := range list {
		list[i].Option = path + list[i].Option
	}
	return list
}

// Warnings implements [kind.Warner].
func (c *Config) Warnings() []string {
	if n := c.Notifications; n != nil && n.Webhook != nil {
		return n.Webhook.Warnings()
	}
	return nil
}

// Listen begins to listen for what the store posts, and serves it until the
// context of serve ends; nil: there is no webhook. A caller has its answer when
// the state has what it said.
func (s *Source) Listen(ctx context.Context, store pipeline.Store) (serve func(context.Context) error, err error) {
	n := s.config.Notifications
	if n == nil || n.Webhook == nil {
		return nil, nil
	}
	var l net.Listener
	if l, err = n.Webhook.Bind(ctx); err != nil {
		return nil, err
	}
	take := func(_ context.Context, events []notify.Event) error {
		rows, _ := s.rows(inboxBucket, events)
		if len(rows) == 0 {
			return nil
		}
		if err := store.Put(rows...); err != nil {
			return err
		}
		select {
		case s.posted <- struct{}{}:
		default: // it is known already
		}
		return nil
	}
	return func(ctx context.Context) error { return n.Webhook.Serve(ctx, l, take) }, nil
}

// rows are the keys that events of this bucket name. foreign is how many name
// another one.
func (s *Source) rows(bucket string, events []notify.Event) (rows []pipeline.Row, foreign int) {
	for _, e := range events {
		if e.Bucket != s.config.Bucket {
			foreign++
			continue
		}
		if e.Removed {
			continue
		}
		keys := append(e.Keys(), "")
		rows = append(rows, pipeline.Row{Bucket: bucket, Key: keys[0], Value: []byte(keys[1])})
	}
	return rows, foreign
}

// listing is the row of the last pass that lists the bucket. When a later one
// is planned, that one was complete.
type lastListing struct {
	Pass int64
	At   time.Time // when it was planned
}

// due is how long it is until the bucket is to be listed.
func (r *reader) due() (time.Duration, error) {
	if r.config.Notifications == nil {
		return 0, nil
	}
	b, err := r.pass.Store.Get(listedBucket, "last")
	if err != nil || b == nil {
		return 0, err
	}
	var last lastListing
	if err := json.Unmarshal(b, &last); err != nil {
		return 0, fmt.Errorf("state: listing: %w", err)
	}
	if last.Pass >= r.pass.Number { // it was planned, and never began
		return 0, nil
	}
	return max(0, time.Until(last.At.Add(time.Duration(r.config.Notifications.ListEvery)))), nil
}

// lists notes that the pass lists the bucket.
func (r *reader) lists() error {
	if r.config.Notifications == nil {
		return nil
	}
	b, err := json.Marshal(lastListing{r.pass.Number, time.Now()})
	if err != nil {
		return err
	}
	return r.pass.Store.Put(pipeline.Row{Bucket: listedBucket, Key: "last", Value: b})
}

// planHints waits for notifications, and plans lanes that look at what they
// name; none if nothing comes.
func (r *reader) planHints(ctx context.Context, wait time.Duration) ([]pipeline.Lane, error) {
	old, noted, err := r.oldHints()
	if err != nil {
		return nil, err
	}
	if !noted {
		rows, err := r.await(ctx, min(wait, longestWait))
		if err != nil || len(rows) == 0 {
			return nil, err
		}
		pass := pipeline.Row{Bucket: listedBucket, Key: "hints", Value: strconv.AppendInt(nil, r.pass.Number, 10)}
		if err := r.pass.Store.Put(append(append(old, rows...), pass)...); err != nil {
			return nil, err
		}
	}
	times, err := r.wanted.times(time.Now())
	if err != nil {
		return nil, err
	}
	lanes := make([]pipeline.Lane, max(1, r.pass.Parallel))
	for i := range lanes {
		lanes[i] = pipeline.Lane{
			Name: fmt.Sprintf("%s-hints-%d", r.config.Bucket, i), Part: i, Parts: len(lanes), Spec: spec{hintLanes, times}.String(),
			ID: newID(fmt.Sprintf("%s, hints %d/%d", r.config.Identity(), i, len(lanes)), r.pass.Number),
		}
	}
	return lanes, nil
}

// oldHints gives the rows that forget the hints of earlier passes: what those
// could not have is left to the next listing. noted: they are those of this very
// pass, which was planned, and never began.
func (r *reader) oldHints() (old []pipeline.Row, noted bool, err error) {
	pass, err := r.pass.Store.Get(listedBucket, "hints")
	if err != nil || string(pass) == strconv.FormatInt(r.pass.Number, 10) {
		return nil, err == nil, err
	}
	err = r.pass.Store.Range(hintBucket, "", func(key string, _ []byte) error {
		old = append(old, pipeline.Row{Bucket: hintBucket, Key: key})
		return nil
	})
	return old, false, err
}

// await waits until there are hints, and gives the rows that make them those of
// the pass.
func (r *reader) await(ctx context.Context, wait time.Duration) ([]pipeline.Row, error) {
	if r.config.Notifications.SQS != nil {
		return r.mail.receive(ctx, r.Source, wait)
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		rows, err := r.inbox()
		if err != nil || len(rows) > 0 {
			return rows, err
		}
		select {
		case <-r.posted:
		case <-timeout.C:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// inbox gives the rows that take what a webhook was told.
func (r *reader) inbox() ([]pipeline.Row, error) {
	told, err := someRows(r.pass.Store, inboxBucket, "", mostHints, every)
	rows := make([]pipeline.Row, 0, 2*len(told))
	for _, t := range told {
		rows = append(rows, pipeline.Row{Bucket: inboxBucket, Key: t.Key}, pipeline.Row{Bucket: hintBucket, Key: t.Key, Value: t.Value})
	}
	return rows, err
}
