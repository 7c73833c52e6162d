package letters_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/internal/letters"
	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
)

// inBucket is letters in a bucket; endpoint "" is the store itself.
func inBucket(b *objectstest.Bucket, endpoint string) *letters.Box {
	c := b.Config(endpoint)
	c.Prefix = "dead/"
	return &letters.Box{Config: &letters.Config{S3: &letters.S3{Config: c}}, Pipeline: "logs"}
}

func openBox(t testing.TB, b *letters.Box) *letters.Writer {
	t.Helper()
	w, err := b.Config.Open(t.Context(), b.Pipeline)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func keysOf(t testing.TB, b *letters.Box) (keys []string) {
	t.Helper()
	client, err := b.Config.S3.Client(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	list, _, err := client.Page(t.Context(), "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		keys = append(keys, o.Key)
	}
	return keys
}

func TestLettersInObjectsAreDurableWithEachSyncAndFewObjects(t *testing.T) {
	b := inBucket(objectstest.New(t), "")
	w := openBox(t, b)
	var want []string
	for n := range int64(20) {
		reason := fmt.Sprintf("reason %c", 'a'+n)
		write(t, w, pipeline.Letter{Pass: 3, Line: n, Reason: reason, Record: []byte("{}\n")})
		if err := w.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		want = append(want, reason)
		wants(t, b, want...) // before the writer is closed
	}
	write(t, w, pipeline.Letter{Pass: 4, Reason: "other pass"})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	again := openBox(t, b) // another process never writes over what there is
	write(t, again, pipeline.Letter{Pass: 3, Line: 100, Reason: "other process"})
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	keys := keysOf(t, b)
	if len(keys) != 3 || !strings.HasPrefix(keys[0], "dead/logs/3/") || !strings.HasPrefix(keys[2], "dead/logs/4/") || !strings.HasSuffix(keys[2], ".ndjson") {
		t.Errorf("got %q, want an object for each pass and process", keys)
	}
	same(t, b, append(want, "other pass", "other process")...)
}

func TestObjectsOfLettersEndAtOneMebibyte(t *testing.T) {
	b := inBucket(objectstest.New(t), "")
	w := openBox(t, b)
	record := []byte(strings.Repeat("x", 300<<10))
	for n := range int64(10) {
		write(t, w, pipeline.Letter{Pass: 1, Line: n, Record: record})
	}
	write(t, w, pipeline.Letter{Pass: 1, Line: 10, Record: []byte(strings.Repeat("y", 3<<20))})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if keys := keysOf(t, b); len(keys) != 5 {
		t.Errorf("got %d objects, want 5", len(keys))
	}
	if got := reasons(t, b); len(got) != 11 {
		t.Errorf("got %d letters, want 11", len(got))
	}
}

// TestAnObjectThatGrowsWhileItIsReadIsReadAgain puts the object once more right
// before it is opened.
func TestAnObjectThatGrowsWhileItIsReadIsReadAgain(t *testing.T) {
	bucket := objectstest.New(t)
	w := openBox(t, inBucket(bucket, ""))
	write(t, w, pipeline.Letter{Pass: 1, Line: 1, Reason: "one"})
	if err := w.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(bucket.Store.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var times atomic.Int32
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // which is signed
	}}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".ndjson") && r.Method == http.MethodGet && times.Add(1) == 2 { // the second reading
			write(t, w, pipeline.Letter{Pass: 1, Line: 2, Reason: "two"})
			if err := w.Sync(context.Background()); err != nil {
				t.Error(err)
			}
		}
		proxy.ServeHTTP(rw, r)
	}))
	defer func() { server.Close(); transport.CloseIdleConnections() }()
	wants(t, inBucket(bucket, server.URL), "one", "two")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if times.Load() < 3 {
		t.Errorf("got %d requests for the object, want it to be opened again", times.Load())
	}
}

func TestABucketThatIsNotThereIsAnErrorBeforeAnythingMoves(t *testing.T) {
	b := inBucket(objectstest.New(t), "")
	b.Config.S3.Bucket = "sluice-there-is-none"
	if w, err := b.Config.Open(t.Context(), "logs"); err == nil || !strings.HasPrefix(err.Error(), "dead letters: ") {
		t.Errorf("got %v, want an error", err)
		if w != nil {
			w.Close()
		}
	}
}
