package s3

import (
	"fmt"

	"sluice/internal/kind"
	"sluice/internal/objects"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Config is the options of the source.
type Config struct {
	objects.Config `yaml:",inline"`
	Filter         `yaml:",inline"`

	Versions  string     `yaml:"versions" default:"latest" enum:"latest|all" doc:"Which versions of objects are read in a bucket that keeps them: the one that is there, or all, those of a key as stores list them, the newest first. The sink then wants {version} in its key."`
	Archived  string     `yaml:"archived" default:"report" enum:"report|restore" doc:"What becomes of objects in a storage class that must be restored before it can be read: they are objects that cannot be had (see on_error), and with restore their restoration is asked for as well, so that a later pass has them."`
	Restore   Restore    `yaml:"restore" doc:"How archived objects are restored."`
	ReadAhead unit.Bytes `yaml:"read_ahead" default:"4MiB" doc:"Memory in each lane for reading ahead: many small objects at a time before their turn, and large ones by several requests at a time. 0 is none."`
}

// Restore is how archived objects are restored.
type Restore struct {
	Days int    `yaml:"days" default:"7" min:"1" doc:"For how many days the restored copy stays."`
	Tier string `yaml:"tier" default:"Standard" enum:"Standard|Bulk|Expedited" doc:"How fast, and how expensive, the store restores."`
}

// Problems implements [kind.Source].
func (c *Config) Problems(kind.Env) []kind.Problem {
	return append(c.Config.Problems(), c.Filter.problems()...)
}

// Gives implements [kind.Source].
func (*Config) Gives() kind.Form { return kind.Bytes }

// Identity implements [kind.Source]. Positions are keys, and none of what
// filters leave out: they may change.
func (c *Config) Identity() string {
	if c.Versions == allVersions {
		return "s3 versions of " + c.Place()
	}
	return "s3 " + c.Place()
}

const allVersions = "all"

// Build implements [kind.Source].
func (c *Config) Build(kind.Env) (pipeline.Source, error) {
	wanted, err := c.Filter.compile()
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	return &Source{config: *c, wanted: wanted}, nil
}
