package s3_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/internal/objects/objectstest"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/test/faultproxy"
)

// begun is the row of an upload that was to begin.
func begun(n string, at time.Time, key string) pipeline.Row {
	return pipeline.Row{Bucket: "sink.beginnings", Key: n, Value: []byte(at.UTC().Format(time.RFC3339) + " " + key)}
}

func TestUploadsOfAKilledRunAreAbortedAndNoOthers(t *testing.T) {
	b := objectstest.New(t)
	begin := func(key string) *string {
		out, err := b.API.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{Bucket: &b.Name, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		return out.UploadId
	}
	store, n := fresh(), int32(1)
	mine := begin("mine")
	begin("other")
	begin("unknown it's")
	begin("unknown it's not") // another key
	key := "unknown it's"
	if _, err := b.API.UploadPart(t.Context(), &awss3.UploadPartInput{Bucket: &b.Name, Key: &key, UploadId: begin(key), PartNumber: &n, Body: strings.NewReader("theirs")}); err != nil {
		t.Fatal(err)
	}
	begin("later") // than it was begun
	err := store.Put(pipeline.Row{Bucket: "sink.uploads", Key: *mine, Value: []byte("mine")}, pipeline.Row{Bucket: "sink.uploads", Key: "gone", Value: []byte("mine")},
		begun("1", time.Now(), key), begun("2", time.Now().Add(time.Hour), "later"), begun("3", time.Now(), "nothing"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pipe(t, items{item("k", "v")}, options(b, "", "{key}"), store).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := b.Uploads()
	slices.Sort(got)
	if want := []string{"later", "other", key, "unknown it's not"}; !slices.Equal(got, want) {
		t.Errorf("got uploads %q, want others': %q", got, want)
	}
	if got := uploads(t, store); len(got) > 0 {
		t.Errorf("got rows %q, want none", got)
	}
}

// The reply that has an upload's id is lost once, or always.
func TestAnUploadWhoseIDWasLostIsAborted(t *testing.T) {
	b := objectstest.New(t)
	p := faultproxy.New(t, b.Store.Endpoint)
	for name, tc := range map[string]struct {
		times int
		retry time.Duration
		want  bool
	}{"once": {1, 20 * time.Second, true}, "always": {-1, 0, false}} {
		p.Clear()
		lost := &faultproxy.Rule{Method: "POST", Query: "uploads=", Times: tc.times, Late: true, Cut: true}
		p.Add(lost)
		store := fresh()
		c := options(b, p.URL, "{key}")
		c.Retry = unit.Duration(tc.retry)
		res, err := pipe(t, items{item(name, random(8, 11<<20))}, c, store).Run(t.Context())
		if (err == nil && res.Complete) != tc.want || lost.Hits() == 0 {
			t.Errorf("%s: complete %v, %v, %d replies lost", name, res.Complete, err, lost.Hits())
		}
		clean(t, b, store)
	}
}

// Who may not look for what he may have left is told so, and goes on.
func TestUploadsThatCannotBeLookedForAreNamed(t *testing.T) {
	f := newFake(t)
	f.refuse = func(r *http.Request) (int, string) {
		if r.Method == "GET" && r.URL.Query().Has("uploads") {
			return 403, "AccessDenied"
		}
		return 0, ""
	}
	var logged bytes.Buffer
	store := fresh()
	if err := store.Put(begun("1", time.Now(), "mine")); err != nil {
		t.Fatal(err)
	}
	p := pipe(t, items{item("k", "v")}, f.config("{key}"), store)
	p.Log = slog.New(slog.NewTextHandler(&logged, nil))
	if res, err := p.Run(t.Context()); err != nil || !res.Complete {
		t.Errorf("complete %v, %v", res.Complete, err)
	}
	if got := logged.String(); !strings.Contains(got, "b/mine") || !strings.Contains(got, "s3:ListBucketMultipartUploads") {
		t.Errorf("got %q logged, want what may be left and what is not permitted", got)
	}
	if got := uploads(t, store); len(got) > 0 {
		t.Errorf("got rows %q, want none", got)
	}
}
