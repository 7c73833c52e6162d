package transforms

import (
	"context"
	"time"

	"sluice/internal/jq"
	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// JQ is the options of the transform that gives records to an expression of jq.
//
// It is the one transform that decodes records and writes them anew: keys are
// sorted, of equal keys the last one counts, and escapes and blanks become what
// they usually are. Numbers that the expression hands on stay as they are
// written, 1.0 and 9007199254740993 and 1e400 too; with what it computes from
// them it has the precision of integers of any size, and of float64.
type JQ struct {
	ofRecords
	Expr      string     `yaml:"expr" required:"true" file:"true" doc:"The expression. Its input is the whole record, as {\"_index\": …, \"_id\": …, \"_source\": {…}}; each object that it gives is a record: none drops it, several count as created. Records are written anew by it: keys sorted, numbers that it does not compute as they were."`
	MaxRecord unit.Bytes `yaml:"max_record" default:"1MiB" min:"1KiB" doc:"Longest record that it takes; a longer one is a dead letter. One record of this size takes 16 times as much memory."`
}

// Problems implements [kind.Transform].
func (c *JQ) Problems(kind.Env) []kind.Problem { return jqProblems("expr", c.Expr) }

// Identity implements [kind.Transform].
func (c *JQ) Identity() string { return "jq " + c.Expr }

// Moves implements [kind.Mover].
func (c *JQ) Moves() {}

// Edit implements [kind.Editor].
func (c *JQ) Edit(env kind.Env) (pipeline.Edit, error) {
	p, err := newProgram(c.Expr, int(c.MaxRecord))
	if err != nil {
		return nil, err
	}
	most := int(env.MaxRecord)
	return func(ctx context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
		size := 0
		err := p.run(ctx, rec, func(v any) error {
			text, err := jq.Object(v)
			if err != nil {
				return err
			}
			if size += len(text) + 1; most > 0 && size > most {
				return errTooMuch
			}
			dst.Write(text)
			dst.Write([]byte{'\n'})
			return nil
		})
		switch {
		case err != nil:
			return dead(ctx, err)
		case size == 0:
			return pipeline.Drop, nil
		}
		return pipeline.Keep, nil
	}, nil
}

// Build implements [kind.Transform].
func (c *JQ) Build(env kind.Env) (pipeline.Transform, error) {
	e, err := build(c, env)
	if err != nil {
		return nil, err
	}
	return e.(editor).withJQ(env, int64(c.MaxRecord)), nil
}

// Memory of jq, which decodes records.
const (
	maxJQ    = 1 << 20  // longest record of a filter
	jqFactor = 16       // memory of a decoded record by its length
	jqSmall  = 64 << 10 // longer records are decoded one at a time
	jqTime   = time.Minute
)

// withJQ adds the memory of a program.
func (e editor) withJQ(env kind.Env, maxRecord int64) editor {
	e.need += int64(max(1, env.Workers)) * jqSmall * jqFactor
	e.shared += maxRecord * jqFactor
	return e
}
