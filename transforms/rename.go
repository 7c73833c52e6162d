package transforms

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice/internal/kind"
	"sluice/internal/raw"
	"sluice/pipeline"
)

// Rename is the options of the transform that gives fields other names.
type Rename struct {
	ofRecords
	Fields []RenameField `yaml:"fields" required:"true" doc:"The fields and their new names. A field that a document has not is left alone; one whose new name is taken makes the record a dead letter."`
}

// RenameField is one field and its new name.
type RenameField struct {
	From string `yaml:"from" required:"true" doc:"Path of the field inside of the document, as user.name."`
	To   string `yaml:"to" required:"true" doc:"Its new path: with another last name (user.full_name) it stays where it is, in lists too; else it goes to the end of that object, which is made if there is none."`
}

// Problems implements [kind.Transform].
func (c *Rename) Problems(kind.Env) []kind.Problem {
	var all []string
	for _, f := range c.Fields {
		all = append(all, f.From, f.To)
	}
	if len(c.Fields) > half {
		return []kind.Problem{{Option: "fields", Message: fmt.Sprintf("there are %d; one transform renames %d, the rest goes into a second one", len(c.Fields), half)}}
	}
	problems := badPaths("fields", all)
	for i := range problems {
		problems[i].Message += "; if one field is to be renamed after another, use two transforms"
	}
	return problems
}

// Identity implements [kind.Transform].
func (c *Rename) Identity() string {
	var all []string
	for _, f := range c.Fields {
		all = append(all, f.From+"→"+f.To)
	}
	return "rename " + strings.Join(all, ",")
}

// Edit implements [kind.Editor].
func (c *Rename) Edit(kind.Env) (pipeline.Edit, error) {
	paths, each := make([]string, half, maxFields), make([]change, maxFields)
	moved := make([]string, half)
	for i, f := range c.Fields {
		paths[i] = f.From
		from, _ := parent(f.From)
		to, last := parent(f.To)
		if from == to {
			each[i] = change{rename, raw.AppendQuoted(nil, []byte(last))}
		} else {
			each[i].deed, moved[i] = drop, f.From
		}
	}
	for _, f := range c.Fields {
		paths = append(paths, f.To)
	}
	m := &mover{changes: &changes{fields: newFields(paths...), each: each, exact: true, pairs: true}}
	if slices.ContainsFunc(moved, func(s string) bool { return s != "" }) {
		m.moved = newFields(moved...)
	}
	return m.edit, nil
}

// Build implements [kind.Transform].
func (c *Rename) Build(env kind.Env) (pipeline.Transform, error) { return build(c, env) }

// parent parts the last name of a path from what is before it.
func parent(path string) (object, last string) {
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		return path[:dot], path[dot+1:]
	}
	return "", path
}

// mover gives fields other names. Field i becomes field i+half.
type mover struct {
	*changes
	moved *fields // those that go to other objects; nil: none
}

// edit implements [pipeline.Edit].
func (m *mover) edit(_ context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
	d, err := locate(rec)
	if err != nil {
		return pipeline.Dead, err
	}
	w := rewrite{changes: m.changes, dst: dst, text: rec}
	if m.moved != nil && d.shape != deletion {
		m.moved.visit(rec, d.at, 0, func(field int, value []byte) {
			if w.values[field] != nil {
				w.fail(fmt.Errorf("%s is there more than once", m.path(1<<field)))
			}
			w.values[field] = value
			w.missing |= 1 << (field + half)
		})
	}
	return w.document(&d)
}
