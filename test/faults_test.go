package test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/test/faultproxy"
)

// rewrite changes the body of a reply.
func rewrite(f func([]byte) []byte) func(*http.Response) {
	return func(resp *http.Response) {
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			panic(err)
		}
		b = f(b)
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		resp.Header.Set("Content-Length", fmt.Sprint(len(b)))
	}
}

func replace(old, new string) func(*http.Response) {
	return rewrite(func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(new), 1) })
}

const (
	rejected  = `{"error":{"root_cause":[],"type":"es_rejected_execution_exception","reason":"rejected execution of coordinating operation"},"status":429}`
	gateway   = "<html><body>504 Gateway Time-out</body></html>"
	slowDown  = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`
	internals = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>`
)

// page matches the requests for pages of a search, not those that open one.
func page(req *http.Request) bool {
	return req.URL.Path == "/_search" || req.URL.Path == "/_search/scroll"
}

// stand is an index, a bucket, and proxies before both servers.
type stand struct {
	cluster cluster
	bucket  *bucket
	from    string // an index with documents
	to      string // an empty one
	want    documents
	search  *faultproxy.Proxy
	store   *faultproxy.Proxy
}

func newStand(t *testing.T, mapping string) *stand {
	t.Helper()
	s := &stand{cluster: openSearch(t), bucket: newBucket(t)}
	s.from, s.to = unique(t)+"-from", unique(t)+"-to"
	s.cluster.index(t, s.from, 2, "")
	s.cluster.index(t, s.to, 2, mapping)
	s.cluster.put(t, s.from, generated(5000, 700))
	s.want = s.cluster.documents(t, s.from)
	s.search = faultproxy.New(t, s.cluster.url)
	s.store = faultproxy.New(t, s.bucket.store.Endpoint)
	return s
}

// job dumps through the proxies, and loads back through them.
func (s *stand) job(t *testing.T, options ...string) *job {
	return newJob(t, pipelines(
		dump("dump", searchStage(s.search.URL, s.from, append([]string{"page: 512KiB"}, options...)...),
			s.bucket.stage(s.store.URL, `key: "o/{index}/{lane}-{sequence}.gz"`, "part: 5MiB")),
		entry("plain", searchStage(s.search.URL, s.from), "[]",
			s.bucket.stage(s.store.URL, `key: "p/{index}/{lane}-{sequence}.json"`, "part: 5MiB")),
		load("load", s.bucket.stage(s.store.URL, "prefix: o/"), searchStage(s.search.URL, s.to, "bulk: 512KiB"), "dead_letters: {file: {path: ./dead}}"),
	))
}

// survived runs all of job with a fault and wants everything delivered.
func (s *stand) survived(t *testing.T, j *job, fault *faultproxy.Rule) {
	t.Helper()
	for _, p := range []string{"dump", "load"} {
		j.want(t, 0, p)
	}
	if fault.Hits() == 0 {
		t.Fatal("the fault did not happen")
	}
	same(t, "objects", parse(t, s.bucket.lines(t, "o/")), s.want)
	same(t, "index", s.cluster.documents(t, s.to), s.want)
	if u := s.bucket.uploads(t); len(u) > 0 {
		t.Errorf("uploads are left: %v", u)
	}
}

