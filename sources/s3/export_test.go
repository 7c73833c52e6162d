package s3

import (
	"context"

	"sluice/internal/objects"
)

// Lister is what a plan asks of a bucket.
type Lister = lister

// Span is a range of keys, after one and up to another.
type Span struct{ After, Until string }

// MostRequests is how many requests a plan may take.
const MostRequests = most

// Split divides the keys of a bucket.
func Split(ctx context.Context, l Lister, prefix, after string, few, wanted int) (all []Span, requests int64, err error) {
	s := &splitter{lister: l, prefix: prefix, after: after, wanted: wanted}
	spans, err := s.split(ctx, few)
	for _, s := range spans {
		again, perr := parseSpan(s.String())
		if perr != nil {
			return nil, 0, perr
		}
		all = append(all, Span{again.after, again.until})
	}
	return all, min(s.asked.Load(), most), err
}

// Page and Prefixes are of a splitter's questions.
var _ lister = (*objects.Client)(nil)

// Token and Untoken are of keys in positions.
var Token, Untoken = token, untoken

// ErrSum is why bytes are not believed.
var ErrSum = errSum

// Match is a pattern of a filter.
func Match(pattern string) (func(key string) bool, error) {
	all, err := compile([]string{pattern})
	if err != nil {
		return nil, err
	}
	return all[0].MatchString, nil
}
