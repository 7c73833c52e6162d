package pipelinetest

import (
	"maps"
	"slices"

	"sluice/pipeline"
)

// Store is a [pipeline.Store] in memory.
type Store struct {
	World *World
	rows  map[string]map[string][]byte
	Check func(rows map[string]map[string][]byte) // after each Put
}

// Get implements [pipeline.Store].
func (s *Store) Get(bucket, key string) (v []byte, err error) {
	s.World.Look(func() { v = slices.Clone(s.rows[bucket][key]) })
	return v, nil
}

// Range implements [pipeline.Store].
func (s *Store) Range(bucket, from string, f func(string, []byte) error) error {
	var rows map[string][]byte
	s.World.Look(func() { rows = maps.Clone(s.rows[bucket]) })
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		if k < from {
			continue
		}
		if err := f(k, rows[k]); err != nil {
			return err
		}
	}
	return nil
}

// Put implements [pipeline.Store].
func (s *Store) Put(rows ...pipeline.Row) error {
	return s.World.Do(func() {
		if s.rows == nil {
			s.rows = map[string]map[string][]byte{}
		}
		for _, r := range rows {
			if s.rows[r.Bucket] == nil {
				s.rows[r.Bucket] = map[string][]byte{}
			}
			if s.rows[r.Bucket][r.Key] = slices.Clone(r.Value); r.Value == nil {
				delete(s.rows[r.Bucket], r.Key)
			}
		}
		if s.Check != nil {
			s.Check(s.rows)
		}
	})
}
