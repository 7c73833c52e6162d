package search

import (
	"cmp"
	"context"
	"slices"

	"sluice/internal/check"
	"sluice/internal/search"
)

// mostChecked is the most indices that are looked at one by one.
const mostChecked = 20

// Check implements [check.Checker]: what is at the other end, what may be done
// there, and what order records have. It changes nothing.
func (s *Sink) Check(ctx context.Context, r *check.Report) error {
	defer s.client.Close()
	e, err := s.client.Engine(ctx)
	if err != nil {
		return err
	}
	if err := e.Supported(); err != nil {
		return err
	}
	r.Say("%s at %s", e, s.cfg.Endpoint())
	if err := s.cfg.check(ctx, s.client, r); err != nil {
		return err
	}
	if s.env.Scattered && s.env.Lanes > 1 && s.cfg.keepsIDs() {
		r.Warn("several lanes may hold records of one _id: without a _version it is not known which of them stays; with lanes: 1, the last one does")
	}
	if s.naming.own {
		r.Say("%s", s.cfg.where())
	}
	for _, name := range s.targets(r) {
		if err := s.look(ctx, e, name, r); err != nil {
			return err
		}
	}
	return nil
}

// targets are the indices that are written to, as far as they are known.
func (s *Sink) targets(r *check.Report) (list []string) {
	if !s.naming.own {
		return []string{s.cfg.Index}
	}
	for _, of := range r.Indices {
		if name := s.cfg.Target(of); !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	if len(list) > mostChecked {
		r.Say("of %d indices that are written to, the first %d are looked at", len(list), mostChecked)
		list = list[:mostChecked]
	}
	return list
}

// look looks at an index that is written to.
func (s *Sink) look(ctx context.Context, e search.Engine, name string, r *check.Report) error {
	indices, err := s.client.Indices(ctx, []string{name})
	there := err == nil && len(indices) > 0
	switch {
	case err != nil && !search.NotFound(err):
		return err
	case !there && s.cfg.RequireAlias:
		r.Warn("alias %s does not exist, and require_alias is set: make it, or every record is a dead letter", name)
		return nil
	case !there:
		r.Say("index %s does not exist: %s", name, s.cfg.Create.maker())
	}
	for _, i := range indices {
		r.Say("index %s: exists, shards: %d", i.Name, i.Shards)
	}
	if there && r.Fresh && s.cfg.keepsIDs() {
		s.existing(ctx, name, r)
	}
	s.client.MayWrite(ctx, e, search.Writing{Index: name, Exists: there, Action: s.cfg.Action, Manage: s.cfg.Backfill || s.cfg.Alias != ""}, r)
	return nil
}

// existing warns of documents that are there before the first pass.
func (s *Sink) existing(ctx context.Context, name string, r *check.Report) {
	n, err := s.client.Documents(ctx, name)
	if err != nil || n == 0 {
		return // who may only write need not know
	}
	fate := "a record with the _id of one replaces it, unless the document's version is newer"
	switch {
	case s.cfg.Action == verbs[toCreate]:
		fate = "a record with the _id of one is left out"
	case s.cfg.Action == verbs[toUpdate] || s.cfg.Action == verbs[toDelete]:
		return // it is what they are there for
	case !s.cfg.Versions:
		fate = "a record with the _id of one replaces it"
	}
	r.Warn("index %s holds %s already: %s; name another index if they are to stay as they are", name, check.Number(n, "document"), fate)
}

// Estimate implements [check.Estimator]: requests of bulk bytes.
func (s *Sink) Estimate(in check.Load) (objects, requests int64) {
	return -1, max(check.Over(in.Bytes, int64(s.limit)), min(in.Records, int64(cmp.Or(in.Lanes, 1))))
}
