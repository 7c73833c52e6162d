package s3_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/awscreds"
	"sluice/internal/objects"
	"sluice/internal/unit"
	"sluice/sinks/s3"
)

// fake is a store in memory, for what no real one can be made to do. It looks at
// no signature.
type fake struct {
	*httptest.Server
	ignores bool          // If-None-Match and If-Match
	delay   time.Duration // of each answer
	refuse  func(*http.Request) (status int, code string)

	mu       sync.Mutex
	objects  map[string]stored
	uploads  map[string]http.Header // what was said of each that is under way, by id
	parts    map[string][]byte
	old      []string // keys of uploads that were begun long ago
	requests []string // "PUT key?query"
	headers  []http.Header
	now      int // requests under way
	most     int
	begun    int
}

type stored struct {
	body   []byte
	header http.Header // as it was put
	size   int64       // that is said of it; 0: that of body
}

func newFake(t testing.TB) *fake {
	f := &fake{objects: map[string]stored{}, uploads: map[string]http.Header{}, parts: map[string][]byte{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Server.Close)
	return f
}

// config is a sink into bucket b.
func (f *fake) config(key string) *s3.Config {
	c := &s3.Config{Key: key, Part: 5 << 20, Overwrite: "own", Preserve: true, Config: objects.Config{
		Bucket: "b", Endpoint: f.URL, Region: "us-east-1", Config: awscreds.Config{AccessKey: "a", SecretKey: "s"}, Retry: unit.Duration(5 * time.Second)}}
	c.Roll.Bytes = 64 << 20
	if !f.ignores { // else it is to be found out
		c.Quirks.ConditionalWrites = "yes"
	}
	return c
}

// asked gives the requests that begin with a method, for objects that are not
// probes.
func (f *fake) asked(method string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.requests), func(r string) bool {
		return !strings.HasPrefix(r, method+" ") || strings.Contains(r, ".sluice-probe-") || strings.HasPrefix(r, method+" ?")
	})
}

// contents gives the objects.
func (f *fake) contents() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]string{}
	for key, o := range f.objects {
		all[key] = string(o.body)
	}
	return all
}

// header is what was said of an object.
func (f *fake) header(key string) http.Header {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.objects[key].header
}

