package s3_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	checks "sluice/internal/check"
	"sluice/internal/kind"
	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
	"sluice/sinks/s3"
	"sluice/test/faultproxy"
)

// small are n items of a few bytes.
func small(n int, content string) (src items) {
	for i := range n {
		src = append(src, item(fmt.Sprintf("%04d", i), fmt.Sprint(content, i)))
	}
	return src
}

func TestAnObjectIsOneRequest(t *testing.T) {
	b := objectstest.New(t)
	b.Needs("conditions", b.Store.Conditional())
	p := faultproxy.New(t, b.Store.Endpoint)
	const n = 40
	store, c := fresh(), options(b, p.URL, "to/{key}")
	c.Quirks.ConditionalWrites = "probe"
	if _, err := pipe(t, small(n, "x"), c, store).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if puts, heads := len(p.Requests("PUT", "/to/0")), len(p.Requests("HEAD", "/to/0")); puts != n || heads != 0 {
		t.Errorf("got %d PUT and %d HEAD, want %d and none", puts, heads, n)
	}
	if got := p.Requests(".sluice-probe-"); len(got) == 0 || len(b.Keys()) != n {
		t.Errorf("got %q and %d objects, want the store tried once, and nothing left of it", got, len(b.Keys()))
	}
	p.Clear()
	if _, err := pipe(t, small(n, "y"), c, store).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := p.Requests(".sluice-probe-"); len(got) > 0 {
		t.Errorf("got %q, want the store not tried again", got)
	}
	// all are there: after the first, each is looked at before it is replaced
	if puts, heads := len(p.Requests("PUT", "/to/0")), len(p.Requests("HEAD", "/to/0")); heads != n || puts > n+20 {
		t.Errorf("replacing: got %d PUT and %d HEAD, want %d and few more", puts, heads, n)
	}
	if got := string(b.Get("to/0007")); got != "y7" {
		t.Errorf("got %q, want what the second pass has put", got)
	}
}

// race lets 16 pipelines write one key at the same time, and says how many
// were complete.
func race(t *testing.T, c *s3.Config, content string) (winners int, errs []error) {
	t.Helper()
	var g errgroup.Group
	var complete atomic.Int32
	failed := make([]error, 16)
	for i := range failed {
		p := pipe(t, items{item("k", content)}, c, fresh())
		p.Name, p.Log = fmt.Sprintf("p%d", i), slog.New(slog.DiscardHandler)
		g.Go(func() error {
			res, err := p.Run(t.Context())
			if failed[i] = err; res.Complete {
				complete.Add(1)
			}
			return nil
		})
	}
	g.Wait()
	return int(complete.Load()), slices.DeleteFunc(failed, func(err error) bool { return err == nil })
}

func TestOneOfManyWritersOfAKeyWins(t *testing.T) {
	b := objectstest.New(t)
	b.Needs("conditions", b.Store.Conditional())
	for i, content := range []string{"hello", random(1, 6<<20)} {
		winners, errs := race(t, options(b, "", fmt.Sprintf("%d-{key}", i)), content)
		if winners != 1 || len(errs) != 15 {
			t.Errorf("got %d winners and %d errors of 16", winners, len(errs))
		}
		for _, err := range errs {
			if !strings.Contains(err.Error(), "exists and belongs to pipeline p") {
				t.Errorf("got %v, want whose it is", err)
			}
		}
		if got := string(b.Get(fmt.Sprintf("%d-k", i))); got != content {
			t.Errorf("got %d bytes", len(got))
		}
	}
	if got := b.Uploads(); len(got) > 0 {
		t.Errorf("got uploads %q, want none", got)
	}
}

