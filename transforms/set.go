package transforms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"sluice/internal/kind"
	"sluice/internal/raw"
	"sluice/pipeline"
)

// Set is the options of the transform that gives fields a value.
type Set struct {
	ofRecords
	Fields []SetField `yaml:"fields" required:"true" doc:"The fields and their values; a field that a document has gets another value, one that it has not is added, with the objects around it."`
}

// SetField is one field and its value.
type SetField struct {
	Field string  `yaml:"field" required:"true" doc:"Path of the field inside of the document, as labels.cluster."`
	Value *string `yaml:"value" doc:"Its value, a text."`
	JSON  *string `yaml:"json" doc:"Its value as JSON instead, such as 'true', '17' or '[\"a\"]'."`
}

// Problems implements [kind.Transform].
func (c *Set) Problems(kind.Env) []kind.Problem {
	all := badPaths("fields", c.paths())
	for i, f := range c.Fields {
		at := fmt.Sprintf("fields.%d", i)
		switch {
		case (f.Value == nil) == (f.JSON == nil):
			all = append(all, kind.Problem{Option: at, Message: "give it a value or json, and not both"})
		case f.JSON != nil && compact(*f.JSON) == nil:
			all = append(all, notJSON(at+".json", *f.JSON))
		}
	}
	return all
}

// Identity implements [kind.Transform].
func (c *Set) Identity() string {
	var all []string
	for _, f := range c.Fields {
		all = append(all, f.Field+"="+string(f.text()))
	}
	return "set " + strings.Join(all, ",")
}

func (c *Set) paths() (all []string) {
	for _, f := range c.Fields {
		all = append(all, f.Field)
	}
	return all
}

func (f *SetField) text() []byte {
	switch {
	case f.JSON != nil:
		return compact(*f.JSON)
	case f.Value != nil:
		return raw.AppendQuoted(nil, []byte(*f.Value))
	}
	return nil
}

// Edit implements [kind.Editor].
func (c *Set) Edit(kind.Env) (pipeline.Edit, error) {
	all := &changes{fields: newFields(c.paths()...), exact: true}
	for _, f := range c.Fields {
		all.each = append(all.each, change{fill, f.text()})
	}
	all.add = all.fields.all
	return all.edit(), nil
}

// Build implements [kind.Transform].
func (c *Set) Build(env kind.Env) (pipeline.Transform, error) { return build(c, env) }

// compact is a JSON text in one line, nil if it is not JSON. Its numbers and
// escapes stay as they are.
func compact(text string) []byte {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil || b.Len() == 0 {
		return nil
	}
	return b.Bytes()
}

func notJSON(option, text string) kind.Problem {
	return kind.Problem{Option: option, Message: fmt.Sprintf("%q is not JSON; a text in it has quotes of its own, as in '\"text\"'", text)}
}
