package transforms

import (
	"strings"

	"sluice/internal/kind"
	"sluice/internal/raw"
	"sluice/pipeline"
)

// Redact is the options of the transform that hides the values of fields.
type Redact struct {
	ofRecords
	Fields []string `yaml:"fields" required:"true" doc:"Paths of fields inside of the document, as user.email, whose values are hidden, whatever they are; in lists from each object."`
	With   string   `yaml:"with" default:"***" doc:"Text that takes their place."`
	JSON   *string  `yaml:"json" doc:"JSON that takes their place instead, such as null, or '0' for fields that are numbers."`
}

// Problems implements [kind.Transform].
func (c *Redact) Problems(kind.Env) []kind.Problem {
	all := badPaths("fields", c.Fields)
	if c.JSON != nil && compact(*c.JSON) == nil {
		all = append(all, notJSON("json", *c.JSON))
	}
	return all
}

// Identity implements [kind.Transform].
func (c *Redact) Identity() string {
	return "redact " + strings.Join(c.Fields, ",") + " with " + string(c.text())
}

func (c *Redact) text() []byte {
	if c.JSON != nil {
		return compact(*c.JSON)
	}
	return raw.AppendQuoted(nil, []byte(c.With))
}

// Edit implements [kind.Editor].
func (c *Redact) Edit(kind.Env) (pipeline.Edit, error) {
	all := &changes{fields: newFields(c.Fields...), each: make([]change, len(c.Fields))}
	for i := range all.each {
		all.each[i] = change{fill, c.text()}
	}
	return all.edit(), nil
}

// Build implements [kind.Transform].
func (c *Redact) Build(env kind.Env) (pipeline.Transform, error) { return build(c, env) }
