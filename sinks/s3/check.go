package s3

import (
	"context"
	"errors"
	"time"

	"sluice/internal/check"
	"sluice/internal/objects"
	"sluice/internal/roll"
)

// Check implements [check.Checker]: where objects would go, and whether they
// may. It writes nothing, unless r.Write is set and it is not known whether the
// store honours conditions: an object is then written to try that, and removed
// again.
func (s *Sink) Check(ctx context.Context, r *check.Report) error {
	client, err := s.config.Client(ctx, 1)
	if err != nil {
		return err
	}
	defer client.Close()
	prefix := s.spec.Key.Literal()
	if err := client.Reach(ctx); objects.Denied(err) {
		client.MayWrite(ctx, prefix+"sluice-check", r)
		return nil
	} else if err != nil {
		return err
	}
	r.Say("bucket %s: objects go to %s", s.config.Bucket, s.spec.Key)
	if s.config.Overwrite != roll.Always && r.Write {
		if _, err := client.Conditional(ctx, s.probeKey()); err != nil {
			return err
		}
	}
	client.MayWrite(ctx, prefix+"sluice-check", r)
	findings, err := client.Findings(ctx)
	if r.Found = append(r.Found, findings...); err != nil {
		return err
	}
	s.existing(ctx, client, r)
	s.unended(ctx, client, r)
	return nil
}

// existing warns of objects that are there before the first pass.
func (s *Sink) existing(ctx context.Context, client *objects.Client, r *check.Report) {
	prefix := s.spec.Key.Literal()
	n, more, err := client.Count(ctx, prefix)
	if !r.Fresh || err != nil || n == 0 { // that they may not be listed has been said
		return
	}
	least := ""
	if more {
		least = "at least "
	}
	fate := "those of others are not replaced (overwrite: own): a key that one of them has ends the pass"
	switch {
	case s.config.Mirror:
		fate = "what the source does not have is deleted if this pipeline made it"
	case s.config.Overwrite == roll.Always:
		fate = "what has a key of the pass is replaced, whoever made it (overwrite: always)"
	case s.config.Overwrite == roll.Never:
		fate = "a key that one of them has ends the pass (overwrite: never)"
	}
	r.Warn("%s holds %s%s already: %s; with another prefix, or {pass} in the key, they are left alone", client.Name(prefix), least, check.Number(int64(n), "object"), fate)
}

// Estimate implements [check.Estimator]: one request for an object that fits
// into a part, else one for each part and two more.
func (s *Sink) Estimate(in check.Load) (made, requests int64) {
	if made = s.spec.Objects(in); made <= 0 {
		return made, made
	}
	each := int64(1)
	if size := in.Bytes / made; size > int64(s.config.Part) {
		each = check.Over(size, int64(s.config.Part)) + 2
	}
	return made, made * each
}

// Rolled says whether an object holds several items, and ends with a pass.
func (s *Sink) Rolled() bool { return s.spec.Key.Rolled() }

var errMany = errors.New("many")

// unended warns of uploads that nobody is going to end.
func (s *Sink) unended(ctx context.Context, client *objects.Client, r *check.Report) {
	const many = 1000
	old := 0
	err := client.Uploads(ctx, s.spec.Key.Literal(), func(_, _ string, begun time.Time) error {
		if time.Since(begun) > 24*time.Hour {
			old++
		}
		if old == many {
			return errMany
		}
		return nil
	})
	if err != nil && !errors.Is(err, errMany) {
		r.Say("whether there are uploads that were never ended is not known: %v", err)
	}
	if old == 0 {
		return
	}
	r.Warn("%d uploads below %s were begun more than a day ago and not ended; nobody can say whose they are: a lifecycle rule AbortIncompleteMultipartUpload removes such", old, client.Name(s.spec.Key.Literal()))
}
