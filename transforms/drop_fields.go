package transforms

import (
	"strings"

	"sluice/internal/kind"
	"sluice/pipeline"
)

// DropFields is the options of the transform that leaves fields out.
type DropFields struct {
	ofRecords
	Fields []string `yaml:"fields" required:"true" doc:"Paths of fields inside of the document, as user.email, which are left out with all that is in them; in lists from each object."`
}

// Problems implements [kind.Transform].
func (c *DropFields) Problems(kind.Env) []kind.Problem { return badPaths("fields", c.Fields) }

// Identity implements [kind.Transform].
func (c *DropFields) Identity() string { return "drop_fields " + strings.Join(c.Fields, ",") }

// Edit implements [kind.Editor].
func (c *DropFields) Edit(kind.Env) (pipeline.Edit, error) {
	all := &changes{fields: newFields(c.Fields...), each: make([]change, len(c.Fields))}
	for i := range all.each {
		all.each[i].deed = drop
	}
	return all.edit(), nil
}

// Build implements [kind.Transform].
func (c *DropFields) Build(env kind.Env) (pipeline.Transform, error) { return build(c, env) }
