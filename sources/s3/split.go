package s3

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"unicode/utf8"

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

// delimited divides b where a delimiter shows few branches, and goes down where
// it shows only one.
func (s *splitter) delimited(ctx context.Context, b *branch, end string) ([]branch, error) {
	for !b.flat {
		d := delimiter(b.first[b.shared:])
		if d == "" {
			return nil, nil
		}
		names, err := s.names(ctx, b, d, end)
		if err != nil {
			return nil, err
		}
		if len(names) > 1 {
			return s.named(ctx, *b, names, end)
		}
		if len(names) == 1 {
			b.shared = len(names[0])
		}
	}
	return nil, nil
}

// delimiter is what a key has its parts between: slashes, or the first thing
// that is neither a letter nor a digit.
func delimiter(rest string) string {
	if strings.Contains(rest, "/") {
		return "/"
	}
	for _, r := range rest {
		if r > ' ' && r < utf8.RuneSelf && !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return string(r)
		}
	}
	return ""
}

// names gives what the branches of b begin with, up to a delimiter; nothing,
// and b is flat, if there are too many for a page.
func (s *splitter) names(ctx context.Context, b *branch, d, end string) ([]string, error) {
	if s.asked.Add(1) > most {
		return nil, errEnough
	}
	stem, rest := b.first[:b.shared], b.first[b.shared:]
	all, more, err := s.Prefixes(ctx, stem, d, b.first)
	if err != nil {
		return nil, err
	}
	names := []string{stem + rest[:strings.Index(rest, d)+len(d)]}
	for _, name := range all {
		if end != "" && name >= end {
			more = false
			break
		}
		if name > names[len(names)-1] {
			names = append(names, name)
		}
	}
	if more {
		b.flat = true
		return nil, nil
	}
	return names, nil
}

// named looks into branches of b of these names, evenly chosen if there are many.
func (s *splitter) named(ctx context.Context, b branch, names []string, end string) ([]branch, error) {
	n := min(len(names), max(s.wanted, int(most-s.asked.Load())/4))
	parts := []branch{}
	for i := range n {
		at, next := i*len(names)/n, (i+1)*len(names)/n
		p, err := s.look(ctx, names[at], b.first, end)
		if err != nil {
			return parts, err
		}
		if i == 0 {
			p.first, p.keys = b.first, p.keys+1
		}
		if p.first == "" { // it is gone
			continue
		}
		p.shared = len(names[at])
		if next-at > 1 {
			p.shared, p.more = b.shared, true
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// look asks for a page of what begins with prefix, and comes after a key.
func (s *splitter) look(ctx context.Context, prefix, after, end string) (b branch, err error) {
	keys, more, err := s.keys(ctx, prefix, after, end, full)
	if len(keys) == 0 {
		return branch{}, err
	}
	return branch{first: keys[0], last: keys[len(keys)-1], keys: len(keys), more: more}, err
}

// keys asks for a page of keys.
func (s *splitter) keys(ctx context.Context, prefix, after, end string, max int) (keys []string, more bool, err error) {
	if s.asked.Add(1) > most {
		return nil, false, errEnough
	}
	page, more, err := s.Page(ctx, prefix, after, max)
	if err != nil {
		return nil, false, err
	}
	for _, o := range page {
		if end != "" && o.Key >= end {
			return keys, false, nil
		}
		if o.Key > after { // else the store has another order in mind
			keys = append(keys, o.Key)
		}
	}
	return keys, more, nil
}

// lettered divides b at the first rune in which its keys differ. Where there
// are many, a branch has two runes, four, and so on.
func (s *splitter) lettered(ctx context.Context, b branch, end string) (parts []branch, err error) {
	at, step := b.shared, max(1, b.wide/rune(s.wanted))
	if b.wide == 0 {
		if at, err = s.differ(ctx, b, end); err != nil {
			return nil, err
		}
	}
	stem := b.first[:at]
	parts = []branch{{first: b.first, last: b.first, keys: 1, shared: at + letter(b.first[at:])}}
	for after := b.first; ; {
		keys, more, err := s.keys(ctx, stem, after, end, full)
		if err != nil || len(keys) == 0 {
			return parts, err
		}
		parts = s.enter(parts, keys, at, step)
		p := &parts[len(parts)-1]
		if !more && step == 1 {
			return parts, nil
		}
		p.more = true
		if after = beyond(p.first[:at+letter(p.first[at:])], step); after <= p.first {
			return parts, nil
		}
		if len(parts) >= s.wanted && b.wide == 0 {
			step *= 2
		}
	}
}

// enter adds a page of keys to branches that differ at a byte. If they have
// several runes each, the page begins another one.
func (s *splitter) enter(parts []branch, keys []string, at int, step rune) []branch {
	if step > 1 {
		return append(parts, branch{first: keys[0], last: keys[len(keys)-1], keys: len(keys), shared: at, wide: step})
	}
	for _, key := range keys {
		p := &parts[len(parts)-1]
		if p.shared == at || !strings.HasPrefix(key, p.first[:p.shared]) {
			parts = append(parts, branch{first: key, shared: at + letter(key[at:])})
			p = &parts[len(parts)-1]
		}
		p.keys, p.last = p.keys+1, key
	}
	return parts
}

// differ gives the number of bytes that all keys of b begin with.
func (s *splitter) differ(ctx context.Context, b branch, end string) (int, error) {
	var ends []int // of runes
	for at, known := b.shared, common(b.first, b.last); at < known; {
		at += letter(b.first[at:])
		ends = append(ends, at)
	}
	var failed error
	n := sort.Search(len(ends), func(i int) bool {
		keys, _, err := s.keys(ctx, b.first[:b.shared], beyond(b.first[:ends[i]], 1), end, 1)
		failed = cmp.Or(failed, err)
		return failed != nil || len(keys) > 0
	})
	if n == 0 {
		return b.shared, failed
	}
	return ends[n-1], failed
}

// common is how many bytes two keys begin with, up to the end of a rune.
func common(a, b string) (n int) {
	for n < len(a) {
		size := letter(a[n:])
		if !strings.HasPrefix(b[n:], a[n:n+size]) {
			break
		}
		n += size
	}
	return n
}

// letter is the number of bytes of the first rune.
func letter(s string) int {
	_, size := utf8.DecodeRuneInString(s)
	return size
}

// beyond is what comes, by step runes, after all that begins with a prefix. It
// is UTF-8 if the prefix is.
func beyond(prefix string, step rune) string {
	r, size := utf8.DecodeLastRuneInString(prefix)
	next := r + step
	if !utf8.ValidRune(next) {
		next = max(next, 0xe000) // behind the surrogates
	}
	if r == utf8.RuneError && size <= 1 || !utf8.ValidRune(next) {
		return prefix + string(utf8.MaxRune)
	}
	return prefix[:len(prefix)-size] + string(next)
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
