package transforms

import (
	"context"
	"sync"

	"sluice/internal/keys"
	"sluice/internal/kind"
	"sluice/pipeline"
)

// Lines is the options of the transform that splits streams into records.
type Lines struct {
	Metadata string `yaml:"metadata" default:"skip" enum:"skip|split" doc:"Objects that hold metadata of a search source, by the last segment of their keys (_index.json and the like), are left out and counted as skipped, or split like any other."`
	Pairs    string `yaml:"pairs" default:"auto" enum:"auto|no" doc:"Whether an action line of a _bulk file (index, create or update) and the line behind it, its source, are one record; auto: toward an index."`
}

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
func (c *Lines) Identity() string {
	id := "lines"
	if c.Metadata == "split" {
		id += " of metadata too"
	}
	if c.Pairs == "no" {
		id += " without pairs"
	}
	return id
}

// Build implements [kind.Transform]. A record is found to be too long only
// where it passes the end of a block, so blocks are no larger than a record
// may be.
func (c *Lines) Build(env kind.Env) (pipeline.Transform, error) {
	t := pipeline.Lines{Size: pipeline.BlockSize, MaxRecord: int(env.MaxRecord), Blocks: max(1, env.Workers) + 2}
	if t.MaxRecord > 0 {
		t.Size = min(t.Size, t.MaxRecord)
	}
	if c.Metadata != "split" {
		t.Skip = skipMetadata()
	}
	if c.Pairs != "no" && env.Target != nil {
		t.Pair = isAction
	}
	return t, nil
}

// skipMetadata leaves out what describes indices, and says so once.
func skipMetadata() func(context.Context, *pipeline.Item) bool {
	var first sync.Once
	return func(ctx context.Context, it *pipeline.Item) bool {
		if !keys.IsMetadata(it.Key) {
			return false
		}
		first.Do(func() {
			pipeline.Logger(ctx).Info("metadata holds no records: such objects are skipped", "first", it.Key)
		})
		return true
	}
}
