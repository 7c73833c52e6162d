package s3_test

import (
	"context"
	"crypto/md5"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/awscreds"
	"sluice/internal/objects"
	"sluice/internal/unit"
)

// stored is an object of a fake store.
type stored struct {
	body   []byte
	etag   string
	class  string
	header map[string]string // of replies, checksums for example
}

// fake is a store that speaks as much of the protocol as the source needs.
type fake struct {
	config objects.Config

	mu       sync.Mutex
	objects  map[string]*stored
	requests []string // method, key and range
	inFlight int      // of requests for objects
	most     int
	hook     func(w http.ResponseWriter, r *http.Request, key string) bool // true: it has answered
	noRanges bool
}

func newFake(t *testing.T) *fake {
	f := &fake{objects: map[string]*stored{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.config = objects.Config{Bucket: "b", Endpoint: s.URL, Region: "us-east-1", Retry: unit.Duration(5 * time.Second),
		Config: awscreds.Config{AccessKey: "a", SecretKey: "s"}}
	return f
}

func (f *fake) put(key string, body []byte) *stored {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := &stored{body: body, etag: fmt.Sprintf("%x", md5.Sum(body)), header: map[string]string{}}
	f.objects[key] = o
	return o
}

// asked gives the requests that contain a text, and forgets all.
func (f *fake) asked(part string) (list []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		if strings.Contains(r, part) {
			list = append(list, r)
		}
	}
	f.requests = nil
	return list
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, key, _ := strings.Cut(r.URL.Path[1:], "/")
	if r.Method == "HEAD" && key == "" {
		return
	}
	if key == "" {
		f.list(w, r.URL.Query())
		return
	}
	f.mu.Lock()
	f.requests = append(f.requests, strings.TrimSpace(r.Method+" "+key+" "+r.Header.Get("Range")))
	o := f.objects[key]
	f.inFlight++
	f.most = max(f.most, f.inFlight)
	hook, noRanges := f.hook, f.noRanges
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.inFlight--
		f.mu.Unlock()
	}()
	if hook == nil || !hook(w, r, key) {
		o.serve(w, r, noRanges)
	}
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
}

func (o *stored) serve(w http.ResponseWriter, r *http.Request, noRanges bool) {
	switch {
	case o == nil:
		refuse(w, 404, "NoSuchKey")
		return
	case r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != `"`+o.etag+`"`:
		refuse(w, 412, "PreconditionFailed")
		return
	case o.class != "" && r.Method == "GET":
		refuse(w, 403, "InvalidObjectState")
		return
	}
	h := w.Header()
	h.Set("ETag", `"`+o.etag+`"`)
	for name, value := range o.header {
		h.Set(name, value)
	}
	body, status := o.body, 200
	if from, to, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"); ok && !noRanges {
		a, _ := strconv.Atoi(from)
		z, err := strconv.Atoi(to)
		if err != nil {
			z = len(body) - 1
		}
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", a, z, len(body)))
		body, status = body[a:z+1], 206
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	if r.Method != "HEAD" {
		w.Write(body)
	}
}

type entry struct {
	Key, LastModified, ETag string
	Size                    int
	StorageClass            string
}

// list answers with a page of a listing.
func (f *fake) list(w http.ResponseWriter, q url.Values) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var keys []string
	for k := range f.objects {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	k := &keyspace{keys: keys}
	limit := 1000
	if n, err := strconv.Atoi(q.Get("max-keys")); err == nil {
		limit = n
	}
	after := max(q.Get("start-after"), q.Get("continuation-token"))
	page, more, _ := k.Page(context.Background(), q.Get("prefix"), after, limit)
	reply := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []entry
		CommonPrefixes        []struct{ Prefix string }
	}{IsTruncated: more}
	for _, o := range page {
		s := f.objects[o.Key]
		reply.Contents = append(reply.Contents, entry{o.Key, "2026-01-02T03:04:05Z", `"` + s.etag + `"`, len(s.body), s.class})
		reply.NextContinuationToken = o.Key
	}
	if d := q.Get("delimiter"); d != "" {
		var names []string
		names, reply.IsTruncated, _ = k.Prefixes(context.Background(), q.Get("prefix"), d, after)
		for _, n := range names {
			reply.CommonPrefixes = append(reply.CommonPrefixes, struct{ Prefix string }{n})
		}
		reply.Contents = nil
	}
	xml.NewEncoder(w).Encode(reply)
}
