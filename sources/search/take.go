package search

import (
	"slices"

	"sluice/internal/kind"
)

// What the option take names.
const (
	takeData      = "data"
	takeIndices   = "indices"
	takeTemplates = "templates"
	takePipelines = "pipelines"
	takeStreams   = "data_streams"
)

// takes says whether the source is to read something. A Config that was made by
// hand, without the option, takes data.
func (c *Config) takes(what string) bool {
	return slices.Contains(c.Take, what) || len(c.Take) == 0 && what == takeData
}

// Describes implements [kind.Describer].
func (c *Config) Describes() bool {
	return slices.ContainsFunc(c.Take, func(what string) bool { return what != takeData })
}

// gives is what the items of the source hold.
func (c *Config) gives() kind.Form {
	if c.takes(takeData) {
		return kind.Records
	}
	return kind.Metadata
}

// taking is the part of the identity that says what is read: a pass whose plan
// has less in it would not be complete.
func (c *Config) taking() string {
	var id string
	for _, what := range []string{takeData, takeIndices, takeTemplates, takePipelines, takeStreams} {
		if c.takes(what) {
			id += "," + what
		}
	}
	if id == ","+takeData {
		return ""
	}
	return " taking " + id[1:]
}
