package s3

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"sluice/internal/objects"
)

// lister is what a splitter asks of a bucket.
type lister interface {
	Page(ctx context.Context, prefix, after string, max int) (page []objects.Object, more bool, err error)
	Prefixes(ctx context.Context, prefix, delimiter, after string) (prefixes []string, more bool, err error)
}

const (
	full    = 1000 // keys on a page
	most    = 200  // requests that a plan may take
	sideway = 8    // of them at a time
)

// splitter divides the keys of a bucket into spans of about the same number of
// keys. A store tells nothing about numbers but what is on a page: so the keys
// are taken for a tree, whose branches are found where a delimiter or the next
// letter of the keys makes a difference, and whatever has more than a page is
// divided as long as it is thought to be too large. Between branches there is
// no more to go by than that they are equally large.
//
// The bounds of spans are keys that exist: how a store compares others, with
// half of a rune at their end for example, is nobody's promise. Where nothing
// but the choice of bounds depends on it, it is asked for others, too.
type splitter struct {
	lister
	prefix string
	after  string // keys up to this one do not count
	wanted int    // spans
	asked  atomic.Int64
}

// branch is the keys from first on, up to the first of the next branch.
type branch struct {
	first  string  // a key
	last   string  // another one that is known
	shared int     // so many bytes of first, all of them begin with, or all but a few
	keys   int     // that are known
	more   bool    // there are more of them
	wide   rune    // runes that come first behind what is shared, if there may be many
	share  float64 // of all keys in the bucket
	flat   bool    // too many branches for a delimiter to show
}

// split gives spans that cover all keys after s.after, in order, each key in
// one of them. The first page is all of a small bucket; its objects are divided
// among few lanes by their sizes.
func (s *splitter) split(ctx context.Context, few int) ([]span, error) {
	page, more, err := s.Page(ctx, s.prefix, s.after, full)
	if err != nil {
		return nil, err
	}
	if !more || len(page) == 0 {
		return divide(page, s.after, few), nil
	}
	s.asked.Add(1)
	tree := []branch{{first: page[0].Key, last: page[len(page)-1].Key, shared: len(s.prefix), keys: len(page), more: true, share: 1}}
	for more := true; more && s.asked.Load() < most; {
		if tree, more, err = s.grow(ctx, tree); err != nil {
			return nil, err
		}
	}
	return s.cut(tree), nil
}

// divide divides objects that are known. One costs a request, and its bytes.
func divide(page []objects.Object, after string, n int) (spans []span) {
	weight := func(o objects.Object) int64 { return 256<<10 + o.Size }
	var all, sum int64
	for _, o := range page {
		all += weight(o)
	}
	for i, o := range page {
		sum += weight(o)
		if i+1 < len(page) && sum >= all/int64(n)*int64(len(spans)+1) {
			spans = append(spans, span{after, o.Key})
			after = o.Key
		}
	}
	return append(spans, span{after: after})
}

// grow divides the branches that are too large, the largest first, several at a
// time. If there are none, tried is false.
func (s *splitter) grow(ctx context.Context, tree []branch) (out []branch, tried bool, err error) {
	parts, largest := make([][]branch, len(tree)), 0.0
	for _, b := range tree {
		if b.more {
			largest = max(largest, b.share)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(sideway)
	for i, b := range tree {
		parts[i] = []branch{b}
		if !b.more || b.share*float64(s.wanted) <= 1 || b.share < largest/2 {
			continue
		}
		end := ""
		if i+1 < len(tree) {
			end = tree[i+1].first
		}
		tried = true
		g.Go(func() (err error) {
			parts[i], err = s.divide(ctx, b, end)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, false, err
	}
	return slices.Concat(parts...), tried, nil
}

// errEnough says that there is nothing more to find out.
var errEnough = errors.New("enough requests")

// divide finds the branches of b, whose keys come before end.
func (s *splitter) divide(ctx context.Context, b branch, end string) ([]branch, error) {
	parts, err := s.delimited(ctx, &b, end)
	if len(parts) < 2 && (err == nil || refused(err)) {
		parts, err = s.lettered(ctx, b, end)
	}
	if err != nil && err != errEnough && !refused(err) {
		return nil, err
	}
	if len(parts) < 2 {
		b.more = false // as far as we can know
		return []branch{b}, nil
	}
	sum := 0.0
	for _, p := range parts {
		sum += p.weight()
	}
	for i := range parts {
		parts[i].share = b.share * parts[i].weight() / sum
		parts[i].flat = parts[i].flat || b.flat
	}
	return parts, nil
}

// refused says whether a store cannot answer a question. There are those that
// know no delimiter but the slash, or want no odd keys.
func refused(err error) bool {
	var answer *objects.Error
	return errors.As(err, &answer) && (answer.Status == 400 || answer.Status == 501)
}

// weight is how large b is beside others, as far as is known.
func (b *branch) weight() float64 {
	if b.more {
		return 4 * full * float64(max(1, b.wide))
	}
	return float64(b.keys)
}

// cut makes spans of branches that lie side by side.
func (s *splitter) cut(tree []branch) (spans []span) {
	sum, after := 0.0, s.after
	for _, b := range tree {
		if b.first > after && sum > 0 && (sum+b.share/2)*float64(s.wanted) >= 1 {
			spans = append(spans, span{after, b.first})
			sum, after = 0, b.first
		}
		sum += b.share
	}
	return append(spans, span{after: after})
}
