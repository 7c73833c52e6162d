package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	cluster "sluice/internal/search"
)

// verbatim finds indices whose documents do not come back as they were
// indexed. One that keeps no sources is an error.
func (r *reader) verbatim(ctx context.Context, s *cluster.Selection) (warnings []string, err error) {
	sources := map[string]json.RawMessage{} // the mapping of _source, by index, where there is one
	for _, req := range s.Requests("", "/_mapping", url.Values{"filter_path": {"*.mappings._source"}}) {
		var reply map[string]struct {
			Mappings struct {
				Source json.RawMessage `json:"_source"`
			}
		}
		if err := r.client.Call(ctx, req, &reply); err != nil {
			return nil, err
		}
		for name, m := range reply {
			sources[name] = m.Mappings.Source
		}
	}
	altering := map[string][]string{} // indices, by what is said of them
	for _, i := range s.Indices {
		why, err := altered(i.Settings, sources[i.Name])
		if err != nil {
			return nil, fmt.Errorf("index %s: %w", i.Name, err)
		}
		if why != "" {
			altering[why] = append(altering[why], i.Name)
		}
	}
	for _, why := range slices.Sorted(maps.Keys(altering)) {
		warnings = append(warnings, "index "+cluster.List(altering[why])+": "+why)
	}
	return warnings, nil
}

// altered says why sources of an index are not what was indexed, or "".
func altered(settings map[string]string, mapping json.RawMessage) (why string, err error) {
	var source struct {
		Enabled            *bool
		Mode               string
		Includes, Excludes []string
	}
	if len(mapping) > 0 {
		if err := json.Unmarshal(mapping, &source); err != nil {
			return "", fmt.Errorf("mapping of _source: %w", err)
		}
	}
	mode := strings.ToLower(source.Mode + settings["index.mapping.source.mode"])
	kind := strings.ToLower(settings["index.mode"])
	const form = ": documents come back with the same content in another form"
	switch {
	case source.Enabled != nil && !*source.Enabled || mode == "disabled":
		return "", errors.New("it keeps no _source, so its documents cannot be read; leave it out with exclude")
	case len(source.Includes)+len(source.Excludes) > 0:
		return "its mapping keeps only parts of each _source: the other parts cannot be read", nil
	case mode == "synthetic", mode == "" && (kind == "logsdb" || kind == "time_series"):
		return "_source is synthetic" + form, nil
	case settings["index.derived_source.enabled"] == "true":
		return "_source is derived" + form, nil
	}
	return "", nil
}