func TestFaultsAreSurvived(t *testing.T) {
	long(t)
	for name, f := range map[string]struct {
		search, store *faultproxy.Rule
	}{
		"429 for items": {search: &faultproxy.Rule{Path: "/_bulk", Times: 3, Edit: rewrite(func(b []byte) []byte {
			b = bytes.Replace(b, []byte(`"errors":false`), []byte(`"errors":true`), 1)
			return bytes.Replace(b, []byte(`"status":201`), []byte(`"error":{"type":"es_rejected_execution_exception","reason":"queue full"},"status":429`), 5)
		})}},
		"429 for a whole bulk":         {search: &faultproxy.Rule{Path: "/_bulk", Times: 3, Status: 429, Body: rejected}},
		"503 SlowDown on PUT":          {store: &faultproxy.Rule{Method: "PUT", Times: 2, Status: 503, Body: slowDown}},
		"503 SlowDown on GET":          {store: &faultproxy.Rule{Method: "GET", Path: "/o/", Times: 2, Status: 503, Body: slowDown}},
		"503 SlowDown on list":         {store: &faultproxy.Rule{Method: "GET", Query: "list-type=2", Times: 2, Status: 503, Body: slowDown}},
		"504 on a page":                {search: &faultproxy.Rule{Match: page, Skip: 3, Times: 2, Status: 504, Body: gateway}},
		"504 on a page, late":          {search: &faultproxy.Rule{Match: page, Skip: 3, Times: 2, Late: true, Status: 504, Body: gateway}},
		"a page cut in a hit":          {search: &faultproxy.Rule{Match: page, Skip: 4, Times: 2, CutAfter: 100_000}},
		"a bulk reply lost":            {search: &faultproxy.Rule{Path: "/_bulk", Skip: 1, Times: 2, Late: true, Cut: true}},
		"a bulk answered 504, applied": {search: &faultproxy.Rule{Path: "/_bulk", Times: 2, Late: true, Status: 504, Body: gateway}},
		"a bulk reply cut":             {search: &faultproxy.Rule{Path: "/_bulk", Times: 2, CutAfter: 50}},
		"an object cut in its middle":  {store: &faultproxy.Rule{Method: "GET", Path: "/o/", Times: 3, CutAfter: 10_000}},
		"a lost reply to PUT":          {store: &faultproxy.Rule{Method: "PUT", Times: 2, Late: true, Cut: true}},
		"a PUT answered 503, done":     {store: &faultproxy.Rule{Method: "PUT", Times: 2, Late: true, Status: 503, Body: slowDown}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, "")
			fault := f.search
			if fault != nil {
				s.search.Add(fault)
			} else {
				fault = s.store.Add(f.store)
			}
			s.survived(t, s.job(t), fault)
		})
	}
}

func TestMultipartFaultsAreSurvived(t *testing.T) {
	long(t)
	for name, fault := range map[string]*faultproxy.Rule{
		"a lost reply to Complete":     {Method: "POST", Query: "uploadId=", Late: true, Cut: true},
		"Complete answered 503, done":  {Method: "POST", Query: "uploadId=", Times: 2, Late: true, Status: 503, Body: slowDown},
		"Complete answered 200, Error": {Method: "POST", Query: "uploadId=", Status: 200, Body: internals},
		"503 for a part":               {Method: "PUT", Query: "partNumber=2", Times: 2, Status: 503, Body: slowDown},
		"a lost reply to a part":       {Method: "PUT", Query: "partNumber=1", Late: true, Cut: true},
		"a lost reply to Create":       {Method: "POST", Query: "uploads", Late: true, Status: 503, Body: slowDown},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, "")
			s.cluster.put(t, s.from, generated(20000, 1500)) // 30 MB in two shards: several parts each
			s.want = s.cluster.documents(t, s.from)
			s.store.Add(fault)
			s.job(t).want(t, 0, "plain")
			if fault.Hits() == 0 {
				t.Fatal("the fault did not happen")
			}
			var all bytes.Buffer
			for _, body := range s.bucket.objects(t, "p/") {
				all.WriteString(body)
			}
			same(t, "objects", parse(t, all.Bytes()), s.want)
		})
	}
}

