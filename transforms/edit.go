package transforms

import (
	"context"

	"sluice/internal/kind"
	"sluice/pipeline"
)

// editor is a transform that edits records.
type editor struct {
	pipeline.Transform
	need   int64 // of a lane
	shared int64
}

// Need implements [pipeline.Sized].
func (e editor) Need() (lane, shared int64) { return e.need, e.shared }

// newEditor makes a transform of an edit, whose blocks are those of a filter.
func newEditor(env kind.Env, edit pipeline.Edit) editor {
	n := max(1, env.Workers)
	return editor{edit.Transform(n, int(env.MaxRecord)), pipeline.FilterSize(n), pipeline.LargeSize(env.MaxRecord)}
}

// ofRecords is a part of the options of transforms that edit records.
type ofRecords struct{}

// Form implements [kind.Transform].
func (ofRecords) Form(in kind.Form) (kind.Form, *kind.Problem) {
	if in != kind.Records {
		return "", &kind.Problem{Message: "it changes records, and what comes in is bytes: put lines before it, and before that decompress if they are compressed"}
	}
	return kind.Records, nil
}

// build makes the transform of options that edit records.
func build(c kind.Editor, env kind.Env) (pipeline.Transform, error) {
	edit, err := c.Edit(env)
	if err != nil {
		return nil, err
	}
	return newEditor(env, edit), nil
}

// edit is what changes do as an edit.
func (c *changes) edit() pipeline.Edit {
	return func(_ context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
		return c.apply(rec, dst)
	}
}
