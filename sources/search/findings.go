package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice/internal/check"
	cluster "sluice/internal/search"
	"sluice/pipeline"
)

// mostListed is the most indices of which a check says something each.
const mostListed = 100

// Check implements [check.Checker]: what would be read, and whether it may be.
func (s *Source) Check(ctx context.Context, rep *check.Report) error {
	r, err := s.open(&pipeline.Pass{})
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := r.find(ctx)
	if f != nil && f.engine != (cluster.Engine{}) {
		rep.Say("%s at %s", f.engine, r.config.Endpoint())
		if a := cluster.AsError(err); err == nil || a != nil && a.Status < 500 {
			r.client.MayRead(ctx, f.engine, r.config.Index, rep)
		}
	}
	if slices.ContainsFunc(rep.Grants, check.Grant.Missing) && cluster.AsError(err) != nil {
		return nil // which says it all
	}
	if err != nil {
		return err
	}
	metadata, err := r.foresee(ctx, f)
	if err != nil || !s.config.takes(takeData) {
		rep.Found = append(rep.Found, metadata...)
		return err
	}
	lanes, err := r.lanes(ctx, f)
	if err != nil {
		return err
	}
	r.findings(f, lanes, rep)
	rep.Found = append(rep.Found, metadata...)
	return f.failure()
}

// findings says what would be read.
func (r *reader) findings(f *found, lanes []pipeline.Lane, rep *check.Report) {
	lanes = slices.DeleteFunc(slices.Clone(lanes), func(l pipeline.Lane) bool { return strings.HasPrefix(l.ID, deletesID) })
	var records int64
	of := map[string]int64{} // records by UUID of the index
	for _, l := range lanes {
		records += l.Records
		uuid, _, _ := strings.Cut(l.ID, "/")
		of[uuid] += l.Records
	}
	rep.Load.Lanes, rep.Load.Least = len(lanes), f.unknown > 0
	if f.unknown == 0 {
		rep.Load.Records = records
	}
	rep.Say("indices: %d, shards: %d, documents: %s; they are read by %s (%s)", len(f.indices), len(lanes), f.documents(records, len(lanes)), f.way.name(), f.why)
	for n, i := range f.indices {
		rep.Indices = append(rep.Indices, i.Name)
		if n == mostListed {
			rep.Say("and %d more indices", len(f.indices)-n)
		}
		if n >= mostListed {
			continue
		}
		line := fmt.Sprintf("index %s: shards: %d", i.Name, i.Shards)
		if f.unknown == 0 {
			line += ", documents: " + f.documents(of[i.UUID], i.Shards)
		}
		rep.Say("%s", line)
	}
	rep.Found = append(rep.Found, f.selection.Notes...)
	rep.Warnings = append(append(rep.Warnings, ignored(f.selection)...), f.warnings...)
	if w := r.moving(f.selection); w != "" {
		rep.Warn("%s", w)
	}
	r.wildcards(f, rep)
}

// wildcards warns of indices that nobody has named.
func (r *reader) wildcards(f *found, rep *check.Report) {
	var wild []string
	for _, list := range r.config.Index {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); strings.Contains(name, "*") || name == "_all" {
				wild = append(wild, name)
			}
		}
	}
	if len(wild) == 0 {
		return
	}
	text := fmt.Sprintf("index: %s: each pass reads the indices that match when it begins, now %d", strings.Join(wild, ", "), len(f.indices))
	rep.Warn("%s; name them to read no others, or leave some out with exclude", text)
}

// Requests implements [check.Requester]: pages, and what it takes to open, count
// and close a context for each lane.
func (s *Source) Requests(l check.Load) int64 {
	const around = 4
	if n := check.Over(l.Bytes, int64(s.config.Page)); n >= 0 {
		return n + around*int64(l.Lanes)
	}
	return -1
}

// Forget ends the contexts that a run left which is not to be gone on with.
func (s *Source) Forget(ctx context.Context, store pipeline.Store) error {
	r, err := s.open(&pipeline.Pass{Store: store})
	if err != nil {
		return err
	}
	return errors.Join(r.forget(ctx), r.Close())
}

// documents gives a number of documents as far as it is known.
func (f *found) documents(n int64, lanes int) string {
	switch {
	case f.unknown == lanes && lanes > 0:
		return "not known"
	case f.unknown > 0:
		return fmt.Sprintf("at least %d", n)
	case f.about:
		return fmt.Sprintf("about %d", n)
	}
	return fmt.Sprint(n)
}

// failure is the error of a check that found shards that cannot be read.
func (f *found) failure() error {
	if list := f.sick(); len(list) > 0 {
		return fmt.Errorf("not all shards can be read now: %s", strings.Join(list, "; "))
	}
	return nil
}