// TestFaultsOfTheSearchAreReportedAndRepaired: exit 1 names index and shard,
// and the next run delivers all.
func TestFaultsOfTheSearchAreReportedAndRepaired(t *testing.T) {
	long(t)
	for name, f := range map[string]struct {
		rule *faultproxy.Rule
		read string
		says []string
	}{
		"504 on a scroll page":       {&faultproxy.Rule{Match: page, Skip: 2, Status: 504, Body: gateway}, "scroll", []string{"504", "scroll"}},
		"late 504 on a scroll page":  {&faultproxy.Rule{Match: page, Skip: 2, Late: true, Status: 504, Body: gateway}, "scroll", []string{"504", "scroll"}},
		"a scroll page cut":          {&faultproxy.Rule{Match: page, Skip: 2, CutAfter: 60_000}, "scroll", []string{"scroll"}},
		"_shards.failed":             {&faultproxy.Rule{Match: page, Skip: 2, Times: -1, Edit: replace(`"failed":0`, `"failed":1`)}, "pit", []string{"shard"}},
		"_shards.failed in a scroll": {&faultproxy.Rule{Match: page, Skip: 2, Times: 1, Edit: replace(`"failed":0`, `"failed":1`)}, "scroll", []string{"shard"}},
		"a shard missing, failed 0":  {&faultproxy.Rule{Match: page, Skip: 2, Times: -1, Edit: replace(`"successful":1`, `"successful":0`)}, "pit", []string{"shard"}},
		"timed_out":                  {&faultproxy.Rule{Match: page, Skip: 2, Times: -1, Edit: replace(`"timed_out":false`, `"timed_out":true`)}, "pit", []string{"timed_out"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, "")
			s.search.Add(f.rule)
			j := s.job(t, "read: "+f.read, "retry: 2s")
			o := j.want(t, 1, "dump")
			if f.rule.Hits() == 0 {
				t.Fatal("the fault did not happen")
			}
			o.says(t, append(f.says, s.from)...)
			if r := o.Reports["dump"]; r.Outcome != "failed" || !strings.Contains(r.Error, s.from) {
				t.Errorf("report %+v", r)
			}
			s.search.Clear()
			j.want(t, 0, "dump")
			same(t, "objects", parse(t, s.bucket.lines(t, "o/")), s.want)
		})
	}
}

