package objects_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/awscreds"
	"sluice/internal/objects"
	"sluice/internal/objects/objectstest"
	"sluice/test/faultproxy"
)

// A reply is lost after the store has done what it was asked; the request is
// made again.
func TestARequestWhoseReplyIsLostIsDoneOnce(t *testing.T) {
	b := objectstest.New(t)
	b.Versioned()
	p := faultproxy.New(t, b.Store.Endpoint)
	c := client(t, b.Config(p.URL))
	lose := func(what, method, query string) {
		t.Helper()
		rule := p.Add(&faultproxy.Rule{Method: method, Query: query, Late: true, Cut: true})
		t.Cleanup(func() {
			if rule.Hits() != 1 {
				t.Errorf("%s: no reply was lost", what)
			}
		})
	}
	check := func(what string, err error, allowed ...error) {
		t.Helper()
		for _, a := range allowed {
			if errors.Is(err, a) {
				return
			}
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	lose("put", "PUT", "")
	check("put", c.Put(t.Context(), objects.New{Key: "k"}, []byte("1")))
	lose("put once", "PUT", "")
	if err := c.Put(t.Context(), objects.New{Key: "new", Absent: true}, []byte("1")); !errors.Is(err, objects.ErrPrecondition) || string(b.Get("new")) != "1" {
		t.Errorf("put once: got %v, want %v, and the object", err, objects.ErrPrecondition)
	}
	upload, err := c.Begin(t.Context(), objects.New{Key: "parts"})
	check("begin", err)
	lose("part", "PUT", "partNumber")
	etag, err := c.Part(t.Context(), "parts", upload, 1, []byte("12"))
	check("part", err)
	lose("complete", "POST", "uploadId")
	check("complete", c.Complete(t.Context(), objects.New{Key: "parts"}, upload, []string{etag}), objects.ErrNoUpload)
	if got := string(b.Get("parts")); got != "12" {
		t.Errorf("complete: got %q, want the object", got)
	}
	lose("begin", "POST", "uploads")
	upload, err = c.Begin(t.Context(), objects.New{Key: "left"})
	check("begin", err)
	if n := len(b.Uploads()); n != 2 {
		t.Errorf("begin: %d uploads, want one that nobody knows", n)
	}
	lose("abort", "DELETE", "uploadId")
	check("abort", c.Abort(t.Context(), "left", upload))
	lose("copy", "PUT", "")
	check("copy", c.Copy(t.Context(), objects.New{Key: "copy"}, objects.From{Bucket: b.Name, Object: find(t, c, "k")}))
	old := find(t, c, "copy")
	lose("delete", "DELETE", "")
	check("delete", c.Delete(t.Context(), "copy"))
	lose("delete version", "DELETE", "versionId")
	check("delete version", c.DeleteVersion(t.Context(), "copy", old.VersionID))
	lose("delete if", "DELETE", "")
	check("delete if", c.DeleteIf(t.Context(), find(t, c, "k")))
}

func TestAConditionalDeleteWhoseReplyIsLostIsDone(t *testing.T) {
	f := &fake{objects: map[string]string{"/b/k": "1"}}
	var matches []string
	cfg := stub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "DELETE" {
			f.ServeHTTP(w, r)
			return
		}
		matches = append(matches, r.Header.Get("If-Match"))
		if len(matches) == 1 {
			f.ServeHTTP(discard{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(412)
	})
	honoured := true
	cfg.Quirks.ConditionalDeletes = &honoured
	c := client(t, cfg)
	o := objects.Object{Key: "k", ETag: "e"}
	if err := c.DeleteIf(t.Context(), o); err != nil || !cmp.Equal(matches, []string{`"e"`, `"e"`}) {
		t.Errorf("got %v, conditions %q, want that it is gone", err, matches)
	}
	f.objects["/b/k"] = "2"
	if err := c.DeleteIf(t.Context(), o); !errors.Is(err, objects.ErrPrecondition) || len(f.objects) != 1 {
		t.Errorf("got %v, want %v", err, objects.ErrPrecondition)
	}
}

// copier is a store that can copy on the server. It notes what it is asked.
type copier struct {
	mu     sync.Mutex
	asked  []string
	fails  string // part number that fails
	etag   string // of the source
	bodies []string
}

func (s *copier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.Method == "HEAD":
		w.Header().Set("ETag", s.etag)
		w.Header().Set("Content-Length", "6442450945")
		s.asked = append(s.asked, "head "+r.URL.Path)
	case q.Has("tagging"):
		io.WriteString(w, "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>")
		s.asked = append(s.asked, "tags "+r.URL.Path)
	case r.Method == "POST" && q.Has("uploads"):
		io.WriteString(w, "<R><UploadId>id</UploadId></R>")
		s.asked = append(s.asked, "begin "+r.Header.Get("X-Amz-Tagging")+" "+r.Header.Get("X-Amz-Meta-A"))
	case r.Method == "PUT" && q.Get("partNumber") == s.fails:
		w.WriteHeader(403)
	case r.Method == "PUT":
		io.WriteString(w, `<CopyPartResult><ETag>"`+q.Get("partNumber")+`"</ETag></CopyPartResult>`)
		s.asked = append(s.asked, fmt.Sprintf("part %02s %s %s %s", q.Get("partNumber"), r.Header.Get("X-Amz-Copy-Source"), r.Header.Get("X-Amz-Copy-Source-If-Match"), r.Header.Get("X-Amz-Copy-Source-Range")))
	case r.Method == "POST":
		s.bodies = append(s.bodies, string(body))
		io.WriteString(w, "<CompleteMultipartUploadResult/>")
		s.asked = append(s.asked, "complete "+r.Header.Get("If-None-Match"))
	case r.Method == "DELETE":
		s.asked = append(s.asked, "abort")
	}
}

func TestALargeObjectIsCopiedInParts(t *testing.T) {
	s := &copier{etag: `"e"`}
	c := client(t, stub(t, s.ServeHTTP))
	n := objects.New{Key: "to", Meta: map[string]string{"a": "b"}, Absent: true}
	from := objects.From{Bucket: "other", Object: objects.Object{Key: "a b", ETag: "e", Size: 6<<30 + 1}}
	if err := c.Copy(t.Context(), n, from); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(s.asked, "\n")
	if !strings.HasPrefix(all, "tags /other/a b\nbegin a=b b\n") || !strings.HasSuffix(all, "head /other/a b\ncomplete *") {
		t.Errorf("got\n%s", all)
	}
	for i := range 13 {
		first := int64(i) << 29
		want := fmt.Sprintf("part %02d other/a%%20b \"e\" bytes=%d-%d\n", i+1, first, min(first+1<<29, from.Size)-1)
		if !strings.Contains(all, want) {
			t.Errorf("got\n%s\nwant %s", all, want)
		}
		if !strings.Contains(s.bodies[0], fmt.Sprintf("<Part><ETag>&#34;%d&#34;</ETag><PartNumber>%d</PartNumber></Part>", i+1, i+1)) {
			t.Errorf("got %s, want part %d", s.bodies[0], i+1)
		}
	}
	s.mu.Lock()
	s.asked, s.etag = nil, `"f"`
	s.mu.Unlock()
	if err := c.Copy(t.Context(), n, from); !errors.Is(err, objects.ErrPrecondition) || !slices.Contains(s.asked, "abort") {
		t.Errorf("replaced meanwhile: got %v, %q, want %v and that the upload is aborted", err, s.asked, objects.ErrPrecondition)
	}
	s.mu.Lock()
	s.asked, s.etag, s.fails = nil, `"e"`, "3"
	s.mu.Unlock()
	err := c.Copy(t.Context(), n, from)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || !slices.Contains(s.asked, "abort") {
		t.Errorf("a part fails: got %v, %q, want that the upload is aborted", err, s.asked)
	}
}

func TestAnArchivedObjectIsAskedForOnce(t *testing.T) {
	var got, query string
	answer := ""
	c := client(t, stub(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got, query = string(body), r.URL.RawQuery
		if answer != "" {
			w.WriteHeader(409)
			fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", answer)
		}
	}))
	for class, want := range map[string]string{
		"GLACIER":             "<Days>3</Days><GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters></RestoreRequest>",
		"INTELLIGENT_TIERING": `2006-03-01/"><GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters></RestoreRequest>`,
	} {
		if err := c.Restore(t.Context(), objects.Object{Key: "k", Class: class, VersionID: "v"}, 3, "Bulk"); err != nil || !strings.Contains(got, want) || query != "restore=&versionId=v" {
			t.Errorf("%s: got %s?%s, %v, want %s", class, query, got, err, want)
		}
	}
	answer = "RestoreAlreadyInProgress"
	if err := c.Restore(t.Context(), objects.Object{Key: "k"}, 3, ""); err != nil {
		t.Errorf("got %v, want nothing wrong with it", err)
	}
	answer = "Other"
	if err := c.Restore(t.Context(), objects.Object{Key: "k"}, 3, ""); err == nil {
		t.Error("got no error")
	}
}

func TestClientsShareConnectionsUntilTheLastIsClosed(t *testing.T) {
	opened, closed := make(chan bool, 9), make(chan bool, 9)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			opened <- true
		case http.StateClosed:
			closed <- true
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	cfg := objects.Config{Bucket: "b", Endpoint: s.URL, Region: "us-east-1", Config: awscreds.Config{AccessKey: "a", SecretKey: "s"}}
	objects.Stall(&cfg, 61*time.Second) // nobody else's
	ask := func(c *objects.Client, connections int) {
		t.Helper()
		if err := c.Put(t.Context(), objects.New{Key: "k"}, nil); err != nil {
			t.Fatal(err)
		}
		if len(opened) != connections {
			t.Errorf("got %d connections, want %d", len(opened), connections)
		}
	}
	one, two := client(t, cfg), client(t, cfg)
	ask(one, 1)
	ask(two, 1)
	one.Close()
	one.Close()
	ask(two, 1)
	two.Close()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection is open after the last client was closed")
	}
	ask(client(t, cfg), 2)
}
