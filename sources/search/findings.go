package search

import (
	"fmt"
	"slices"
	"strings"

	"sluice/pipeline"
)

// mostListed is the most indices of which a check says something each.
const mostListed = 100

// findings says what would be read, one finding a line.
func (r *reader) findings(f *found, lanes []pipeline.Lane) []string {
	lanes = slices.DeleteFunc(slices.Clone(lanes), func(l pipeline.Lane) bool { return strings.HasPrefix(l.ID, deletesID) })
	var records int64
	of := map[string]int64{} // records by UUID of the index
	for _, l := range lanes {
		records += l.Records
		uuid, _, _ := strings.Cut(l.ID, "/")
		of[uuid] += l.Records
	}
	out := []string{
		fmt.Sprintf("%s at %s", f.engine, r.config.Endpoint()),
		fmt.Sprintf("indices: %d, shards: %d, documents: %s; they are read by %s (%s)", len(f.indices), len(lanes), f.documents(records, len(lanes)), f.way.name(), f.why),
	}
	for n, i := range f.indices {
		if n == mostListed {
			out = append(out, fmt.Sprintf("and %d more indices", len(f.indices)-n))
			break
		}
		line := fmt.Sprintf("index %s: shards: %d", i.Name, i.Shards)
		if f.unknown == 0 {
			line += ", documents: " + f.documents(of[i.UUID], i.Shards)
		}
		out = append(out, line)
	}
	out = append(out, f.selection.Notes...)
	out = append(append(out, ignored(f.selection)...), f.warnings...)
	if w := r.moving(f.selection); w != "" {
		out = append(out, w)
	}
	return out
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
