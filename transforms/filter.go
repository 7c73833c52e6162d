package transforms

import (
	"context"
	"fmt"
	"strings"

	"sluice/internal/kind"
	"sluice/pipeline"
)

// Filter is the options of the transform that keeps some records.
type Filter struct {
	ofRecords
	Where []Condition `yaml:"where" doc:"What must hold for a record to be kept: all of this."`
	Any   []Condition `yaml:"any" doc:"At least one of these must hold, too."`
	JQ    string      `yaml:"jq" doc:"And this expression of jq must give neither false nor null; its input is the whole record, of at most 1MiB."`
}

// Problems implements [kind.Transform].
func (c *Filter) Problems(kind.Env) []kind.Problem {
	all := append(conditionProblems("where", c.Where), conditionProblems("any", c.Any)...)
	if len(all) == 0 && len(c.Where)+len(c.Any) == 0 && c.JQ == "" {
		all = append(all, kind.Problem{Message: "there is nothing that must hold: give it where, any or jq"})
	}
	if len(c.Where)+len(c.Any) > maxFields {
		all = append(all, kind.Problem{Message: fmt.Sprintf("there are more than %d conditions; the rest goes into a second one", maxFields)})
	}
	if c.JQ != "" {
		all = append(all, jqProblems("jq", c.JQ)...)
	}
	return all
}

// Identity implements [kind.Transform].
func (c *Filter) Identity() string {
	id := "filter" + conditionsText(" where ", c.Where) + conditionsText(" any ", c.Any)
	if c.JQ != "" {
		id += " jq " + c.JQ
	}
	return id
}

func conditionsText(word string, list []Condition) string {
	var all []string
	for i := range list {
		all = append(all, list[i].String())
	}
	if len(all) == 0 {
		return ""
	}
	return word + strings.Join(all, ";")
}

// Edit implements [kind.Editor]. Deletes are always kept: of what they delete
// it is not known whether it was.
func (c *Filter) Edit(kind.Env) (pipeline.Edit, error) {
	conds, err := newConditions(c.Where, c.Any)
	if err != nil {
		return nil, err
	}
	var p *program
	if c.JQ != "" {
		if p, err = newProgram(c.JQ, maxJQ); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
		d, err := locate(rec)
		if err != nil {
			return pipeline.Dead, err
		}
		kept := d.shape == deletion
		if !kept {
			if kept, err = conds.hold(rec, &d); err != nil {
				return pipeline.Dead, err
			}
			if kept && p != nil {
				if kept, err = p.truth(ctx, rec); err != nil {
					return dead(ctx, err)
				}
			}
		}
		if !kept {
			return pipeline.Drop, nil
		}
		dst.Write(rec)
		return pipeline.Keep, nil
	}, nil
}

// Build implements [kind.Transform].
func (c *Filter) Build(env kind.Env) (pipeline.Transform, error) {
	e, err := build(c, env)
	if c.JQ == "" || err != nil {
		return e, err
	}
	return e.(editor).withJQ(env, maxJQ), nil
}
