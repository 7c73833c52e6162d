package s3_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"sluice/internal/objects"
	"sluice/sources/s3"
)

const mostRequests = 200 // that a plan may take

// keyspace is a bucket that answers what plans ask.
type keyspace struct {
	keys  []string // sorted
	asked atomic.Int64
}

func (k *keyspace) from(prefix, after string) int {
	i := sort.SearchStrings(k.keys, prefix)
	return max(i, sort.Search(len(k.keys), func(i int) bool { return k.keys[i] > after }))
}

func (k *keyspace) Page(_ context.Context, prefix, after string, max int) (page []objects.Object, more bool, err error) {
	k.asked.Add(1)
	for i := k.from(prefix, after); i < len(k.keys) && strings.HasPrefix(k.keys[i], prefix); i++ {
		if len(page) == max {
			return page, true, nil
		}
		page = append(page, objects.Object{Key: k.keys[i], Size: 1000})
	}
	return page, false, nil
}

func (k *keyspace) Prefixes(_ context.Context, prefix, delimiter, after string) (all []string, more bool, err error) {
	k.asked.Add(1)
	for i, n := k.from(prefix, after), 0; i < len(k.keys) && strings.HasPrefix(k.keys[i], prefix); i, n = i+1, n+1 {
		if n == 1000 {
			return all, true, nil
		}
		head, _, cut := strings.Cut(k.keys[i][len(prefix):], delimiter)
		if !cut {
			continue
		}
		p := prefix + head + delimiter
		if p > after {
			all = append(all, p)
		}
		for i+1 < len(k.keys) && strings.HasPrefix(k.keys[i+1], p) {
			i++
		}
	}
	return all, false, nil
}

// count says how many keys are in each span, and fails if they do not cover
// all keys, each once.
func count(t interface{ Fatalf(string, ...any) }, spans []s3.Span, keys []string, after string) (n []int) {
	last := after
	for i, s := range spans {
		if s.After != last || (s.Until == "") != (i == len(spans)-1) || s.Until != "" && s.Until <= s.After {
			t.Fatalf("span %d of %q does not go on where the last one ends", i, spans)
		}
		last = s.Until
		m := 0
		for _, k := range keys {
			if k > s.After && (s.Until == "" || k <= s.Until) {
				m++
			}
		}
		n = append(n, m)
	}
	return n
}

// layouts are buckets as people make them.
func layouts() map[string][]string {
	all := map[string][]string{}
	add := func(name, format string, args ...any) { all[name] = append(all[name], fmt.Sprintf(format, args...)) }
	r := rand.New(rand.NewPCG(1, 2))
	var id [16]byte
	uuid := func() string {
		for i := range id {
			id[i] = byte(r.UintN(256))
		}
		s := hex.EncodeToString(id[:])
		return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
	}
	for i := range 30_000 {
		add("uuid", "data/%s.json", uuid())
		add("hash dirs", "%s/%s/blob", uuid()[:2], uuid())
		add("numbers", "part-%08d.gz", i)
		add("hours", "logs/%04d/%02d/%02d/%02d/%s", 2024+i%3, 1+i/3%12, 1+i/36%28, i%24, uuid())
		add("hive", "t/year=%04d/month=%02d/day=%02d/part-%05d", 2024+i%3, 1+i/3%12, 1+i/36%28, i)
		add("one tenant", "tenant-%02d/%04d-%02d-%02d/%s", max(0, i%1000-970), 2024+i%3, 1+i/3%12, 1+i/36%28, uuid())
		add("stamps", "app-%04d-%02d-%02dT%02d:%02d-%s", 2024+i%3, 1+i/3%12, 1+i/36%28, i%24, i%60, uuid()[:4])
		add("deep", "a/b/c/d/e/f/g/h/%s/x/%s", uuid()[:1], uuid())
		add("many dirs", "user-%06d/profile.json", i)
		add("other alphabets", "%c%c/é%d", 0x4e00+rune(r.UintN(5000)), 0x3b1+rune(r.UintN(24)), i)
		add("odd bytes", "%c%s", rune(1+r.UintN(30)), uuid())
		add("not text", "%s", string(id[:6]))
	}
	for i := range 80_000 {
		add("crowded day", "d/2024-01-0%d/%s", 1+i/60_000, uuid())
	}
	for name := range all {
		slices.Sort(all[name])
		all[name] = slices.Compact(all[name])
	}
	return all
}

