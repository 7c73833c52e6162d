package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/pipeline"
)

// metaBucket has one row per stage: its identity.
const metaBucket = "meta"

// ChangedError is the error of a state that was made with other stages than
// those that are to go on with it.
type ChangedError struct {
	Path    string
	Changes []Change // by name of the stage
}

// Change is a stage whose identity is not what it was. "" is no such stage.
type Change struct{ Stage, Was, Is string }

// Error implements error.
func (e *ChangedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "state %s was made with other stages:", e.Path)
	for _, c := range e.Changes {
		fmt.Fprintf(&b, "\n  %s: was %s, is %s", c.Stage, orNone(c.Was), orNone(c.Is))
	}
	fmt.Fprintf(&b, "\n--accept goes on with it as it is, `sluice checkpoint reset %s` begins at the beginning", Pipeline(e.Path))
	return b.String()
}

func orNone(identity string) string {
	if identity == "" {
		return "none"
	}
	return identity
}

// Bind ties the state to stages: identity has what each depends on, by name. A
// state of other stages that has seen a pass is a [*ChangedError].
func (s *Store) Bind(identity map[string]string) error {
	saved, err := pipeline.Load(s)
	if err != nil {
		return err
	}
	was, err := bound(s)
	if err != nil {
		return err
	}
	changes := compare(was, identity)
	if len(changes) == 0 {
		return nil
	}
	if saved.Pass > 0 && len(was) > 0 {
		return &ChangedError{Path: s.path, Changes: changes}
	}
	return s.Accept(identity)
}

// Accept ties the state to stages, whatever it was tied to.
func (s *Store) Accept(identity map[string]string) error {
	was, err := bound(s)
	if err != nil {
		return err
	}
	var rows []pipeline.Row
	for _, c := range compare(was, identity) {
		r := pipeline.Row{Bucket: metaBucket, Key: c.Stage}
		if is, ok := identity[c.Stage]; ok {
			r.Value = []byte(is)
		}
		rows = append(rows, r)
	}
	return s.Put(rows...)
}

// bound reads the identities of the stages of a state.
func bound(s pipeline.Store) (map[string]string, error) {
	stages := map[string]string{}
	err := s.Range(metaBucket, "", func(stage string, identity []byte) error {
		stages[stage] = string(identity)
		return nil
	})
	return stages, err
}

func compare(was, is map[string]string) (changes []Change) {
	all := maps.Clone(was)
	maps.Copy(all, is)
	for _, stage := range slices.Sorted(maps.Keys(all)) {
		if was[stage] != is[stage] {
			changes = append(changes, Change{Stage: stage, Was: was[stage], Is: is[stage]})
		}
	}
	return changes
}
