package s3

import (
	"context"

	"sluice/internal/objects"
	"sluice/pipeline"
)

// Count implements [pipeline.Counter]: it lists the keys of the lane, one page at
// a time. That is a request for each thousand objects, beside one for each that
// is read. Of a key with several versions, those behind a position are left out.
func (r *reader) Count(ctx context.Context, lane pipeline.Lane, from pipeline.Position) (n, bytes int64, ok bool, err error) {
	l, err := r.lister(lane, from)
	switch {
	case err != nil, l.spec.Keys == hintLanes, r.config.Start == "now": // whose first pass reads nothing
		return 0, 0, false, err
	case l.spec.Keys == metadataLane:
		return 0, 0, true, nil
	}
	err = l.behind(ctx, func(o objects.Object) error {
		if l.wants(o) {
			n, bytes = n+1, bytes+o.Size
		}
		return nil
	})
	return n, bytes, err == nil, err
}

// behind calls f for the objects, or their versions, of the keys behind the
// position.
func (l *listing) behind(ctx context.Context, f func(objects.Object) error) error {
	if l.config.Versions != allVersions {
		after, err := untoken(l.from.Token)
		if err != nil {
			return err
		}
		return l.each(ctx, max(l.keys.after, after), f)
	}
	after, _, err := parseToken(l.from.Token)
	if err != nil {
		return err
	}
	return l.eachVersion(ctx, max(l.keys.after, after), func(v objects.Version) error {
		if v.Deleted {
			return nil
		}
		return f(v.Object)
	})
}
