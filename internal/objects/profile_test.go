package objects_test

import (
	"crypto/md5"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"sluice/internal/awscreds"
	"sluice/internal/objects"
)

func TestRequestsGoWhereTheirBucketIs(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	no := false
	for want, c := range map[string]objects.Config{
		"https://bucket.s3.eu-west-1.amazonaws.com/ eu-west-1 s3":                         {Bucket: "bucket", Region: "eu-west-1"},
		"https://s3.eu-west-1.amazonaws.com/with.dots/ eu-west-1 s3":                      {Bucket: "with.dots", Region: "eu-west-1"},
		"https://bucket.s3.cn-north-1.amazonaws.com.cn/ cn-north-1 s3":                    {Bucket: "bucket", Region: "cn-north-1"},
		"https://point-123456789012.s3-accesspoint.eu-west-1.amazonaws.com/ eu-west-1 s3": {Bucket: "arn:aws:s3:eu-west-1:123456789012:accesspoint:point", Region: "eu-west-1"},
		"https://bucket.s3.eu-central-1.amazonaws.com/ eu-central-1 s3":                   {Bucket: "bucket", Region: "eu-central-1", Endpoint: "https://s3.eu-central-1.amazonaws.com"},
		"https://minio.example:9000/bucket/ us-east-1 s3":                                 {Bucket: "bucket", Region: "us-east-1", Endpoint: "https://minio.example:9000/"},
		"https://bucket.minio.example:9000/ us-east-1 s3":                                 {Bucket: "bucket", Region: "us-east-1", Endpoint: "https://minio.example:9000", PathStyle: &no},
		"http://127.0.0.1:9000/bucket/ us-east-1 s3":                                      {Bucket: "bucket", Region: "us-east-1", Endpoint: "http://127.0.0.1:9000", Provider: "minio"},
		"https://x.r2.cloudflarestorage.com/bucket/ auto s3":                              {Bucket: "bucket", Region: "auto", Endpoint: "https://x.r2.cloudflarestorage.com"},
	} {
		if p := c.Problems(); len(p) > 0 {
			t.Errorf("%s: got %v", want, p)
		}
		if got := objects.Endpoint(client(t, c)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for _, bucket := range []string{"bucket--use1-az4--x-s3", "arn:aws:s3::123456789012:accesspoint:multi.mrap"} {
		c := objects.Config{Bucket: bucket, Region: "us-east-1"}
		if client, err := c.Client(t.Context(), 1); err == nil {
			client.Close()
			t.Errorf("%s: got no error", bucket)
		}
	}
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "true")
	t.Setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
	if got, want := objects.Endpoint(client(t, objects.Config{Bucket: "bucket", Region: "us-east-1"})), "https://bucket.s3-fips.dualstack.us-east-1.amazonaws.com/ us-east-1 s3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "false")
	t.Setenv("AWS_ENDPOINT_URL_S3", "https://elsewhere.example")
	if got, want := objects.Endpoint(client(t, objects.Config{Bucket: "bucket", Region: "us-east-1"})), "elsewhere.example"; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s in it", got, want)
	}
}

// findings are those of a client for an endpoint, where a bucket keeps versions.
func findings(t *testing.T, c objects.Config) string {
	t.Helper()
	s := stub(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
	})
	got := client(t, c)
	redirect(t, got, s)
	lines, err := got.Findings(t.Context())
	if err != nil {
		t.Error(err)
	}
	return strings.Join(lines, "\n")
}

func TestTheKindOfAStoreIsFoundByItsEndpointAndSaid(t *testing.T) {
	for endpoint, want := range map[string]string{
		"":                                      "store: aws, as its endpoint tells",
		"http://s3.eu-west-1.amazonaws.com":     "store: aws, as",
		"http://x.r2.cloudflarestorage.com":     "store: r2, as",
		"http://storage.googleapis.com":         "store: gcs, as",
		"http://s3.us-west-004.backblazeb2.com": "store: b2, as",
		"http://s3.eu-central-1.wasabisys.com":  "store: wasabi, as",
		"http://notamazonaws.com":               "store: other, as",
		"http://minio.example:9000":             "store: other, as",
	} {
		c := objects.Config{Bucket: "bucket", Region: "us-east-1", Endpoint: endpoint, Config: awscreds.Config{AccessKey: "a", SecretKey: "s"}}
		if endpoint == "" {
			c.Endpoint, c.Provider, want = "http://x.example", "aws", "store: aws, as configured: bucket in the host name, payload signed, checksum crc32c"
		}
		if got := findings(t, c); !strings.Contains(got, want) || !strings.Contains(got, "bucket bucket: keeps versions") {
			t.Errorf("%s: got\n%s\nwant %s", endpoint, got, want)
		}
	}
}

