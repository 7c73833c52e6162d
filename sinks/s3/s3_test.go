package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"sluice/internal/awscreds"
	checks "sluice/internal/check"
	"sluice/internal/kind"
	"sluice/internal/objects"
	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sinks/s3"
	"sluice/test/faultproxy"
)

func TestEachItemIsAnObject(t *testing.T) {
	b := objectstest.New(t)
	const part = 5 << 20
	want := map[string]string{
		"to/empty": "", "to/small": "hello", "to/exactly one part": random(1, part), "to/a byte more": random(2, part+1),
		"to/parts": random(3, 3*part), "to/é+ %": "odd",
	}
	var src items
	for k, v := range want {
		src = append(src, item(strings.TrimPrefix(k, "to/"), v))
	}
	typed := item("typed", "x")
	typed.Meta = &pipeline.Meta{ContentType: "text/plain"}
	src, want["to/typed"] = append(src, typed), "x"
	c := options(b, "", "{key}")
	c.Prefix = "to/"
	p := faultproxy.New(t, b.Store.Endpoint)
	c.Endpoint = p.URL
	store := fresh()
	res, err := pipe(t, src, c, store).Run(t.Context())
	if diff := cmp.Diff(want, b.Objects()); diff != "" || err != nil || !res.Complete {
		t.Errorf("complete %v, %v: objects differ: %v", res.Complete, err, diff != "")
	}
	if n := res.Counts.ObjectsWritten; n != int64(len(want)) {
		t.Errorf("got %d objects counted, want %d", n, len(want))
	}
	if n := len(p.Requests("PUT", "partNumber")); n != 2+3 {
		t.Errorf("got %d parts, want those of two objects: 2 and 3", n)
	}
	if got := len(p.Requests("PUT", "exactly")); got != 1 {
		t.Errorf("got %d requests for an object of one part, want 1", got)
	}
	meta := b.Meta("to/small")
	if meta["sluice-pipeline"] != "mine" || meta["sluice-pass"] != "1" || meta["sluice-key"] != "small" || meta["sluice-lane"] != "id" {
		t.Errorf("got metadata %v", meta)
	}
	out, err := b.API.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: &b.Name, Key: ptr("to/typed")})
	if err != nil || *out.ContentType != "text/plain" {
		t.Errorf("got %v, %v, want the item's content type", out, err)
	}
	clean(t, b, store)
}

func ptr[T any](v T) *T { return &v }

func TestTheItemsOfALaneAreRolledAndKeysAreTheSameAgain(t *testing.T) {
	b := objectstest.New(t)
	var src items
	for i := range 10 {
		src = append(src, item(fmt.Sprint(i), strings.Repeat(fmt.Sprint(i), 40)+"\n"))
	}
	c := options(b, "", "{lane}/{pass}-{sequence:3}.txt")
	c.Roll.Bytes = 120
	c.ContentType = "application/x-ndjson"
	store := fresh()
	if _, err := pipe(t, src, c, store).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := b.Objects()
	if got := b.Keys(); !slices.Equal(got, []string{"lane/1-000.txt", "lane/1-001.txt", "lane/1-002.txt", "lane/1-003.txt"}) {
		t.Errorf("got keys %q", got)
	}
	if _, err := pipe(t, src, c, fresh()).Run(t.Context()); err != nil { // the state was lost: the same pass again
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, b.Objects()); diff != "" {
		t.Errorf("again (-first +again):\n%s", diff)
	}
	if _, err := pipe(t, src, c, store).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(b.Keys()); n != 8 {
		t.Errorf("got %d objects after a second pass, want 8", n)
	}
}

// lostReplies are late faults: the store has done what it was asked, and the
// reply is an error or none.
var lostReplies = map[string]func() *faultproxy.Rule{
	"504": func() *faultproxy.Rule { return &faultproxy.Rule{Late: true, Status: 504} },
	"cut": func() *faultproxy.Rule { return &faultproxy.Rule{Late: true, Cut: true} },
	"200 with an error": func() *faultproxy.Rule {
		return &faultproxy.Rule{Late: true, Status: 200,
			Body: `<?xml version="1.0"?><Error><Code>InternalError</Code><Message>We encountered an internal error</Message></Error>`}
	},
}