// TestFaultsOfTheStoreAreReportedAndRepaired: but an object that is replaced
// before anything of it was delivered is taken as it is then.
func TestFaultsOfTheStoreAreReportedAndRepaired(t *testing.T) {
	long(t)
	s := newStand(t, "")
	s.job(t).want(t, 0, "dump")
	victim := s.bucket.keys(t, "o/")[0]
	whole := s.bucket.get(t, victim)
	restore := func(t *testing.T) { s.bucket.put(t, victim, whole) }
	for name, f := range map[string]struct {
		rule   *faultproxy.Rule
		status int
		says   []string
		repair func(t *testing.T)
	}{
		"500 for good": {&faultproxy.Rule{Method: "GET", Path: victim, Times: -1, Status: 500, Body: internals}, 1, []string{"500", victim}, func(*testing.T) {}},
		"replaced while it is read": {&faultproxy.Rule{Method: "GET", Path: victim, CutAfter: 20_000, Do: func() {
			s.bucket.put(t, victim, append(bytes.Clone(whole), whole...))
		}}, 0, nil, restore},
		"vanished since the listing": {&faultproxy.Rule{Method: "GET", Path: victim, Do: func() { s.bucket.delete(t, victim) }, Status: 404,
			Body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>`}, 1, []string{"vanished", victim}, restore},
	} {
		t.Run(name, func(t *testing.T) {
			to := unique(t)
			s.cluster.index(t, to, 2, "")
			j := newJob(t, pipelines(load("load", s.bucket.stage(s.store.URL, "prefix: o/", "retry: 2s"), searchStage(s.cluster.url, to))))
			s.store.Clear()
			s.store.Add(f.rule)
			o := j.want(t, f.status, "load")
			if f.rule.Hits() == 0 {
				t.Fatal("the fault did not happen")
			}
			o.says(t, f.says...)
			s.store.Clear()
			f.repair(t)
			j.want(t, 0, "load")
			same(t, "index", s.cluster.documents(t, to), s.want)
		})
	}
}

// TestATruncatedObjectIsReported: the object itself is short, as stored.
func TestATruncatedObjectIsReported(t *testing.T) {
	long(t)
	s := newStand(t, "")
	s.job(t).want(t, 0, "dump")
	key := s.bucket.keys(t, "o/")[0]
	whole := s.bucket.get(t, key)
	s.bucket.put(t, key, whole[:len(whole)-9])
	j := s.job(t)
	o := j.want(t, 1, "load")
	o.says(t, key, "unexpected EOF")
	s.bucket.put(t, key, whole)
	o = j.run(t, "load") // replaced while half of it was delivered: on_error is stop
	if o.Status == 0 {
		same(t, "index", s.cluster.documents(t, s.to), s.want)
		return
	}
	o.says(t, key, "replaced")
}

func TestAMappingErrorIsADeadLetter(t *testing.T) {
	long(t)
	s := newStand(t, `{"dynamic":false,"properties":{"n":{"type":"byte","coerce":false}}}`) // 128 and more are refused
	j := s.job(t)
	j.want(t, 0, "dump")
	o := j.want(t, 3, "load")
	r := o.Reports["load"]
	if r.Outcome != "partial" || r.Records.Dead != 5000-128 || r.Records.Written != 128 || r.Records.Read != 5000 {
		t.Fatalf("%+v", r)
	}
	if n := s.cluster.count(t, s.to); n != 128 {
		t.Errorf("%d documents in the index, want 128", n)
	}
	letters := j.letters(t, "load")
	if len(letters) != 5000-128 {
		t.Fatalf("%d dead letters, want %d", len(letters), 5000-128)
	}
	for _, l := range letters {
		if l.Status != 400 || !strings.Contains(l.Type, "parsing") || !strings.HasPrefix(l.Record, `{"_index":"`) || !strings.HasSuffix(l.Record, "}\n") {
			t.Fatalf("letter %+v", l)
		}
	}
}

func TestWithoutDeadLettersAMappingErrorEndsTheRun(t *testing.T) {
	long(t)
	s := newStand(t, `{"dynamic":false,"properties":{"n":{"type":"byte","coerce":false}}}`)
	s.job(t).want(t, 0, "dump")
	j := newJob(t, pipelines(load("load", s.bucket.stage(s.store.URL, "prefix: o/"), searchStage(s.search.URL, s.to))))
	o := j.want(t, 1, "load")
	o.says(t, "dead_letters", "parsing")
}

func TestWhatCannotBeReachedIsNamed(t *testing.T) {
	long(t)
	s := newStand(t, "")
	nobody := s.bucket.stage(s.store.URL, "prefix: o/", "retry: 2s")
	for name, f := range map[string]struct {
		config string
		says   []string
	}{
		"wrong secret":   {dump("p", searchStage(s.cluster.url, s.from), strings.Replace(s.bucket.stage(s.store.URL, `key: "x/{lane}-{sequence}"`), "secret_key: testsecret", "secret_key: wrongsecret", 1)), []string{"SignatureDoesNotMatch"}},
		"missing bucket": {dump("p", searchStage(s.cluster.url, s.from), strings.Replace(s.bucket.stage(s.store.URL, `key: "x/{lane}-{sequence}"`), s.bucket.name, "no-such-bucket", 1)), []string{"no-such-bucket", "NoSuchBucket"}},
		"unknown host":   {dump("p", searchStage("http://search.invalid:9200", s.from, "retry: 1s"), s.bucket.stage(s.store.URL, `key: "x/{lane}-{sequence}"`)), []string{"search.invalid"}},
		"missing index":  {dump("p", searchStage(s.cluster.url, "no-such-index"), s.bucket.stage(s.store.URL, `key: "x/{lane}-{sequence}"`)), []string{"no-such-index"}},
		"store refuses":  {load("p", strings.Replace(nobody, s.bucket.name, "no-such-bucket", 1), searchStage(s.cluster.url, s.to)), []string{"no-such-bucket"}},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			o := newJob(t, pipelines(f.config)).want(t, 1, "p")
			o.says(t, f.says...)
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %v to say so", took)
			}
			if strings.Contains(o.Stderr, "testsecret") || strings.Contains(o.Stderr, "wrongsecret") {
				t.Errorf("a secret is shown:\n%s", o.Stderr)
			}
		})
	}
	t.Run("wrong password", func(t *testing.T) {
		s.search.Add(&faultproxy.Rule{Times: -1, Status: 401, Header: map[string]string{"WWW-Authenticate": "Basic"}, Body: "Unauthorized"})
		defer s.search.Clear()
		o := newJob(t, pipelines(dump("p", searchStage(s.search.URL, s.from, "username: u", "password: canary"), s.bucket.stage(s.store.URL, `key: "x/{lane}-{sequence}"`)))).want(t, 1, "p")
		o.says(t, "401", "password")
		if strings.Contains(o.Stderr, "canary") {
			t.Errorf("the password is shown:\n%s", o.Stderr)
		}
	})
}