func TestAStoreIsAskedAsItsKindAndQuirksSay(t *testing.T) {
	var got *http.Request
	base := stub(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"e"`)
		if r.Method == "GET" {
			io.WriteString(w, page("", "", "k"))
		}
		if r.Method == "POST" {
			io.WriteString(w, "<R><UploadId>id</UploadId></R>")
		}
	})
	body := []byte("123456789")
	sum := md5.Sum(body)
	md5 := base64.StdEncoding.EncodeToString(sum[:])
	unsigned := true
	for name, tc := range map[string]struct {
		provider           string
		quirks             objects.Quirks
		crc32c, md5, signs bool
	}{
		"minio":       {"minio", objects.Quirks{}, true, false, false},
		"ceph":        {"ceph", objects.Quirks{}, false, false, true}, // what is signed is checked
		"unsigned":    {"ceph", objects.Quirks{UnsignedPayload: &unsigned}, false, true, false},
		"no checksum": {"minio", objects.Quirks{Checksum: "none"}, false, false, false},
		"crc32c":      {"", objects.Quirks{Checksum: "crc32c"}, true, false, true},
	} {
		cfg := base
		cfg.Provider, cfg.Quirks = tc.provider, tc.quirks
		c := client(t, cfg)
		put := func() error { return c.Put(t.Context(), objects.New{Key: "k"}, body) }
		part := func() error { _, err := c.Part(t.Context(), "k", "id", 1, body); return err }
		for i, call := range []func() error{put, part} {
			if err := call(); err != nil {
				t.Fatal(err)
			}
			h := got.Header
			if (h.Get("X-Amz-Checksum-Crc32c") == "4waSgw==") != tc.crc32c || (h.Get("Content-Md5") == md5) != tc.md5 || (h.Get("X-Amz-Content-Sha256") != "UNSIGNED-PAYLOAD") != tc.signs ||
				h.Get("X-Amz-Trailer") != "" {
				t.Errorf("%s, %d: got %v", name, i, h)
			}
		}
		if _, err := c.Begin(t.Context(), objects.New{Key: "k"}); err != nil || (got.Header.Get("X-Amz-Checksum-Algorithm") == "CRC32C") != tc.crc32c {
			t.Errorf("%s: got %v, %v, want the algorithm said", name, got.Header, err)
		}
	}
	cfg := base
	cfg.Quirks.Checksum = "none"
	if err := client(t, cfg).Put(t.Context(), objects.New{Key: "k", LegalHold: true}, body); err != nil || got.Header.Get("Content-Md5") != md5 {
		t.Errorf("locked: got %v, %v, want a checksum", got.Header, err)
	}
	plain := false
	cfg.Quirks = objects.Quirks{EncodedKeys: &plain, ListVersion: 1, MaxParts: 3}
	c := client(t, cfg)
	if _, _, err := c.Page(t.Context(), "p", "a", 7); err == nil || got.URL.RawQuery != "marker=a&max-keys=7&prefix=p" {
		t.Errorf("got %s, %v, want the older listing, and that k is not what was asked for", got.URL.RawQuery, err)
	}
	if _, err := c.Part(t.Context(), "k", "id", 4, body); err == nil || !strings.Contains(err.Error(), "no more than 3 parts") {
		t.Errorf("got %v, want that there are too many parts", err)
	}
	cfg.Quirks.MinPart = 50 << 20
	if least, most, parts := cfg.PartBounds(); least != 50<<20 || most != 5<<30 || parts != 3 {
		t.Errorf("got parts from %d to %d, %d of them", least, most, parts)
	}
}
