package objects_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"sluice/internal/objects"
)

// redirect lets a client reach a stub whatever its endpoint is.
func redirect(t *testing.T, c *objects.Client, to objects.Config) {
	t.Helper()
	address := strings.TrimPrefix(to.Endpoint, "http://")
	objects.SetDial(c, func() (net.Conn, error) { return net.Dial("tcp", address) })
}

// fake is a store of objects without most of what stores have. It does to
// conditions what its fields say.
type fake struct {
	ignores  bool // conditions
	refuses  int  // status with which it answers all requests with one
	lies     bool // it refuses what it has done
	forgets  bool // conditions of what is uploaded in parts
	keeps    bool // it does not delete
	mu       sync.Mutex
	objects  map[string]string
	requests int
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	body, _ := io.ReadAll(r.Body)
	conditional := r.Header.Get("If-None-Match") == "*"
	if conditional && f.refuses != 0 {
		w.WriteHeader(f.refuses)
		return
	}
	there, ok := f.objects[r.URL.Path]
	q := r.URL.Query()
	parts := q.Has("uploadId") || q.Has("uploads")
	refused := conditional && ok && !f.ignores && !(parts && f.forgets)
	if refused && !f.lies {
		w.WriteHeader(412)
		return
	}
	w.Header().Set("ETag", `"e"`)
	switch {
	case r.Method == "PUT" && parts:
		f.objects[r.URL.Path+"?"] = string(body)
	case r.Method == "PUT":
		f.objects[r.URL.Path] = string(body)
	case r.Method == "GET" && q.Has("uploads"):
		io.WriteString(w, "<ListMultipartUploadsResult/>")
	case r.Method == "POST" && q.Has("uploads"):
		io.WriteString(w, "<R><UploadId>id</UploadId></R>")
	case r.Method == "POST":
		f.objects[r.URL.Path] = f.objects[r.URL.Path+"?"]
		delete(f.objects, r.URL.Path+"?")
	case r.Method == "DELETE" && parts:
		delete(f.objects, r.URL.Path+"?")
	case r.Method == "DELETE" && f.keeps:
		w.WriteHeader(403)
		return
	case r.Method == "DELETE":
		delete(f.objects, r.URL.Path)
	case r.Method == "HEAD" && !ok:
		w.WriteHeader(404)
	case r.Method == "HEAD":
		w.Header().Set("Content-Length", fmt.Sprint(len(there)))
	}
	if refused {
		w.WriteHeader(412)
	} else if r.Method == "POST" && !q.Has("uploads") {
		io.WriteString(w, "<CompleteMultipartUploadResult/>")
	}
}

func TestAProbeIsNotDeceived(t *testing.T) {
	for name, tc := range map[string]struct {
		store *fake
		want  bool
		left  int
	}{
		"honours":          {&fake{}, true, 0},
		"ignores":          {&fake{ignores: true}, false, 0},
		"refuses all":      {&fake{refuses: 412}, false, 0},
		"does not know it": {&fake{refuses: 501}, false, 0},
		"calls it wrong":   {&fake{refuses: 400}, false, 0},
		"an older answer":  {&fake{refuses: 304}, false, 0},
		"lies":             {&fake{lies: true}, false, 0},
		"forgets uploads":  {&fake{forgets: true}, false, 0},
		"may not delete":   {&fake{keeps: true}, true, 1},
	} {
		tc.store.objects = map[string]string{}
		c := client(t, stub(t, tc.store.ServeHTTP))
		for range 2 {
			if got, err := c.Conditional(t.Context(), "p/probe"); got != tc.want || err != nil {
				t.Errorf("%s: got %v, %v, want %v", name, got, err, tc.want)
			}
		}
		if n := tc.store.requests; n > 12 {
			t.Errorf("%s: %d requests, want that it is asked once", name, n)
		}
		keys := slices.Collect(maps.Keys(tc.store.objects))
		if len(keys) != tc.left || tc.left > 0 && keys[0] != "/b/p/probe" {
			t.Errorf("%s: got %q left behind, want %d", name, keys, tc.left)
		}
	}
	for kind, want := range map[string]bool{"aws": true, "garage": false} {
		f := &fake{objects: map[string]string{}}
		cfg := stub(t, f.ServeHTTP)
		cfg.Provider = kind
		c := client(t, cfg)
		redirect(t, c, cfg)
		if got, err := c.Conditional(t.Context(), "p"); got != want || err != nil || f.requests != 0 {
			t.Errorf("%s: got %v, %v after %d requests, want %v without any", kind, got, err, f.requests, want)
		}
	}
}

func TestAProbeWhoseAnswerIsLostIsNotDeceived(t *testing.T) {
	f := &fake{objects: map[string]string{}}
	puts := 0
	c := client(t, stub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" {
			if puts++; puts == 1 {
				f.ServeHTTP(discard{http.Header{}}, r)
				panic(http.ErrAbortHandler)
			}
		}
		f.ServeHTTP(w, r)
	}))
	if got, err := c.Conditional(t.Context(), "p"); !got || err != nil || puts < 3 {
		t.Errorf("got %v, %v after %d writes, want that it honours conditions", got, err, puts)
	}
}

// discard is a writer of nothing.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
