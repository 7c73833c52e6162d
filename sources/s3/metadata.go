package s3

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"sluice/internal/keys"
	"sluice/internal/objects"
	"sluice/pipeline"
)

// metadataLane is the name of the lane of metadata, and what it reads.
const metadataLane = keys.MetadataLane

// described is the lane of metadata, if there is to be one. It comes first: an
// index is made before its records come. Its ID is one of this pass alone: a
// later one takes all of it again.
func (r *reader) described() []pipeline.Lane {
	if !r.makes {
		return nil
	}
	return []pipeline.Lane{{
		Name: metadataLane, ID: fmt.Sprintf("metadata of pass %d", r.pass.Number), Spec: spec{Keys: metadataLane}.String(), Parts: 1, Aside: true,
	}}
}

// metadata sends the documents that describe indices, of all that lie below the
// prefix. Of the filter only exclude applies: what include, sizes and times say
// is said of data. They leave nothing behind that is known or done after them.
func (l *listing) metadata(ctx context.Context, out chan<- *pipeline.Item) error {
	after, err := untoken(l.from.Token)
	if err != nil {
		return err
	}
	return l.client.ListUntil(ctx, l.config.Prefix, after, "", func(o objects.Object) error {
		rest := strings.TrimPrefix(o.Key, l.config.Prefix)
		if path.Base(o.Key) != keys.Index || slices.ContainsFunc(l.wanted.exclude, func(re *regexp.Regexp) bool { return re.MatchString(rest) }) {
			return nil
		}
		it := l.item(o, l.ahead)
		it.Records, it.Notes = 0, nil
		return pipeline.Send(ctx, out, it)
	})
}
