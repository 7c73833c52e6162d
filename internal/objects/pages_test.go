package objects_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/objects"
)

// lister is a store that lists keys in pages, by both versions of the protocol.
type lister struct {
	keys     []string
	asked    []string // max-keys of each request
	requests int
	edit     func(n int, after, page string) string // of page n
}

func (l *lister) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	l.requests++
	l.asked = append(l.asked, q.Get("max-keys"))
	most, err := strconv.Atoi(q.Get("max-keys"))
	if err != nil {
		most = 1000
	}
	after := max(q.Get("start-after"), q.Get("continuation-token"), q.Get("marker"))
	var keys []string
	token := ""
	for _, k := range l.keys {
		if k <= after || !strings.HasPrefix(k, q.Get("prefix")) {
			continue
		}
		if len(keys) == most {
			token = keys[most-1]
			break
		}
		keys = append(keys, k)
	}
	p := page("", token, keys...)
	if q.Get("list-type") != "2" {
		p = strings.Replace(p, "<NextContinuationToken>"+token+"</NextContinuationToken>", "", 1)
	}
	if l.edit != nil {
		p = l.edit(l.requests, after, p)
	}
	io.WriteString(w, p)
}

// numbered gives n keys with a prefix.
func numbered(prefix string, n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("%s%05d", prefix, i))
	}
	return keys
}

func TestALongPageIsFollowedByOneOfFewerKeys(t *testing.T) {
	l := &lister{keys: append(numbered(strings.Repeat("x", 5000), 2100), numbered("y", 3000)...)}
	all, err := list(client(t, stub(t, l.ServeHTTP)), t.Context(), "", "")
	if diff := cmp.Diff(l.keys, keysOf(all)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if n, _ := strconv.Atoi(l.asked[1]); l.asked[0] != "" || n < 150 || n > 250 {
		t.Errorf("asked for %q keys, want 1,000 and then as many as make a MiB", l.asked)
	}
	if last := l.asked[len(l.asked)-1]; last != "" {
		t.Errorf("asked for %q keys at last, want 1,000 again, as they are short", last)
	}
}

func TestTheOlderListingGivesTheSame(t *testing.T) {
	l := &lister{keys: numbered("p/", 2500)}
	cfg := stub(t, l.ServeHTTP)
	cfg.Quirks.ListVersion = 1
	for _, after := range []string{"", "p/01234"} {
		all, err := list(client(t, cfg), t.Context(), "p/", after)
		want := l.keys
		if after != "" {
			want = want[1235:]
		}
		if diff := cmp.Diff(want, keysOf(all)); diff != "" || err != nil {
			t.Errorf("after %q: %v (-want +got):\n%s", after, err, diff)
		}
	}
}

func TestTheOlderListingGoesOnFromAnEncodedMarker(t *testing.T) {
	var asked []string
	cfg := stub(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("marker"))
		if len(asked) == 1 {
			io.WriteString(w, "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextMarker>a%2B+b</NextMarker></ListBucketResult>")
			return
		}
		io.WriteString(w, page("url", "", "a%2B+c"))
	})
	cfg.Quirks.ListVersion = 1
	all, err := list(client(t, cfg), t.Context(), "", "")
	if !cmp.Equal(keysOf(all), []string{"a+ c"}) || err != nil || !cmp.Equal(asked, []string{"", "a+ b"}) {
		t.Errorf("got %q, %v, asked for what follows %q", keysOf(all), err, asked)
	}
}

func TestShortPagesAreNoEnd(t *testing.T) {
	l := &lister{keys: numbered("", 2500)}
	empty := 0
	l.edit = func(n int, after, p string) string {
		if n%2 == 0 { // a page without a key, after which there is more
			empty++
			return page("", after+"-")
		}
		return p
	}
	all, err := list(client(t, stub(t, l.ServeHTTP)), t.Context(), "", "")
	if diff := cmp.Diff(l.keys, keysOf(all)); diff != "" || err != nil || empty == 0 {
		t.Errorf("%v, %d empty pages (-want +got):\n%s", err, empty, diff)
	}
	l.requests = 0
	l.edit = func(n int, after, p string) string {
		if n > 9 {
			return page("", "")
		}
		return page("", "the same")
	}
	if _, err := list(client(t, stub(t, l.ServeHTTP)), t.Context(), "", ""); err == nil || !strings.Contains(err.Error(), "again and again") {
		t.Errorf("got %v, want that it gives nothing again and again", err)
	}
	l.edit = func(n int, after, p string) string { return page("", "", "elsewhere") }
	if _, err := list(client(t, stub(t, l.ServeHTTP)), t.Context(), "p/", ""); err == nil || !strings.Contains(err.Error(), "not asked for") {
		t.Errorf("got %v, want that it was not asked for", err)
	}
}