func TestKeysAreDividedEvenlyByFewRequests(t *testing.T) {
	for name, keys := range layouts() {
		t.Run(name, func(t *testing.T) {
			for _, parallel := range []int{2, 4, 16} {
				k := &keyspace{keys: keys}
				spans, _, err := s3.Split(t.Context(), k, "", "", parallel, 4*parallel)
				if err != nil {
					t.Fatal(err)
				}
				n := count(t, spans, keys, "")
				biggest, requests := float64(slices.Max(n))/float64(len(keys)), k.asked.Load()
				t.Logf("%2d parallel: %2d spans, the biggest has %.3f, %d requests", parallel, len(spans), biggest, requests)
				even := 1.3 / float64(parallel)
				if requests == mostRequests { // they were not enough
					even *= 2
				}
				if len(spans) < parallel || len(spans) > 8*parallel || biggest > even && name != "not text" || requests > mostRequests {
					t.Errorf("%d parallel: %d spans of %d keys in %d requests: %v", parallel, len(spans), len(keys), requests, n)
				}
			}
		})
	}
}

func TestASmallBucketIsDividedByItsOnlyPage(t *testing.T) {
	for n := range 12 {
		k := &keyspace{}
		for i := range n {
			k.keys = append(k.keys, fmt.Sprint("k", 10+i))
		}
		spans, _, err := s3.Split(t.Context(), k, "k", "", 4, 16)
		if err != nil {
			t.Fatal(err)
		}
		got := count(t, spans, k.keys, "")
		if len(spans) != max(1, min(n, 4)) || slices.Max(got)-slices.Min(got) > 1 || k.asked.Load() != 1 {
			t.Errorf("%d keys: got %d spans of %v keys in %d requests, want at most 4, even, in one", n, len(spans), got, k.asked.Load())
		}
	}
}

func TestSpansCoverAnyKeysOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.SampledFrom([]string{"ab", "0123456789/", "a/-\x01", "aé日\U0001f389", "\xff\x80a", "01-/.xyzABC\x7f~"}).Draw(t, "alphabet")
		letters := strings.Split(alphabet, "")
		if !utf8.ValidString(alphabet) {
			letters = []string{"\xff", "\x80", "a", "é"}
		}
		prefix := rapid.SampledFrom([]string{"", "p/", "x"}).Draw(t, "prefix")
		n, length := rapid.IntRange(0, 6000).Draw(t, "n"), rapid.IntRange(1, 24).Draw(t, "length")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		skew := rapid.Bool().Draw(t, "skew")
		k := &keyspace{}
		for range n {
			var b strings.Builder
			b.WriteString(prefix)
			for range 1 + r.IntN(length) {
				at := r.IntN(len(letters))
				if skew {
					at = r.IntN(at + 1)
				}
				b.WriteString(letters[at])
			}
			k.keys = append(k.keys, b.String())
		}
		slices.Sort(k.keys)
		k.keys = slices.Compact(k.keys)
		after := ""
		if len(k.keys) > 0 && rapid.Bool().Draw(t, "after") {
			after = k.keys[r.IntN(len(k.keys))]
		}
		wanted := rapid.IntRange(1, 40).Draw(t, "wanted")
		spans, _, err := s3.Split(context.Background(), k, prefix, after, max(1, wanted/4), wanted)
		if err != nil {
			t.Fatal(err)
		}
		count(t, spans, k.keys, after)
		if k.asked.Load() > mostRequests {
			t.Fatalf("%d requests", k.asked.Load())
		}
	})
}

func FuzzKeysInPositions(f *testing.F) {
	for _, k := range []string{"", "a", `"a`, `"`, "\xff", "é", "\x00", "\ufffd", `a" "b`} {
		f.Add(k)
	}
	f.Fuzz(func(t *testing.T, key string) {
		text := s3.Token(key)
		if !utf8.ValidString(text) {
			t.Errorf("token of %q is not UTF-8", key)
		}
		if got, err := s3.Untoken(text); err != nil || got != key {
			t.Errorf("got %q, %v, want %q", got, err, key)
		}
		s3.Untoken(key)
	})
}