func TestAStoreThatIgnoresConditionsIsAskedFirst(t *testing.T) {
	f := newFake(t)
	f.ignores = true
	c := f.config("{key}")
	var logged bytes.Buffer
	sink, err := c.Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	p := &pipeline.Pipeline{Name: "mine", Source: small(20, "x"), Sink: sink, Store: fresh(), Lanes: 1, Log: slog.New(slog.NewTextHandler(&logged, nil))}
	for range 2 {
		if res, err := p.Run(t.Context()); err != nil || !res.Complete {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	if puts, heads := len(f.asked("PUT")), len(f.asked("HEAD")); puts != 40 || heads != 40 {
		t.Errorf("got %d PUT and %d HEAD, want 40 of each in two passes", puts, heads)
	}
	if n := strings.Count(logged.String(), "does not honour If-None-Match"); n != 1 {
		t.Errorf("said %d times that the last one wins, want once: %s", n, logged.String())
	}
	rep := checks.Report{Write: true}
	if err := sink.(*s3.Sink).Check(t.Context(), &rep); err != nil || !strings.Contains(strings.Join(rep.Found, "\n"), "conditional writes: not honoured") {
		t.Errorf("check: got %q, %v", rep.Found, err)
	}
	other := pipe(t, items{item("0003", "theirs")}, c, fresh())
	other.Name = "other"
	if _, err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "0003 exists and belongs to pipeline mine") {
		t.Errorf("got %v, want that it is another's", err)
	}
	winners, _ := race(t, f.config("raced-{key}"), "the same")
	if got := f.contents()["raced-k"]; winners < 1 || got != "the same" {
		t.Errorf("got %d winners and %q", winners, got)
	}
}

func TestCheckCountsUploadsThatNobodyEnds(t *testing.T) {
	f := newFake(t)
	f.old = []string{"to/a", "to/b", "other/c"}
	sink, err := f.config("to/{key}").Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	var rep checks.Report
	err = sink.(*s3.Sink).Check(t.Context(), &rep)
	if err != nil || !strings.Contains(strings.Join(rep.Warnings, "\n"), "2 uploads below b/to/ were begun more than a day ago") {
		t.Errorf("got %q, %v", rep.Warnings, err)
	}
	if got := f.asked("DELETE"); slices.ContainsFunc(got, func(r string) bool { return !strings.Contains(r, "sluice-check") }) {
		t.Errorf("got %q, want none aborted", got)
	}
}

// What is under the key changes between the answer that it is there and the
// request that replaces it.
func TestOnlyTheObjectThatWasLookedAtIsReplaced(t *testing.T) {
	b := objectstest.New(t)
	b.Needs("conditions", b.Store.Conditional())
	p := faultproxy.New(t, b.Store.Endpoint)
	c := options(b, p.URL, "{key}")
	for name, change := range map[string]func(key string){
		"another's": func(key string) { b.Put(key, []byte("theirs")) },
		"gone":      func(key string) { b.Delete(key) },
	} {
		for at, rule := range map[string]*faultproxy.Rule{
			"before it is looked at": {Method: "HEAD"},
			"before it is replaced":  {Method: "PUT", Skip: 1},
			"before it is completed": {Method: "POST", Query: "uploadId="},
		} {
			content := "mine"
			if rule.Method == "POST" {
				content = random(3, 6<<20)
			}
			p.Clear()
			key := name + " " + at
			store := secondPass(t, c, "first of "+key, key)
			rule.Path, rule.Do = "/"+key, func() { change(key) }
			p.Clear()
			p.Add(rule)
			res, err := pipe(t, items{item(key, content)}, c, store).Run(t.Context())
			got := ""
			if slices.Contains(b.Keys(), key) {
				got = string(b.Get(key))
			}
			if replaced := name == "gone"; replaced != (err == nil && res.Complete) || replaced && got != content || !replaced && got != "theirs" || rule.Hits() != 1 {
				t.Errorf("%s %s: got %.20q, %+v, %v, %d hits", name, at, got, res, err, rule.Hits())
			}
			clean(t, b, store)
		}
	}
}

func TestSmallObjectsAreSentSideBySide(t *testing.T) {
	f := newFake(t)
	f.delay = 10 * time.Millisecond
	const n = 400
	c := f.config("{key}")
	p := pipe(t, small(n, strings.Repeat("x", 2000)), c, fresh())
	began := time.Now()
	res, err := p.Run(t.Context())
	took := time.Since(began)
	if err != nil || !res.Complete || len(f.contents()) != n {
		t.Fatalf("%+v, %v, %d objects", res, err, len(f.contents()))
	}
	t.Logf("%d objects in %v", n, took)
	if f.most != 16 {
		t.Errorf("got %d at a time, want 16", f.most)
	}
}

// Objects of all sizes are mixed: none waits for a buffer for ever, and each has
// its own bytes.
func TestObjectsOfAllSizesSideBySide(t *testing.T) {
	f := newFake(t)
	f.delay = time.Millisecond
	var src items
	want := map[string]string{}
	for i := range 90 {
		size := []int{0, 1, 1000, 256 << 10, 256<<10 + 1, 1 << 20, 5 << 20, 5<<20 + 1, 11 << 20}[i*7%9]
		if size > 1<<20 && i > 20 {
			size = 3000
		}
		key := fmt.Sprintf("%02d", i)
		want[key] = random(byte(i), size)
		it := item(key, want[key])
		if i%2 == 0 {
			it.Size = -1
		}
		src = append(src, it)
	}
	p := pipe(t, src, f.config("{key}"), fresh())
	for range 2 {
		if res, err := p.Run(t.Context()); err != nil || !res.Complete {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	for key, got := range f.contents() {
		if got != want[key] {
			t.Errorf("%s: %d bytes, want %d, or they differ", key, len(got), len(want[key]))
		}
	}
}

// One object is refused when those after it have been made. The next run makes
// it, and all buffers are there again.
func TestALateRefusalLosesNothing(t *testing.T) {
	f := newFake(t)
	var refused atomic.Int32
	f.refuse = func(r *http.Request) (int, string) {
		if strings.HasSuffix(r.URL.Path, "/0010") && r.Method == "PUT" && refused.Add(1) == 1 {
			return 403, "AccessDenied"
		}
		return 0, ""
	}
	p := pipe(t, small(100, "x"), f.config("{key}"), fresh())
	if res, err := p.Run(t.Context()); err == nil || res.Complete || !strings.Contains(err.Error(), "put b/0010: 403 AccessDenied") {
		t.Errorf("got %+v, %v, want what the store says", res, err)
	}
	for range 3 {
		if res, err := p.Run(t.Context()); err != nil || !res.Complete || res.Counts.ObjectsWritten != 100 {
			t.Errorf("got %+v, %v", res, err)
		}
	}
	if got := f.contents(); len(got) != 100 || got["0010"] != "x10" {
		t.Errorf("got %d objects, want 100", len(got))
	}
}

func TestCredentialsThatExpireDuringAnUploadAreRenewed(t *testing.T) {
	b := objectstest.New(t)
	p := faultproxy.New(t, b.Store.Endpoint)
	expired := "<Error><Code>ExpiredToken</Code></Error>"
	p.Add(&faultproxy.Rule{Query: "partNumber=2&", Status: 400, Body: expired})
	p.Add(&faultproxy.Rule{Method: "POST", Query: "uploadId=", Status: 403, Body: expired})
	content := random(4, 11<<20)
	store := fresh()
	res, err := pipe(t, items{item("k", content)}, options(b, p.URL, "{key}"), store).Run(t.Context())
	if err != nil || !res.Complete || string(b.Get("k")) != content {
		t.Errorf("got %+v, %v", res, err)
	}
	clean(t, b, store)
}

func TestASuccessWithAnErrorInItIsNone(t *testing.T) {
	b := objectstest.New(t)
	p := faultproxy.New(t, b.Store.Endpoint)
	rule := p.Add(&faultproxy.Rule{Method: "POST", Query: "uploadId=", Status: 200, Times: 2, Body: `<?xml version="1.0"?><Error><Code>InternalError</Code></Error>`})
	content := random(4, 6<<20)
	store := fresh()
	res, err := pipe(t, items{item("k", content)}, options(b, p.URL, "{key}"), store).Run(t.Context())
	if err != nil || !res.Complete || rule.Hits() != 2 || string(b.Get("k")) != content {
		t.Errorf("got %+v, %v, %d hits", res, err, rule.Hits())
	}
	clean(t, b, store)
}