func (o stored) etag() string {
	sum := md5.Sum(o.body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// ServeHTTP implements http.Handler.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	f.mu.Lock()
	f.requests = append(f.requests, r.Method+" "+key+"?"+r.URL.RawQuery)
	f.headers = append(f.headers, r.Header)
	f.now++
	f.most = max(f.most, f.now)
	f.mu.Unlock()
	time.Sleep(f.delay)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now--
	if f.refuse != nil {
		if status, code := f.refuse(r); status != 0 {
			w.WriteHeader(status)
			fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
			return
		}
	}
	f.answer(w, r, key, body)
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	q := r.URL.Query()
	switch {
	case key == "" && q.Has("uploads"):
		fmt.Fprint(w, "<ListMultipartUploadsResult>")
		for _, key := range f.old {
			fmt.Fprintf(w, "<Upload><Key>%s</Key><UploadId>1</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated></Upload>", key)
		}
		fmt.Fprint(w, "</ListMultipartUploadsResult>")
	case key == "" && r.Method == "GET":
		fmt.Fprint(w, "<ListBucketResult><IsTruncated>false</IsTruncated>")
		for _, key := range slices.Sorted(maps.Keys(f.objects)) {
			if strings.HasPrefix(key, q.Get("prefix")) && key > q.Get("start-after") {
				o := f.objects[key]
				fmt.Fprintf(w, "<Contents><Key>%s</Key><LastModified>2026-01-01T00:00:00Z</LastModified><ETag>%s</ETag><Size>%d</Size></Contents>", key, o.etag(), max(o.size, int64(len(o.body))))
			}
		}
		fmt.Fprint(w, "</ListBucketResult>")
	case key == "":
	case r.Method == "POST" && q.Has("uploads"):
		f.begun++
		id := fmt.Sprint(f.begun)
		f.uploads[id] = r.Header
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	case q.Has("partNumber") && r.Header.Get("X-Amz-Copy-Source") != "":
		f.parts[q.Get("uploadId")] = append(f.parts[q.Get("uploadId")], r.Header.Get("X-Amz-Copy-Source-Range")...)
		fmt.Fprint(w, `<CopyPartResult><ETag>"p"</ETag></CopyPartResult>`)
	case q.Has("partNumber"):
		f.parts[q.Get("uploadId")] = append(f.parts[q.Get("uploadId")], body...)
		w.Header().Set("ETag", `"p"`)
	case r.Method == "POST":
		f.complete(w, r, key, q.Get("uploadId"))
	case r.Method == "DELETE" && q.Has("uploadId"):
		delete(f.uploads, q.Get("uploadId"))
	case r.Method == "DELETE":
		delete(f.objects, key)
	case r.Method == "PUT" && r.Header.Get("X-Amz-Copy-Source") != "":
		f.copy(w, r, key)
	case r.Method == "PUT":
		f.put(w, r, key, stored{body: body, header: r.Header})
	default:
		f.get(w, r, key)
	}
}

// put makes an object, if the conditions hold.
func (f *fake) put(w http.ResponseWriter, r *http.Request, key string, o stored) bool {
	there, ok := f.objects[key]
	if match := r.Header.Get("If-Match"); !f.ignores && (ok && r.Header.Get("If-None-Match") != "" || match != "" && match != there.etag()) {
		w.WriteHeader(http.StatusPreconditionFailed)
		return false
	}
	f.objects[key] = o
	w.Header().Set("ETag", o.etag())
	return true
}

func (f *fake) complete(w http.ResponseWriter, r *http.Request, key, id string) {
	o := stored{body: f.parts[id], header: f.uploads[id]}
	if !f.put(w, r, key, o) {
		return
	}
	delete(f.uploads, id)
	delete(f.parts, id)
	fmt.Fprintf(w, "<CompleteMultipartUploadResult><ETag>%s</ETag></CompleteMultipartUploadResult>", o.etag())
}

func (f *fake) copy(w http.ResponseWriter, r *http.Request, key string) {
	path, _ := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
	_, from, _ := strings.Cut(path, "/")
	o, ok := f.objects[from]
	if match := r.Header.Get("X-Amz-Copy-Source-If-Match"); !ok || !f.ignores && match != "" && match != o.etag() {
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	h := maps.Clone(r.Header)
	if h.Get("X-Amz-Tagging-Directive") == "" {
		h["X-Amz-Tagging"] = o.header["X-Amz-Tagging"]
	}
	f.objects[key] = stored{body: o.body, header: h}
	fmt.Fprintf(w, "<CopyObjectResult><ETag>%s</ETag></CopyObjectResult>", o.etag())
}

// get answers GET and HEAD.
func (f *fake) get(w http.ResponseWriter, r *http.Request, key string) {
	o, ok := f.objects[key]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if r.URL.Query().Has("tagging") {
		fmt.Fprint(w, "<Tagging><TagSet>")
		tags, _ := url.ParseQuery(o.header.Get("X-Amz-Tagging"))
		for name := range tags {
			fmt.Fprintf(w, "<Tag><Key>%s</Key><Value>%s</Value></Tag>", name, tags.Get(name))
		}
		fmt.Fprint(w, "</TagSet></Tagging>")
		return
	}
	for name, values := range o.header {
		if strings.HasPrefix(name, "X-Amz-Meta-") || strings.HasPrefix(name, "Content-") || name == "Cache-Control" {
			w.Header()[name] = values
		}
	}
	w.Header().Set("ETag", o.etag())
	w.Header().Set("Content-Length", fmt.Sprint(max(o.size, int64(len(o.body)))))
	if r.Method == "GET" {
		w.Write(o.body)
	}
}