func TestALostReplyToACommitIsNotAConflict(t *testing.T) {
	b := objectstest.New(t)
	for name, lost := range lostReplies {
		for kind, content := range map[string]string{"put": "hello", "complete": random(4, 6<<20)} {
			p, r := faultproxy.New(t, b.Store.Endpoint), lost()
			if kind == "put" && r.Status == 200 {
				continue // the reply to a PUT has no body that matters
			}
			if r.Method, r.Times = "PUT", 2; kind == "complete" {
				r.Method, r.Query = "POST", "uploadId="
			}
			rule := p.Add(r)
			key := name + "-" + kind
			store := fresh()
			res, err := pipe(t, items{item(key, content)}, options(b, p.URL, "{key}"), store).Run(t.Context())
			if err != nil || !res.Complete || rule.Hits() != 2 || string(b.Get(key)) != content {
				t.Errorf("%s: complete %v, %v, %d hits, want the object in spite of two", key, res.Complete, err, rule.Hits())
			}
			clean(t, b, store)
		}
	}
}

// A store that forgets an upload when it is completed, and one that checks the
// condition first, answer the second try with errors.
func TestWhatTheStoreSaysToASecondCommitIsComparedWithWhatIsThere(t *testing.T) {
	b := objectstest.New(t)
	content := random(5, 6<<20)
	for name, second := range map[string]struct {
		status int
		code   string
	}{
		"NoSuchUpload": {404, "NoSuchUpload"},
		"412":          {412, "PreconditionFailed"},
	} {
		for _, done := range []bool{true, false} { // was the first one carried out?
			p := faultproxy.New(t, b.Store.Endpoint)
			p.Add(&faultproxy.Rule{Method: "POST", Query: "uploadId=", Late: done, Status: 504})
			p.Add(&faultproxy.Rule{Method: "POST", Query: "uploadId=", Status: second.status, Body: "<Error><Code>" + second.code + "</Code></Error>", Times: -1})
			key := fmt.Sprint(name, done)
			store := fresh()
			res, err := pipe(t, items{item(key, content)}, options(b, p.URL, "{key}"), store).Run(t.Context())
			if res.Complete != done || (err == nil) != done {
				t.Errorf("%s, done %v: complete %v, %v", name, done, res.Complete, err)
			}
			if done && string(b.Get(key)) != content {
				t.Errorf("%s: the object differs", name)
			}
			clean(t, b, store)
		}
	}
}

func TestPartsAreTriedAgainFromTheirBuffers(t *testing.T) {
	b := objectstest.New(t)
	content := random(6, 17<<20)
	p := faultproxy.New(t, b.Store.Endpoint)
	p.Add(&faultproxy.Rule{Query: "partNumber=1&", Status: 503, Body: "<Error><Code>SlowDown</Code></Error>", Times: 2})
	p.Add(&faultproxy.Rule{Query: "partNumber=2&", Late: true, Cut: true})
	p.Add(&faultproxy.Rule{Query: "partNumber=4&", Late: true, Status: 500})
	p.Add(&faultproxy.Rule{Method: "POST", Query: "uploads", Status: 502})
	opened := 0
	it := item("k", content)
	inner := it.Body
	it.Body = pipeline.BodyFunc(func(ctx context.Context) (io.ReadCloser, error) { opened++; return inner.Open(ctx) })
	store := fresh()
	res, err := pipe(t, items{it}, options(b, p.URL, "{key}"), store).Run(t.Context())
	if err != nil || !res.Complete || string(b.Get("k")) != content || opened != 1 {
		t.Errorf("complete %v, %v, opened %d times, want the object, read once", res.Complete, err, opened)
	}
	clean(t, b, store)
}

func TestAFailureLeavesNothingBehind(t *testing.T) {
	b := objectstest.New(t)
	p := faultproxy.New(t, b.Store.Endpoint)
	content := random(7, 17<<20)
	broken := item("broken", content)
	broken.Body = pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(content[:12<<20])), nil // shorter than it says
	})
	for name, tc := range map[string]struct {
		it   *pipeline.Item
		rule *faultproxy.Rule
		want string
	}{
		"short body":    {broken, nil, "unexpected EOF"},
		"part refused":  {item("part", content), &faultproxy.Rule{Query: "partNumber=2&", Status: 403, Body: "<Error><Code>AccessDenied</Code></Error>"}, "put " + b.Name + "/part: part 2: 403 AccessDenied"},
		"not completed": {item("complete", content), &faultproxy.Rule{Method: "POST", Query: "uploadId=", Status: 400, Body: "<Error><Code>InvalidPart</Code></Error>"}, "put " + b.Name + "/complete: complete: 400 InvalidPart"},
	} {
		p.Clear()
		if tc.rule != nil {
			p.Add(tc.rule)
		}
		store := fresh()
		_, err := pipe(t, items{tc.it}, options(b, p.URL, "{key}"), store).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, tc.want)
		}
		clean(t, b, store)
	}
	if got := b.Keys(); len(got) > 0 {
		t.Errorf("got objects %q, want none", got)
	}
}

