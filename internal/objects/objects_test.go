package objects_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/internal/awscreds"
	"sluice/internal/objects"
	"sluice/internal/objects/objectstest"
	"sluice/internal/unit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client makes a client that is closed when the test ends.
func client(t *testing.T, cfg objects.Config) *objects.Client {
	t.Helper()
	c, err := cfg.Client(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// stub is a store that answers what h answers, without looking at signatures.
func stub(t *testing.T, h http.HandlerFunc) objects.Config {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return objects.Config{
		Bucket: "b", Endpoint: s.URL, Region: "us-east-1", Config: awscreds.Config{AccessKey: "a", SecretKey: "s"}, Retry: unit.Duration(time.Second),
	}
}

// list gives all objects after a key, and the error.
func list(c *objects.Client, ctx context.Context, prefix, after string) (all []objects.Object, err error) {
	err = c.List(ctx, prefix, after, func(o objects.Object) error {
		all = append(all, o)
		return nil
	})
	return all, err
}

func find(t *testing.T, c *objects.Client, key string) objects.Object {
	t.Helper()
	info, err := c.Head(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return info.Object
}

func TestBadOptionsAreNamed(t *testing.T) {
	good := objects.Config{Bucket: "archive", Endpoint: "https://minio.example:9000", Config: awscreds.Config{AccessKey: "a", SecretKey: "s", Role: "arn:aws:iam::1:role/x"}}
	if p := good.Problems(); len(p) > 0 {
		t.Errorf("good options: got %v", p)
	}
	for option, c := range map[string]objects.Config{
		"bucket":        {Bucket: "archive/logs"},
		"endpoint":      {Bucket: "b", Endpoint: "minio:9000"},
		"secret_key":    {Bucket: "b", Config: awscreds.Config{AccessKey: "a"}},
		"session_token": {Bucket: "b", Config: awscreds.Config{SessionToken: "t"}},
		"profile":       {Bucket: "b", Config: awscreds.Config{AccessKey: "a", SecretKey: "s", Profile: "p"}},
		"role":          {Bucket: "b", Config: awscreds.Config{Role: "admin"}},
	} {
		if p := c.Problems(); len(p) != 1 || p[0].Option != option || p[0].Message == "" {
			t.Errorf("%s: got %v, want one problem with it", option, p)
		}
	}
}

func TestSecretsAreNeitherInProblemsNorInThePlace(t *testing.T) {
	c := objects.Config{Bucket: "b", Endpoint: "https://user:topsecret@host", Config: awscreds.Config{SecretKey: "topsecret", SessionToken: "topsecret"}}
	if got := fmt.Sprint(c.Problems()); strings.Contains(got, "topsecret") || !strings.Contains(got, "endpoint") {
		t.Errorf("got %s, want the endpoint named without its password", got)
	}
	c.Endpoint = "https://host/"
	if got := fmt.Sprintf("%s %+v", c.Place(), c); strings.Contains(got, "topsecret") {
		t.Errorf("got %s, with a secret", got)
	}
}

func TestWhatIsWrongIsSaidAtOnceAndWithARemedy(t *testing.T) {
	b := objectstest.New(t)
	for name, tc := range map[string]struct {
		spoil func(*objects.Config)
		want  []string
	}{
		"wrong secret":  {func(c *objects.Config) { c.SecretKey = "wrongsecret" }, []string{"403 SignatureDoesNotMatch", "check secret_key"}},
		"wrong key":     {func(c *objects.Config) { c.AccessKey = "wrongkey" }, []string{"403 InvalidAccessKeyId", "check access_key"}},
		"no bucket":     {func(c *objects.Config) { c.Bucket = "sluice-none" }, []string{"bucket sluice-none: 404 NoSuchBucket", "create it"}},
		"other region":  {func(c *objects.Config) { c.Region = "eu-west-1" }, []string{"400 AuthorizationHeaderMalformed", "set region"}},
		"unknown host":  {func(c *objects.Config) { c.Endpoint = "http://none.invalid" }, []string{"no such host", "check endpoint"}},
		"https to http": {func(c *objects.Config) { c.Endpoint = "https" + strings.TrimPrefix(c.Endpoint, "http") }, []string{"check endpoint"}},
	} {
		cfg := b.Config("")
		tc.spoil(&cfg)
		if cfg.Bucket == b.Name && b.Store.Name == "garage" && strings.HasPrefix(tc.want[0], "403") {
			tc.want = []string{"403 AccessDenied: Forbidden"} // its only word
		}
		began := time.Now()
		err := client(t, cfg).Reach(t.Context())
		for _, want := range tc.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q in it", name, err, want)
			}
		}
		if err != nil && strings.Contains(err.Error(), "wrongsecret") {
			t.Errorf("%s: got %v, with the secret", name, err)
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("%s: took %s, want it at once", name, d)
		}
	}
	if err := client(t, b.Config("")).Reach(t.Context()); err != nil {
		t.Errorf("all right: got %v", err)
	}
}

func TestCredentialsComeFromTheEnvironmentWithoutKeys(t *testing.T) {
	b := objectstest.New(t)
	cfg := b.Config("")
	cfg.AccessKey, cfg.SecretKey = "", ""
	t.Setenv("AWS_ACCESS_KEY_ID", b.Store.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", b.Store.SecretKey)
	if err := client(t, cfg).Reach(t.Context()); err != nil {
		t.Error(err)
	}
}
