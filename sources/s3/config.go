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

	Versions      string         `yaml:"versions" default:"latest" enum:"latest|all" doc:"Which versions of objects are read in a bucket that keeps them: the one that is there, or all, those of a key as stores list them, the newest first. The sink then wants {version} in its key."`
	Archived      string         `yaml:"archived" default:"report" enum:"report|restore" doc:"What becomes of objects in a storage class that must be restored before it can be read: they are objects that cannot be had (see on_error), and with restore their restoration is asked for as well, so that a later pass has them."`
	Restore       Restore        `yaml:"restore" doc:"How archived objects are restored."`
	Start         string         `yaml:"start" default:"all" enum:"all|now" doc:"With mode: new, what the first pass takes: all objects, or only what is new from then on."`
	After         After          `yaml:"after" doc:"What becomes of an object when all of it is durable at the sink; what could not be had or was replaced meanwhile stays as it is."`
	Notifications *Notifications `yaml:"notifications" doc:"With mode: new, what says early which objects are new; a pass then looks at these, and only now and then at the whole bucket."`
	ReadAhead     unit.Bytes     `yaml:"read_ahead" default:"4MiB" doc:"Memory in each lane for reading ahead: many small objects at a time before their turn, and large ones by several requests at a time. 0 is none."`
}

// Restore is how archived objects are restored.
type Restore struct {
	Days int    `yaml:"days" default:"7" min:"1" doc:"For how many days the restored copy stays."`
	Tier string `yaml:"tier" default:"Standard" enum:"Standard|Bulk|Expedited" doc:"How fast, and how expensive, the store restores."`
}

// Problems implements [kind.Source].
func (c *Config) Problems(env kind.Env) []kind.Problem {
	list := append(c.Config.Problems(), c.Filter.problems()...)
	list = append(append(list, c.After.problems(c.Prefix)...), c.Notifications.problems(env)...)
	add := func(option, message string) { list = append(list, kind.Problem{Option: option, Message: message}) }
	if c.Start == "now" && !env.New {
		add("start", "now is for mode: new, which goes on from there")
	}
	if c.Versions == allVersions && (env.New || c.After.given()) {
		add("versions", "all is for passes that take everything and leave it where it is (not for mode: new, nor with after)")
	}
	if env.Makes && c.Notifications != nil {
		add("notifications", "the sink makes indices of metadata, which passes that look at notifications alone do not find")
	}
	return list
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

// Repeats implements [kind.Repeater].
func (c *Config) Repeats() bool { return c.Versions == allVersions }

// Scatters implements [kind.Scatterer]: several objects may have records of one
// document.
func (c *Config) Scatters(bool) bool { return true }

// Build implements [kind.Source].
func (c *Config) Build(env kind.Env) (pipeline.Source, error) {
	wanted, err := c.Filter.compile()
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	s := &Source{config: *c, wanted: wanted, news: env.New, makes: env.Makes, posted: make(chan struct{}, 1)}
	if env.Selects {
		s.config.ReadAhead = 0
	}
	return s, nil
}
