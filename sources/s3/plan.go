package s3

import (
	"context"
	"fmt"
	"time"

	"sluice/pipeline"
)

// spansPerLane is how many lanes are planned for one that runs at a time, so
// that none is the last by far.
const spansPerLane = 4

// Plan implements [pipeline.Reader]. A lane is a range of keys, of which the last
// one has no end; or a share of what notifications have named.
func (r *reader) Plan(ctx context.Context) ([]pipeline.Lane, error) {
	wait, err := r.due()
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		return r.planHints(ctx, wait)
	}
	if err := r.lists(); err != nil {
		return nil, err
	}
	spans, err := r.spans(ctx, r.client, max(1, r.pass.Parallel))
	if err != nil {
		return nil, err
	}
	times, err := r.wanted.times(time.Now())
	if err != nil {
		return nil, err
	}
	return append(r.described(), r.lanes(spans, times)...), nil
}

// spans divides the bucket for so many lanes that run at a time.
func (s *Source) spans(ctx context.Context, l lister, parallel int) ([]span, error) {
	return (&splitter{lister: l, prefix: s.config.Prefix, after: s.config.StartAfter, wanted: spansPerLane * parallel}).split(ctx, parallel)
}

// lanes makes a lane of each span. Its positions are keys, so they depend on
// nothing but the bucket and the span.
func (r *reader) lanes(spans []span, t times) []pipeline.Lane {
	lanes := make([]pipeline.Lane, len(spans))
	digits := len(fmt.Sprint(len(spans) - 1))
	for i, s := range spans {
		lanes[i] = pipeline.Lane{
			Name: fmt.Sprintf("%s-%0*d", r.config.Bucket, digits, i), Part: i, Parts: len(lanes),
			ID: r.config.Identity() + " " + s.String(), Spec: spec{s.String(), t}.String(),
		}
		if r.news {
			lanes[i].ID = newID(lanes[i].ID, r.pass.Number)
		}
	}
	return lanes
}
