package s3

import (
	"context"

	"sluice/internal/objects"
	"sluice/pipeline"
)

// Count implements [pipeline.Counter]: it lists the keys of each lane, one page
// at a time. That is a request for each thousand objects, beside one for each
// that is read. A pass with start: now reads none of them.
func (r *reader) Count(ctx context.Context, lanes []pipeline.Lane, tell func(lane string, objects, bytes int64)) error {
	if r.config.Start == "now" {
		return nil
	}
	for _, lane := range lanes {
		l, err := r.lister(lane, pipeline.Position{})
		if err != nil {
			return err
		}
		if l.spec.Keys == hintLanes {
			continue
		}
		n, bytes, err := l.count(ctx)
		if err != nil {
			return err
		}
		tell(lane.Name, n, bytes)
	}
	return nil
}

// count counts what the lane holds; what describes it is no part of that.
func (l *listing) count(ctx context.Context) (n, bytes int64, err error) {
	add := func(o objects.Object) error {
		if l.wants(o) {
			n, bytes = n+1, bytes+o.Size
		}
		return nil
	}
	switch {
	case l.spec.Keys == metadataLane:
	case l.config.Versions == allVersions:
		err = l.eachVersion(ctx, l.keys.after, func(v objects.Version) error {
			if v.Deleted {
				return nil
			}
			return add(v.Object)
		})
	default:
		err = l.each(ctx, l.keys.after, add)
	}
	return n, bytes, err
}
