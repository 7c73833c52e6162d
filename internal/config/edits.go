package config

import (
	"fmt"

	"sluice/internal/kind"
	"sluice/pipeline"
)

// Edit is a transform that changes records, without a pipeline around it.
type Edit struct {
	Stage string // its name
	pipeline.Edit
}

// Edits makes those transforms that change records, in order. before is how
// many transforms stand before the first of them.
func (p *Pipeline) Edits() (edits []Edit, before int, err error) {
	for i, t := range p.Transforms {
		options, ok := t.Options.(kind.Editor)
		if !ok {
			continue
		}
		e, err := options.Edit(p.env)
		if err != nil {
			return nil, 0, fmt.Errorf("pipeline %s: transform %s: %w", p.Name, t.Name, err)
		}
		if len(edits) == 0 {
			before = i
		}
		edits = append(edits, Edit{t.Name, e})
	}
	return edits, before, nil
}
