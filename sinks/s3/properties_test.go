package s3_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"sluice/internal/kind"
	"sluice/internal/objects/objectstest"
	"sluice/sinks/s3"
)

// everything is all that can be said of objects.
func everything(c *s3.Config) {
	c.Properties = s3.Properties{
		ContentType: "application/gzip", CacheControl: "max-age=1", ContentEncoding: "gzip", ContentDisposition: "attachment", StorageClass: "STANDARD_IA",
		Encryption: "sse-kms", KMSKey: "arn:aws:kms:eu:1:key/k", ACL: "bucket-owner-full-control", Tags: []string{"team=a b", "x="},
		ObjectLock: s3.Lock{Mode: "compliance", Until: "2100-01-31"}, LegalHold: true,
	}
}

// said is how requests say that.
var said = map[string]string{
	"Content-Type": "application/gzip", "Cache-Control": "max-age=1", "Content-Encoding": "gzip", "Content-Disposition": "attachment",
	"X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "arn:aws:kms:eu:1:key/k",
	"X-Amz-Acl": "bucket-owner-full-control", "X-Amz-Tagging": "team=a+b&x=", "X-Amz-Object-Lock-Mode": "COMPLIANCE",
	"X-Amz-Object-Lock-Retain-Until-Date": "2100-01-31T00:00:00Z", "X-Amz-Object-Lock-Legal-Hold": "ON",
}

func TestWhatOptionsSayOfObjectsIsSaidInEachWayOfMakingThem(t *testing.T) {
	f := newFake(t)
	f.objects["in/copied"] = stored{body: []byte("x"), header: http.Header{"X-Amz-Tagging": {"not=these"}}}
	c := f.config("out/{key}")
	everything(c)
	src := append(listed(t, c.Config, "in/", nil), item("put", "y"), item("parts", random(1, 6<<20)))
	if res, err := pipe(t, src, c, fresh()).Run(t.Context()); err != nil || !res.Complete {
		t.Fatalf("%+v, %v", res, err)
	}
	for _, key := range []string{"out/copied", "out/put", "out/parts"} {
		h := f.header(key)
		for name, want := range said {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s: got %q, want %q", key, name, got, want)
			}
		}
		if sum := h.Get("X-Amz-Checksum-Crc32c") + h.Get("Content-Md5"); key == "out/put" && sum == "" {
			t.Errorf("%s: no checksum, which a locked object needs", key)
		}
	}
}

// A manifest is no gzip and no archive, whatever is said of data.
func TestWhatIsSaidOfDataIsNotSaidOfItsManifest(t *testing.T) {
	f := newFake(t)
	c := f.config("out/{key}")
	everything(c)
	c.Manifest = "m/{pass}/_manifest.ndjson"
	if res, err := pipe(t, items{item("a", "x")}, c, fresh()).Run(t.Context()); err != nil || !res.Complete {
		t.Fatalf("%+v, %v", res, err)
	}
	h := f.header("m/1/_manifest.ndjson")
	if h.Get("Content-Type") != "application/x-ndjson" || h.Get("Content-Encoding") != "" || h.Get("X-Amz-Storage-Class") != "" || h.Get("X-Amz-Server-Side-Encryption") != "aws:kms" {
		t.Errorf("got %v", h)
	}
	if text := f.contents()["m/1/_manifest.ndjson"]; !strings.Contains(text, `{"key":"out/a","bytes":1,`) || !strings.Contains(text, `"etag":`+f.objects["out/a"].etag()) {
		t.Errorf("got %s", text)
	}
}

func TestTagsAndHeadersAreKeptByARealStore(t *testing.T) {
	b := objectstest.New(t)
	b.Needs("tags", b.Store.Tags())
	c := options(b, "", "{key}")
	c.Properties = s3.Properties{ContentType: "application/gzip", CacheControl: "max-age=1", ContentEncoding: "gzip", ContentDisposition: "attachment", Tags: []string{"team=a b", "x=1"}}
	if res, err := pipe(t, items{item("put", "y"), item("parts", random(1, 6<<20))}, c, fresh()).Run(t.Context()); err != nil || !res.Complete {
		t.Fatalf("%+v, %v", res, err)
	}
	want := map[string]string{"type": "application/gzip", "cache": "max-age=1", "encoding": "gzip", "disposition": "attachment", "tag team": "a b", "tag x": "1", "pipeline": "mine"}
	for _, key := range []string{"put", "parts"} {
		if got := seen(t, b, key); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", key, got, want)
		}
	}
}

