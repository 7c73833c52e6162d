package s3

import (
	"context"
	"fmt"

	"sluice/pipeline"
)

// spansPerLane is how many lanes are planned for one that runs at a time, so
// that none is the last by far.
const spansPerLane = 4

// Plan implements [pipeline.Reader]. A lane is a range of keys; the last one has
// no end.
func (r *reader) Plan(ctx context.Context) ([]pipeline.Lane, error) {
	parallel := max(1, r.pass.Parallel)
	s := &splitter{lister: r.client, prefix: r.config.Prefix, wanted: spansPerLane * parallel}
	spans, err := s.split(ctx, parallel)
	if err != nil {
		return nil, err
	}
	return r.lanes(spans), nil
}

// lanes makes a lane of each span. Its positions are keys, so they depend on
// nothing but the bucket and the span.
func (r *reader) lanes(spans []span) []pipeline.Lane {
	lanes := make([]pipeline.Lane, len(spans))
	digits := len(fmt.Sprint(len(spans) - 1))
	for i, s := range spans {
		lanes[i] = pipeline.Lane{
			Name: fmt.Sprintf("%s-%0*d", r.config.Bucket, digits, i), Part: i, Parts: len(lanes),
			ID: r.config.Place() + " " + s.String(), Spec: s.String(),
		}
		if r.news {
			lanes[i].ID = newID(lanes[i].ID, r.pass.Number)
		}
	}
	return lanes
}