func TestAPageThatIsTooLongForAnyIsAnError(t *testing.T) {
	c := client(t, stub(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, page("", "", strings.Repeat("x", 9<<20)))
	}))
	if _, err := list(c, t.Context(), "", ""); err == nil || !strings.Contains(err.Error(), "more than 8388608 bytes") {
		t.Errorf("got %v, want that it is too long", err)
	}
}

// version is the XML of a version, and mark of a mark of deletion.
func version(key, id string, latest bool, second int) string {
	return fmt.Sprintf("<Version><Key>%s</Key><VersionId>%s</VersionId><IsLatest>%v</IsLatest><LastModified>2026-01-02T03:04:%02dZ</LastModified><Size>1</Size></Version>", key, id, latest, second)
}

func mark(key, id string, latest bool, second int) string {
	v := strings.Replace(version(key, id, latest, second), "<Size>1</Size>", "", 1)
	return strings.ReplaceAll(v, "Version>", "DeleteMarker>")
}

func versions(parts ...string) string {
	return "<ListVersionsResult>" + strings.Join(parts, "") + "<IsTruncated>false</IsTruncated></ListVersionsResult>"
}

func TestVersionsAndMarksComeInOrderHoweverTheyAreListed(t *testing.T) {
	want := "a:3 a:2- a:1 b:5- b:4 c:6"
	for name, body := range map[string]string{
		"mixed":        versions(version("a", "3", true, 9), mark("a", "2", false, 8), version("a", "1", false, 7), mark("b", "5", true, 6), version("b", "4", false, 5), version("c", "6", true, 4)),
		"marks last":   versions(version("a", "3", true, 9), version("a", "1", false, 7), version("b", "4", false, 5), version("c", "6", true, 4), mark("a", "2", false, 8), mark("b", "5", true, 6)),
		"out of order": versions(version("b", "3", true, 9), version("a", "1", false, 7)),
	} {
		c := client(t, stub(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) }))
		var got []string
		err := c.Versions(t.Context(), "", "", func(v objects.Version) error {
			s := v.Key + ":" + v.VersionID
			if v.Deleted {
				s += "-"
			}
			got = append(got, s)
			return nil
		})
		if name == "out of order" {
			if err == nil || !strings.Contains(err.Error(), "not in order") {
				t.Errorf("%s: got %q, %v, want an error", name, got, err)
			}
		} else if strings.Join(got, " ") != want || err != nil {
			t.Errorf("%s: got %q, %v, want %s", name, got, err, want)
		}
	}
}

func TestAllPagesOfVersionsAndUploadsAreRead(t *testing.T) {
	requests := 0
	stuck := false
	c := client(t, stub(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		q := r.URL.Query()
		n := 0
		fmt.Sscan(strings.TrimPrefix(q.Get("key-marker"), "k "), &n)
		if q.Has("versions") {
			fmt.Fprintf(w, "<ListVersionsResult><EncodingType>url</EncodingType>%s<IsTruncated>%v</IsTruncated><NextKeyMarker>k+%d</NextKeyMarker><NextVersionIdMarker>%d</NextVersionIdMarker></ListVersionsResult>",
				version(fmt.Sprintf("k+%d", n+1), "v", true, 1), n < 4, n+1, n+1)
			return
		}
		next := n + 1
		if stuck {
			next = n
		}
		fmt.Fprintf(w, "<ListMultipartUploadsResult><EncodingType>url</EncodingType><Upload><Key>k+%d</Key><UploadId>u%d</UploadId><Initiated>2026-01-02T03:04:05.000Z</Initiated></Upload><IsTruncated>%v</IsTruncated><NextKeyMarker>k+%d</NextKeyMarker><NextUploadIdMarker>u%d</NextUploadIdMarker></ListMultipartUploadsResult>",
			n+1, n+1, n < 4, next, next)
	}))
	var got []string
	if err := c.Versions(t.Context(), "", "", func(v objects.Version) error { got = append(got, v.Key); return nil }); err != nil || strings.Join(got, ",") != "k 1,k 2,k 3,k 4,k 5" || requests != 5 {
		t.Errorf("got %q, %v with %d requests", got, err, requests)
	}
	got = nil
	add := func(key, id string, begun time.Time) error { got = append(got, key+" "+id); return nil }
	if err := c.Uploads(t.Context(), "", add); err != nil || len(got) != 5 || got[4] != "k 5 u5" {
		t.Errorf("got %q, %v", got, err)
	}
	stuck = true
	if err := c.Uploads(t.Context(), "", add); err == nil || !strings.Contains(err.Error(), "not how to ask") {
		t.Errorf("got %v, want that it does not say how to go on", err)
	}
}