func TestObjectsAreLockedByARealStore(t *testing.T) {
	b := objectstest.New(t)
	b.Needs("versions, so no locks", b.Store.Versions())
	bucket := b.Name + "-locked"
	if _, err := b.API.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &bucket, ObjectLockEnabledForBucket: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	defer b.API.DeleteBucket(t.Context(), &awss3.DeleteBucketInput{Bucket: &bucket})
	c := options(b, "", "{key}")
	c.Bucket = bucket
	c.ObjectLock = s3.Lock{Mode: "governance", Days: 2}
	if res, err := pipe(t, items{item("put", "y"), item("parts", random(1, 6<<20))}, c, fresh()).Run(t.Context()); err != nil || !res.Complete {
		t.Errorf("%+v, %v", res, err)
	}
	for _, key := range []string{"put", "parts"} {
		h, err := b.API.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: &bucket, Key: &key})
		if err != nil || h.ObjectLockMode != types.ObjectLockModeGovernance || h.ObjectLockRetainUntilDate == nil || time.Until(*h.ObjectLockRetainUntilDate).Round(time.Hour) != 48*time.Hour {
			t.Errorf("%s: got %+v, %v, want two days of governance", key, h, err)
		}
	}
	list, err := b.API.ListObjectVersions(t.Context(), &awss3.ListObjectVersionsInput{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list.Versions {
		b.API.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: &bucket, Key: v.Key, VersionId: v.VersionId, BypassGovernanceRetention: ptr(true)})
	}
	for _, v := range list.DeleteMarkers {
		b.API.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: &bucket, Key: v.Key, VersionId: v.VersionId})
	}
}

func TestImpossibleCombinationsAreNamed(t *testing.T) {
	good := s3.Config{Key: "{key}", Part: 5 << 20}
	good.Bucket = "b"
	everything(&good)
	if got := good.Problems(kind.Env{}); len(got) > 0 {
		t.Errorf("got %+v, want none", got)
	}
	for want, spoil := range map[string]func(*s3.Config){
		"content_type":            func(c *s3.Config) { c.ContentType = "a\nb" },
		"cache_control":           func(c *s3.Config) { c.CacheControl = " x" },
		"kms_key":                 func(c *s3.Config) { c.Encryption = "sse-s3" },
		"tags: write name=":       func(c *s3.Config) { c.Tags = []string{"a"} },
		"tags: given twice":       func(c *s3.Config) { c.Tags = []string{"a=1", "a=2"} },
		"tags: begin with aws":    func(c *s3.Config) { c.Tags = []string{"aws:a=1"} },
		"tags: letters":           func(c *s3.Config) { c.Tags = []string{"a=<"} },
		"tags: at most 10":        func(c *s3.Config) { c.Tags = strings.Fields("a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1 j=1 k=1") },
		"tags: 128 characters":    func(c *s3.Config) { c.Tags = []string{strings.Repeat("é", 129) + "="} },
		"object_lock.mode":        func(c *s3.Config) { c.ObjectLock.Mode = "" },
		"object_lock.until: eith": func(c *s3.Config) { c.ObjectLock.Days = 3 },
		"object_lock.until: past": func(c *s3.Config) { c.ObjectLock.Until = "2001-01-01" },
		"object_lock.until: date": func(c *s3.Config) { c.ObjectLock.Until = "soon" },
		"object_lock.days":        func(c *s3.Config) { c.ObjectLock.Until = "" },
		"manifest":                func(c *s3.Config) { c.Manifest = "m.ndjson" },
	} {
		c := good
		c.Tags = slices.Clone(c.Tags)
		spoil(&c)
		option, text, _ := strings.Cut(want, ": ")
		if got := c.Problems(kind.Env{}); len(got) != 1 || got[0].Option != option || !strings.Contains(got[0].Message, text) {
			t.Errorf("%s: got %+v", want, got)
		}
	}
}
