package transforms

import (
	"strings"

	"sluice/internal/kind"
	"sluice/pipeline"
)

// KeepFields is the options of the transform that leaves all other fields out.
type KeepFields struct {
	ofRecords
	Fields []string `yaml:"fields" required:"true" doc:"Paths of fields inside of the document, as user.email, which are kept with all that is in them; all others are left out, and objects of which nothing is left."`
}

// Problems implements [kind.Transform].
func (c *KeepFields) Problems(kind.Env) []kind.Problem { return badPaths("fields", c.Fields) }

// Identity implements [kind.Transform].
func (c *KeepFields) Identity() string { return "keep_fields " + strings.Join(c.Fields, ",") }

// Edit implements [kind.Editor].
func (c *KeepFields) Edit(kind.Env) (pipeline.Edit, error) {
	all := &changes{fields: newFields(c.Fields...), each: make([]change, len(c.Fields)), only: true}
	return all.edit(), nil
}

// Build implements [kind.Transform].
func (c *KeepFields) Build(env kind.Env) (pipeline.Transform, error) { return build(c, env) }
