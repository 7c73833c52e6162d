package transforms

import (
	"context"
	"errors"
	"fmt"

	"sluice/internal/jq"
	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Why a program does not take a record.
var (
	errTooMuch = errors.New("jq gives more than max_record")
	errTime    = fmt.Errorf("jq takes longer than %v", jqTime)
)

// program is an expression of jq for records. It is safe for concurrent use.
type program struct {
	*jq.Program
	max   int
	large chan struct{} // holds one while a large record is decoded
}

func newProgram(expr string, most int) (*program, error) {
	p, err := jq.Parse(expr)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"now", "localtime", "strflocaltime"} {
		if p.Calls(name) {
			return nil, fmt.Errorf("%s is not for records: the same record must give the same each time", name)
		}
	}
	return &program{p, most, make(chan struct{}, 1)}, nil
}

func jqProblems(option, expr string) []kind.Problem {
	if _, err := newProgram(expr, maxJQ); err != nil {
		return []kind.Problem{{Option: option, Message: "this is no expression of jq: " + err.Error()}}
	}
	return nil
}

// with decodes a record for f, which runs the program.
func (p *program) with(ctx context.Context, rec []byte, f func(context.Context, any) error) error {
	if len(rec) > p.max {
		return fmt.Errorf("the record is longer than jq may have it (%v)", unit.Bytes(p.max))
	}
	if len(rec) > jqSmall {
		select {
		case p.large <- struct{}{}:
			defer func() { <-p.large }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	in, err := jq.Decode(rec)
	if err != nil {
		return fmt.Errorf("the record cannot be given to jq: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, jqTime, errTime)
	defer cancel()
	return f(ctx, in)
}

// run gives what the program makes of a record to yield, whose error ends it.
func (p *program) run(ctx context.Context, rec []byte, yield func(any) error) error {
	return p.with(ctx, rec, func(ctx context.Context, in any) error { return p.Run(ctx, in, yield) })
}

// truth reports whether the program holds for a record.
func (p *program) truth(ctx context.Context, rec []byte) (is bool, err error) {
	err = p.with(ctx, rec, func(ctx context.Context, in any) (err error) {
		is, err = p.Holds(ctx, in)
		return err
	})
	return is, err
}

// dead makes a dead letter of a record that a program failed with, unless the
// lane ends.
func dead(ctx context.Context, err error) (pipeline.Verdict, error) {
	if ctx.Err() != nil {
		return pipeline.Drop, context.Cause(ctx)
	}
	return pipeline.Dead, err
}