// A lane that fails while it uploads gives its buffer back, also if the upload
// cannot be aborted: later passes have all of them.
func TestAFailedAbortLosesNoBuffer(t *testing.T) {
	b := objectstest.New(t)
	p := faultproxy.New(t, b.Store.Endpoint)
	denied := "<Error><Code>AccessDenied</Code></Error>"
	p.Add(&faultproxy.Rule{Method: "DELETE", Query: "uploadId", Status: 403, Body: denied})
	p.Add(&faultproxy.Rule{Method: "DELETE", Query: "uploadId", Skip: 1, Status: 403, Body: denied}) // between the two, a run begins
	p.Add(&faultproxy.Rule{Query: "partNumber=2&", Times: 2, Status: 403, Body: denied})
	mine := pipe(t, items{item("k", random(8, 11<<20))}, options(b, p.URL, "{key}"), fresh())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 2 {
		if _, err := mine.Run(ctx); err == nil || !strings.Contains(err.Error(), "part 2: 403") {
			t.Fatalf("got %v, want what the store says", err)
		}
	}
	p.Clear()
	if res, err := mine.Run(ctx); err != nil || !res.Complete || len(b.Get("k")) != 11<<20 {
		t.Errorf("complete %v, %v", res.Complete, err)
	}
}

func TestOthersObjectsAreNotReplaced(t *testing.T) {
	b := objectstest.New(t)
	const rolled = "{lane}-{sequence}"
	theirs := func(c *s3.Config, name string) {
		t.Helper()
		p := pipe(t, items{item("k", "theirs")}, c, fresh())
		p.Name = name
		if _, err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name, key, object string
		before            func(c *s3.Config) pipeline.Store
		overwrite, want   string // in the error; "": replaced
	}{
		{"nobody's", "{key}", "k", func(*s3.Config) pipeline.Store { b.Put("k", []byte("theirs")); return fresh() }, "own", "exists and was not written"},
		{"nobody's", "{key}", "k", func(*s3.Config) pipeline.Store { b.Put("k", []byte("theirs")); return fresh() }, "always", ""},
		{"another pipeline's", "{key}", "k", func(c *s3.Config) pipeline.Store { theirs(c, "other"); return fresh() }, "own", "belongs to pipeline other"},
		{"another pipeline's", rolled, "lane-0", func(c *s3.Config) pipeline.Store { theirs(c, "other"); return fresh() }, "never", "belongs to pipeline other"},
		{"another pipeline's", rolled, "lane-0", func(c *s3.Config) pipeline.Store { theirs(c, "other"); return fresh() }, "always", ""},
		{"own of an earlier pass, of the same item", "{key}", "k", func(c *s3.Config) pipeline.Store { return secondPass(t, c, "theirs", "k") }, "own", ""},
		{"own of an earlier pass, of the same item", "{key}", "k", func(c *s3.Config) pipeline.Store { return secondPass(t, c, "theirs", "k") }, "never", "belongs to pass 1"},
		{"own of an earlier pass, rolled", rolled, "lane-0", func(c *s3.Config) pipeline.Store { return secondPass(t, c, "theirs", "k") }, "own", "belongs to pass 1"},
		{"own of this pass, after a crash", rolled, "lane-0", func(c *s3.Config) pipeline.Store { theirs(c, "mine"); return fresh() }, "own", ""},
		{"own of this pass, after a crash", rolled, "lane-0", func(c *s3.Config) pipeline.Store { theirs(c, "mine"); return fresh() }, "never", ""},
	} {
		c := options(b, "", tc.key)
		store := tc.before(c)
		c.Overwrite = tc.overwrite
		_, err := pipe(t, items{item("k", "mine")}, c, store).Run(t.Context())
		got := string(b.Get(tc.object))
		if replaced := tc.want == ""; replaced != (err == nil) || replaced != (got == "mine") {
			t.Errorf("%s, overwrite %s: got %q, %v, want %q", tc.name, tc.overwrite, got, err, tc.want)
		}
		if err != nil && (!strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), b.Name+"/"+tc.object)) {
			t.Errorf("%s, overwrite %s: got %v, want %q in it", tc.name, tc.overwrite, err, tc.want)
		}
		b.Delete(tc.object)
	}
}

// secondPass makes a pass, after which the next one is the second.
func secondPass(t *testing.T, c *s3.Config, content, key string) pipeline.Store {
	store := fresh()
	if _, err := pipe(t, items{item(key, content)}, c, store).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store
}

