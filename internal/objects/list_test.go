package objects_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/objects"
	"sluice/internal/objects/objectstest"
	"sluice/test/faultproxy"
)

// page is the XML of a listing; keys are written as they are given.
func page(encoding, token string, keys ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0"?><ListBucketResult><Name>b</Name><IsTruncated>%v</IsTruncated>`, token != "")
	if token != "" && token != "none" {
		fmt.Fprintf(&b, `<NextContinuationToken>%s</NextContinuationToken>`, token)
	}
	if encoding != "" {
		fmt.Fprintf(&b, `<EncodingType>%s</EncodingType>`, encoding)
	}
	for _, k := range keys {
		fmt.Fprintf(&b, `<Contents><Key>%s</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>`, k)
	}
	b.WriteString(`</ListBucketResult>`)
	return b.String()
}

func keysOf(all []objects.Object) (keys []string) {
	for _, o := range all {
		keys = append(keys, o.Key)
	}
	return keys
}

func TestKeysAreDecodedIfTheStoreSaysThatItHasEncodedThem(t *testing.T) {
	encoding := ""
	c := client(t, stub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("encoding-type") != "url" {
			w.WriteHeader(400)
		}
		fmt.Fprint(w, page(encoding, "", "a%01b", "a%2Bb%25", "a+b/c", "%C3%A9%FF"))
	}))
	for _, tc := range []struct {
		encoding string
		want     []string
	}{
		{"url", []string{"a\x01b", "a+b%", "a b/c", "é\xff"}},
		{"", []string{"a%01b", "a%2Bb%25", "a+b/c", "%C3%A9%FF"}},
	} {
		encoding = tc.encoding
		var got []string
		err := c.List(t.Context(), "", "", func(o objects.Object) error {
			got = append(got, o.Key)
			return nil
		})
		// the page is not in order on purpose where it must not matter: only what came before the error counts
		if len(got) < 2 || !slices.Equal(got, tc.want[:len(got)]) {
			t.Errorf("encoding %q: got %q, %v, want %q", tc.encoding, got, err, tc.want)
		}
	}
}

func TestAListingThatCannotBeTrustedIsAnError(t *testing.T) {
	for name, tc := range map[string]struct{ body, want string }{
		"out of order":     {page("url", "", "b", "a"), `"a" after "b"`},
		"twice":            {page("url", "", "b", "b"), `"b" after "b"`},
		"before its start": {page("url", "", "0"), `"0" after "1"`},
		"no token":         {page("url", "none", "b"), "not how to ask"},
		"bad encoding":     {page("url", "", "%zz"), "%zz"},
		"cut":              {page("url", "", "b")[:200], "cannot be read"},
		"no key":           {page("url", "", ""), "no key"},
	} {
		c := client(t, stub(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, tc.body) }))
		_, err := list(c, t.Context(), "", "1")
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "list b/") {
			t.Errorf("%s: got %v, want %q in it", name, err, tc.want)
		}
	}
}

func TestAPageThatIsCutIsAskedForAgain(t *testing.T) {
	var n atomic.Int64
	c := client(t, stub(t, func(w http.ResponseWriter, r *http.Request) {
		body := page("url", "", "a", "b")
		if n.Add(1) == 1 {
			body = body[:len(body)-30]
		}
		fmt.Fprint(w, body)
	}))
	all, err := list(c, t.Context(), "", "")
	if got := keysOf(all); err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAllPagesAreListedInOrderAndFromAnyKeyOn(t *testing.T) {
	b := objectstest.New(t)
	p := faultproxy.New(t, b.Store.Endpoint)
	c := client(t, b.Config(p.URL))
	odd := []string{"a b", "a+b", "a%20b", "a%2Fb", "a&b<c>", "a-b", "a.b", "a/b", "é", "q\"'", "t ", "🎉", "a\\b", "new\nline", "\u2028"}
	var want []string
	for i := range 1_050 {
		want = append(want, fmt.Sprintf("many/%05d", i))
	}
	want = append(want, odd...)
	slices.Sort(want)
	put(t, c, want)
	p.Clear()
	p.Add(&faultproxy.Rule{Query: "list-type", Status: 503, Body: "<Error><Code>SlowDown</Code></Error>"})
	all, err := list(c, t.Context(), "", "")
	if diff := cmp.Diff(want, keysOf(all)); diff != "" || err != nil {
		t.Errorf("all keys: %v (-want +got):\n%s", err, diff)
	}
	if n := len(p.Requests("list-type")); n != 3 {
		t.Errorf("got %d requests, want one that failed and two pages", n)
	}
	for _, at := range []int{0, 3, 7, 9, 12, len(want) / 2, len(want) - 2, len(want) - 1} {
		all, err := list(c, t.Context(), "", want[at])
		if diff := cmp.Diff(want[at+1:], keysOf(all), emptyIsNil); diff != "" || err != nil {
			t.Errorf("after %q: %v (-want +got):\n%s", want[at], err, diff)
		}
	}
	all, err = list(c, t.Context(), "many/", "many/01040")
	if diff := cmp.Diff(want[:0:0], keysOf(all), emptyIsNil); err != nil || len(all) != 9 {
		t.Errorf("with a prefix: got %d keys, %v, want 9\n%s", len(all), err, diff)
	}
	if n, more, err := c.Count(t.Context(), ""); n != 1000 || !more || err != nil {
		t.Errorf("count: got %d, %v, %v, want 1000 and more", n, more, err)
	}
}
