package s3

import (
	"context"
	"maps"
	"slices"
	"time"

	"sluice/internal/check"
	"sluice/internal/objects"
)

// checkedLanes is for how many lanes check plans, if it is not known.
const checkedLanes = 4

// countTime is how long objects are counted.
const countTime = 3 * time.Second

// Check implements [check.Checker]: what would be read, and whether it may be.
func (s *Source) Check(ctx context.Context, r *check.Report) error {
	client, err := s.config.Client(ctx, 1)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Reach(ctx); objects.Denied(err) {
		r.Add("list objects", err)
		return nil
	} else if err != nil {
		return err
	}
	switch {
	case s.config.Notifications != nil:
		r.Unread = "it would take notifications that a run needs"
	case s.config.Archived == "restore":
		r.Unread = "archived: restore would ask for objects to be restored, which costs money"
	}
	return s.look(ctx, client, r)
}

// look says what a listing shows, and how many lanes there would be.
func (s *Source) look(ctx context.Context, client *objects.Client, r *check.Report) error {
	page, _, err := client.Page(ctx, s.config.Prefix, s.config.StartAfter, full)
	if err != nil {
		return err
	}
	spans, err := s.spans(ctx, client, checkedLanes)
	if err != nil {
		return err
	}
	if err := s.count(ctx, client, r); err != nil {
		return err
	}
	least := ""
	if r.Load.Lanes = len(spans); r.Load.Least {
		least = "at least "
	}
	r.Say("bucket %s: %s%d objects with prefix %q; ranges of keys: %d, for %d lanes",
		s.config.Bucket, least, r.Load.Objects, s.config.Prefix, len(spans), checkedLanes)
	if r.Load.Objects == 0 {
		r.Warn("there are no objects with prefix %q: is it the right one?", s.config.Prefix)
	}
	archived := map[string]int{}
	for _, o := range page {
		if archives[o.Class] {
			archived[o.Class]++
		}
	}
	for _, class := range slices.Sorted(maps.Keys(archived)) {
		r.Warn("bucket %s: %d of the first %d objects are in class %s, which must be restored before it can be read (archived: %s)",
			s.config.Bucket, archived[class], len(page), class, s.config.Archived)
	}
	client.MayRead(ctx, page, r)
	findings, err := client.Findings(ctx)
	r.Found = append(r.Found, findings...)
	return err
}

// count counts objects and their bytes, for a while.
func (s *Source) count(ctx context.Context, client *objects.Client, r *check.Report) error {
	after, until := s.config.StartAfter, time.Now().Add(countTime)
	l := check.Load{}
	for more := true; more; {
		var page []objects.Object
		var err error
		if page, more, err = client.Page(ctx, s.config.Prefix, after, full); err != nil {
			return err
		}
		for _, o := range page {
			l.Objects, l.Bytes, after = l.Objects+1, l.Bytes+o.Size, o.Key
			r.Remembered += int64(len(o.Key)) + knownRow
		}
		if more && (len(page) == 0 || time.Now().After(until)) {
			l.Least = true
			break
		}
	}
	if l.Records = -1; !s.news {
		r.Remembered = 0
	}
	r.Load = l
	return nil
}

// knownRow is about how much a known key takes in the state, beside its bytes.
const knownRow = 80

// Requests implements [check.Requester]: a page for each thousand objects, and
// one request for each object, or for each part of a large one.
func (s *Source) Requests(l check.Load) int64 {
	if l.Objects <= 0 {
		return l.Objects
	}
	const part = 8 << 20
	return check.Over(l.Objects, full) + l.Objects*max(1, check.Over(l.Bytes/l.Objects, part))
}