func TestAnObjectThatAppearsMeanwhileIsNotReplaced(t *testing.T) {
	b := objectstest.New(t)
	if !b.Store.Conditional() {
		t.Skipf("%s does not honour conditions", b.Store)
	}
	for kind, content := range map[string]string{"put": "mine", "complete": random(8, 6<<20)} {
		p, theirs := faultproxy.New(t, b.Store.Endpoint), strings.Repeat("x", len(content)) // of the same size
		r := &faultproxy.Rule{Method: "PUT", Path: "/" + kind, Do: func() { b.Put(kind, []byte(theirs)) }}
		if kind == "complete" {
			r.Method, r.Query = "POST", "uploadId="
		}
		p.Add(r)
		store := fresh()
		_, err := pipe(t, items{item(kind, content)}, options(b, p.URL, "{key}"), store).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "exists and was not written") || string(b.Get(kind)) != theirs {
			t.Errorf("%s: got %v, want that the object of another is kept", kind, err)
		}
		clean(t, b, store)
	}
}

func TestAnObjectOfTooManyPartsIsAnErrorThatNamesTheOption(t *testing.T) {
	cfg := objects.Config{Bucket: "b", Endpoint: "http://127.0.0.1:1", Config: awscreds.Config{AccessKey: "a", SecretKey: "s"}}
	c, err := cfg.Client(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o := s3.Sent(t.Context(), c, 10_000, 100)
	defer o.Abort(context.Background())
	_, err = io.WriteString(o, random(9, 101))
	if err == nil || !strings.Contains(err.Error(), "10000 parts") || !strings.Contains(err.Error(), "raise part") {
		t.Errorf("got %v, want that part must be raised", err)
	}
}

func TestALaneThatStartsOverLeavesNoObjectOfItsEarlierWalk(t *testing.T) {
	b := objectstest.New(t)
	src := &pipelinetest.Source{World: &pipelinetest.World{}, Lines: 3, Blocks: true, Lose: map[string]int{"id": 6},
		Lanes: func(int64) []pipelinetest.Lane { return []pipelinetest.Lane{{Name: "lane", ID: "id", To: 8}} }}
	c := options(b, "", "to/{lane}/{pass}-{sequence}")
	c.Roll.Bytes = 1
	b.Put("to/lane/1-77", []byte("not ours"))
	store := fresh()
	res, err := pipe(t, src, c, store).Run(t.Context())
	if err != nil || !res.Complete {
		t.Fatalf("complete %v, %v", res.Complete, err)
	}
	want := map[string]string{"to/lane/1-77": "not ours"}
	for i := range 4 { // the second walk has half of the items
		want[fmt.Sprintf("to/lane/1-%d", i)] = string(pipelinetest.Content("id", 1, i, 3))
	}
	if diff := cmp.Diff(want, b.Objects()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAMissingBucketIsSaidWhenTheSinkOpens(t *testing.T) {
	b := objectstest.New(t)
	c := options(b, "", "{key}")
	c.Bucket = "sluice-none"
	_, err := pipe(t, items{item("k", "v")}, c, fresh()).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "sink: open: bucket sluice-none: 404 NoSuchBucket") {
		t.Errorf("got %v, want NoSuchBucket", err)
	}
	sink, _ := c.Build(kind.Env{})
	if err := sink.(*s3.Sink).Check(t.Context(), checks.NewReport()); err == nil {
		t.Error("check: got no error")
	}
	c.Bucket, c.Quirks.ConditionalWrites = b.Name, "probe"
	sink, _ = c.Build(kind.Env{})
	rep := &checks.Report{Write: true}
	err = sink.(*s3.Sink).Check(t.Context(), rep)
	got := rep.Found
	said := "conditional writes: honoured, as a probe"
	if !b.Store.Conditional() {
		said = "conditional writes: not honoured, as a probe"
	}
	if err != nil || !strings.Contains(got[0], b.Name) || !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, said) }) {
		t.Errorf("check: got %q, %v", got, err)
	}
	if keys := b.Keys(); len(keys) != 0 {
		t.Errorf("check left %q behind", keys)
	}
}

var errStore = errors.New("the state failed")

// failing is a store whose Put of an upload fails.
type failing struct{ *pipelinetest.Store }

func (f failing) Put(rows ...pipeline.Row) error {
	if rows[0].Bucket == "sink.uploads" && rows[0].Value != nil {
		return errStore
	}
	return f.Store.Put(rows...)
}

func TestAnUploadThatCannotBeRememberedIsAborted(t *testing.T) {
	b := objectstest.New(t)
	p := faultproxy.New(t, b.Store.Endpoint)
	_, err := pipe(t, items{item("k", random(1, 6<<20))}, options(b, p.URL, "{key}"), failing{fresh()}).Run(t.Context())
	if !errors.Is(err, errStore) {
		t.Errorf("got %v, want %v", err, errStore)
	}
	if got := p.Requests("partNumber"); len(got) > 0 || len(b.Uploads()) > 0 {
		t.Errorf("got parts %q and uploads %q, want none", got, b.Uploads())
	}
}
