package transforms

import (
	"sluice/internal/kind"
	"sluice/pipeline"
)

// Lines is the options of the transform that splits streams into records: it
// has none.
type Lines struct{}

// Problems implements [kind.Transform].
func (c *Lines) Problems(kind.Env) []kind.Problem { return nil }

// Form implements [kind.Transform].
func (c *Lines) Form(in kind.Form) (kind.Form, *kind.Problem) {
	if in == kind.Records {
		return "", &kind.Problem{Message: "what comes in is records already; remove lines"}
	}
	return kind.Records, nil
}

// Identity implements [kind.Transform].
func (c *Lines) Identity() string { return "lines" }

// Build implements [kind.Transform]. A record is found to be too long only
// where it passes the end of a block, so blocks are no larger than a record
// may be.
func (c *Lines) Build(env kind.Env) (pipeline.Transform, error) {
	t := pipeline.Lines{Size: pipeline.BlockSize, MaxRecord: int(env.MaxRecord), Blocks: max(1, env.Workers) + 2}
	if t.MaxRecord > 0 {
		t.Size = min(t.Size, t.MaxRecord)
	}
	return t, nil
}
