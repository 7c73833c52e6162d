package search

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"sluice/internal/search"
)

// Replay implements kind.Replayer. Without replace, a record that no version
// orders is written only where there is no document, or the very same: one that
// is there may be newer. What happens around a load is for the pipeline, which
// may run meanwhile: all that is left of it is what a missing index is made from.
func (c *Config) Replay(replace bool) {
	c.careful = !replace
	c.Around = Around{Create: Create{File: c.Create.File}}
}

// caution makes a record that no version orders one that replaces nothing.
func (e *envelope) caution() fault {
	if e.version != nil || e.id == nil || e.verb == toCreate {
		return sound
	}
	if e.verb != toIndex {
		return perhapsOld
	}
	e.verb, e.careful = toCreate, true
	return sound
}

// compare says what becomes of a record whose document is there already: it was
// applied if that one has its source, perhaps by a try whose reply was lost.
func (s *sender) compare(ctx context.Context, q *request, r *record) (fate, error) {
	var action struct {
		Create struct {
			Index   string `json:"_index"`
			ID      string `json:"_id"`
			Routing *string
		}
	}
	if err := json.Unmarshal(q.action(r), &action); err != nil {
		return dead, err
	}
	a := action.Create
	get := search.Request{Method: http.MethodGet, Path: search.Path(a.Index, "_doc", a.ID)}
	if a.Routing != nil {
		get.Query = url.Values{"routing": {*a.Routing}}
	}
	var there struct {
		Source json.RawMessage `json:"_source"`
	}
	err := s.client.Call(ctx, get, &there)
	if e := search.AsError(err); e != nil && (e.Status == http.StatusNotFound || e.Status == http.StatusBadRequest) {
		return dead, nil // an alias of several indices, or a data stream
	}
	if err != nil {
		return dead, fmt.Errorf("look at what is there already: %w", err)
	}
	var have, want bytes.Buffer
	if json.Compact(&have, there.Source) != nil || json.Compact(&want, q.body[r.source:r.end-uint32(r.behind)]) != nil {
		return dead, nil
	}
	if bytes.Equal(have.Bytes(), want.Bytes()) {
		return applied, nil
	}
	return dead, nil
}
