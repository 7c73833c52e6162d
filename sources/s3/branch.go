package s3

import (
	"cmp"
	"context"
	"sort"
	"strings"
	"unicode/utf8"
)

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

// named looks into branches of b of these names. If there are many, it puts
// several of them together: some for each span.
func (s *splitter) named(ctx context.Context, b branch, names []string, end string) ([]branch, error) {
	n := len(names)
	if seen := max(s.wanted, int(most-s.asked.Load())/4); n > seen {
		n = min(seen, 2+int(4*b.share*float64(s.wanted)))
	}
	parts := []branch{}
	for i := range n {
		at, next := i*len(names)/n, (i+1)*len(names)/n
		count, many := full, next-at > 1
		if many {
			count = 1 // how many there are behind one name says nothing
		}
		p, err := s.look(ctx, names[at], b.first, end, count)
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
		if many {
			p.shared, p.more = b.shared, true
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// look asks for at most so many keys that begin with prefix, and come after one.
func (s *splitter) look(ctx context.Context, prefix, after, end string, max int) (b branch, err error) {
	keys, more, err := s.keys(ctx, prefix, after, end, max)
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
