package search_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/awscreds"
	"sluice/internal/awscreds/awstest"
	"sluice/internal/search"
	"sluice/internal/unit"
)

// vectors are published signatures. The first ones are of the AWS SigV4 test
// suite (github.com/awslabs/aws-c-auth, tests/aws-signing-test-suite/v4, header
// signatures); those whose name begins with s3 are the examples of the Amazon
// S3 API Reference ("Signature Calculations for the Authorization Header"),
// which have the hash of the payload among the headers as we have.
var vectors = []struct {
	name, request, headers, body, token string
	signed, signature                   string
}{
	{"get-vanilla", "GET /", "", "", "", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"post-vanilla", "POST /", "", "", "", "host;x-amz-date",
		"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"get-vanilla-empty-query-key", "GET /?Param1=value1", "", "", "", "host;x-amz-date",
		"a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{"get-vanilla-query-unreserved", "GET /?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "", "", "", "host;x-amz-date",
		"9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{"get-vanilla-utf8-query", "GET /?%E1%88%B4=bar", "", "", "", "host;x-amz-date",
		"2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{"get-header-value-trim", "GET /", "My-Header1: value1\nMy-Header2: \"a   b   c\"", "", "", "host;my-header1;my-header2;x-amz-date",
		"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"get-vanilla-with-session-token", "GET /", "", "", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267", "host;x-amz-date;x-amz-security-token",
		"07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
	{"post-x-www-form-urlencoded", "POST /", "Content-Type: application/x-www-form-urlencoded\nContent-Length: 13\nX-Amz-Content-Sha256: 9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
		"Param1=value1", "", "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
		"d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
	{"s3 get object", "GET /test.txt", "Range: bytes=0-9", "", "", "host;range;x-amz-content-sha256;x-amz-date",
		"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
	{"s3 get lifecycle", "GET /?lifecycle=", "", "", "", "host;x-amz-content-sha256;x-amz-date",
		"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
	{"s3 list objects", "GET /?max-keys=2&prefix=J", "", "", "", "host;x-amz-content-sha256;x-amz-date",
		"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
}

// published is one of the vectors as a request, who signs it, and when.
func published(i int) (req *http.Request, a search.AWS, at time.Time) {
	v := vectors[i]
	a = search.AWS{Service: "service", Region: "us-east-1", Config: awscreds.Config{
		AccessKey: "AKIDEXAMPLE", SecretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: unit.Secret(v.token)}}
	host, at := "example.amazonaws.com", time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	if strings.HasPrefix(v.name, "s3") {
		a.Service, a.AccessKey, a.SecretKey = "s3", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
		host, at = "examplebucket.s3.amazonaws.com", time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	}
	method, uri, _ := strings.Cut(v.request, " ")
	req, err := http.NewRequest(method, "https://"+host+uri, nil)
	if err != nil {
		panic(err)
	}
	for line := range strings.SplitSeq(v.headers, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			req.Header.Set(name, value)
		}
	}
	return req, a, at
}

func TestRequestsAreSignedAsPublished(t *testing.T) {
	for i, v := range vectors {
		synctest.Test(t, func(t *testing.T) {
			req, a, at := published(i)
			time.Sleep(time.Until(at))
			var err error
			switch {
			case strings.Contains(v.signed, "content-length"): // which we never sign; the verifier is tried with it
				return
			case strings.Contains(v.signed, "sha256"):
				err = search.Sign(t.Context(), a, req, []byte(v.body))
			default:
				err = search.Seal(a, req, awstest.SHA(v.body), at)
			}
			got, want := req.Header.Get("Authorization"), "SignedHeaders="+v.signed+", Signature="+v.signature
			if err != nil || !strings.HasSuffix(got, want) {
				t.Errorf("%s: got %v, %s, want …%s", v.name, err, got, want)
			}
		})
	}
}

func TestTheVerifierKnowsWhatIsPublished(t *testing.T) {
	for i, v := range vectors {
		req, a, at := published(i)
		stamp := at.Format("20060102T150405Z")
		req.RequestURI = req.URL.RequestURI()
		req.Header.Set("X-Amz-Date", stamp)
		if v.token != "" {
			req.Header.Set("X-Amz-Security-Token", v.token)
		}
		if strings.HasPrefix(v.name, "s3") {
			req.Header.Set("X-Amz-Content-Sha256", awstest.SHA(""))
		}
		req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/%s/aws4_request, SignedHeaders=%s, Signature=%s",
			a.AccessKey.Reveal(), stamp[:8], a.Service, v.signed, v.signature))
		good := awstest.Verifier{Service: a.Service, Region: "us-east-1", Key: a.AccessKey.Reveal(), Secret: a.SecretKey.Reveal(), Token: v.token,
			Now: func() time.Time { return at }, Suite: true}
		if err := good.Check(req.Clone(t.Context()), []byte(v.body)); err != nil {
			t.Errorf("%s: got %v, want it accepted", v.name, err)
		}
		for name, change := range map[string]func(*awstest.Verifier, *http.Request){
			"secret":  func(v *awstest.Verifier, _ *http.Request) { v.Secret += "x" },
			"service": func(v *awstest.Verifier, _ *http.Request) { v.Service = "es" },
			"region":  func(v *awstest.Verifier, _ *http.Request) { v.Region = "eu-west-1" },
			"stale": func(v *awstest.Verifier, _ *http.Request) {
				v.Now = func() time.Time { return at.Add(awstest.Skew + time.Second) }
			},
			"method": func(_ *awstest.Verifier, r *http.Request) { r.Method = "DELETE" },
			"path":   func(_ *awstest.Verifier, r *http.Request) { r.RequestURI = "/other" + r.RequestURI },
			"query": func(_ *awstest.Verifier, r *http.Request) {
				r.RequestURI += "&x=1"
				r.RequestURI = strings.Replace(r.RequestURI, "&", "?&", 1)
			},
			"host": func(_ *awstest.Verifier, r *http.Request) { r.Host = "elsewhere" },
		} {
			bad, spoilt := good, req.Clone(t.Context())
			change(&bad, spoilt)
			if bad.Check(spoilt, []byte(v.body)) == nil {
				t.Errorf("%s: another %s is accepted", v.name, name)
			}
		}
		if good.Check(req.Clone(t.Context()), []byte(v.body+"x")) == nil {
			t.Errorf("%s: another payload is accepted", v.name)
		}
	}
}

// amazon is a cluster that checks signatures, and then answers with f. It
// takes as long as it lives the time of the test for its own.
func amazon(t *testing.T, v *awstest.Verifier, f http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = v.Check(r.Clone(r.Context()), body)
		}
		if err != nil {
			w.Header().Set("X-Amzn-Errortype", strings.ReplaceAll(strings.SplitN(err.Error(), ":", 2)[0], " ", "")+":http://internal")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"message":%q}`, err)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		f(w, r)
	}
}

// signing is the options of a cluster that wants signed requests.
func signing(url, service string) search.Config {
	cfg := to(url)
	cfg.TLS.Insecure = true
	cfg.AWS = search.AWS{Service: service, Region: "eu-west-1", Config: awscreds.Config{AccessKey: "AK", SecretKey: "hidden"}}
	return cfg
}

func TestAmazonAcceptsEverySignedRequest(t *testing.T) {
	for _, service := range []string{"es", "aoss"} {
		v := &awstest.Verifier{Service: service, Region: "eu-west-1", Key: "AK", Secret: "hidden", Now: time.Now}
		s := httptest.NewTLSServer(amazon(t, v, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, `{"a":%q}`, r.Method+" "+r.URL.Path+" "+string(body))
		}))
		t.Cleanup(s.Close)
		c := client(t, signing(s.URL+"/base", service))
		for want, r := range map[string]search.Request{
			"GET /base/ ":                           {Path: "/"},
			"GET /base/logs-*,ü b/c+d:e$/_mapping ": {Path: search.Path("logs-*,ü b/c+d:e$", "_mapping"), Query: url.Values{"filter_path": {"*.mappings._source"}, "a b": {"c/d", "b"}}},
			"POST /base/_search {}":                 {Path: "/_search", Body: []byte("{}")},
			"POST /base/i/_refresh ":                {Method: "POST", Path: "/i/_refresh"},
			"DELETE /base/_search/scroll {}":        {Method: "DELETE", Path: "/_search/scroll", Body: []byte("{}")},
			"POST /base/_bulk x\n":                  {Path: "/_bulk", Body: []byte("x\n"), ContentType: "application/x-ndjson"},
		} {
			var reply struct{ A string }
			if err := c.CallOnce(t.Context(), r, &reply); err != nil || reply.A != want {
				t.Errorf("%s: got %q, %v, want %q", service, reply.A, err, want)
			}
		}
	}
}

func TestAmazonsRefusalsSayWhatToDo(t *testing.T) {
	for says, change := range map[string]func(*search.Config){
		"check aws.secret_key": func(c *search.Config) { c.AWS.SecretKey = "hidden too" },
		"scoped to":            func(c *search.Config) { c.AWS.Region = "us-east-1" },
		"aoss":                 func(c *search.Config) { c.AWS.Service = "aoss" },
		"renew aws.session_":   func(c *search.Config) { c.AWS.SessionToken = "hidden old" },
	} {
		v := &awstest.Verifier{Service: "es", Region: "eu-west-1", Key: "AK", Secret: "hidden", Now: time.Now}
		s := httptest.NewTLSServer(amazon(t, v, nil))
		t.Cleanup(s.Close)
		cfg := signing(s.URL, "es")
		change(&cfg)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := client(t, cfg).Call(ctx, search.Request{Path: "/i/_search"}, nil)
		cancel()
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("got %v, want %q in it and no secret", err, says)
		}
	}
}

func TestEveryAttemptIsSignedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &awstest.Verifier{Service: "es", Region: "eu-west-1", Key: "AK", Secret: "hidden", Now: time.Now}
		begin := time.Now()
		cfg := signing("https://memory", "es")
		cfg.Retry = unit.Duration(time.Hour)
		c := inMemory(t, cfg, map[string]http.HandlerFunc{"memory:443": amazon(t, v, func(w http.ResponseWriter, r *http.Request) {
			if time.Since(begin) < 2*awstest.Skew {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})})
		if err := c.Call(t.Context(), search.Request{Path: "/_bulk", Body: []byte("x")}, nil); err != nil || time.Since(begin) < 2*awstest.Skew {
			t.Errorf("got %v after %s, want the request to be accepted when the cluster is there again", err, time.Since(begin))
		}
	})
}

// sts is a token service: the n-th credentials have the key AK<n>.
func sts(t *testing.T) *atomic.Int64 {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
			<AccessKeyId>AK%d</AccessKeyId><SecretAccessKey>hidden</SecretAccessKey><SessionToken>T</SessionToken><Expiration>%s</Expiration>
			</Credentials></AssumeRoleResult></AssumeRoleResponse>`, n.Add(1), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(s.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", s.URL)
	return &n
}

func TestCredentialsAreKeptAndFetchedAnewWhenTheyHaveExpired(t *testing.T) {
	fetched := sts(t)
	v := &awstest.Verifier{Service: "es", Region: "eu-west-1", Key: "AK1", Secret: "hidden", Token: "T", Now: time.Now}
	var pages, refused atomic.Int64
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), v.Key+"/") {
			refused.Add(1)
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"message":"The security token included in the request is expired"}`)
			return
		}
		amazon(t, v, func(w http.ResponseWriter, r *http.Request) { pages.Add(1); io.WriteString(w, "{}") })(w, r)
	}))
	t.Cleanup(s.Close)
	cfg := signing(s.URL, "es")
	cfg.AWS.Role = "arn:aws:iam::123456789012:role/reader"
	c := client(t, cfg)
	ask := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return c.CallOnce(ctx, search.Request{Path: "/_search/scroll", Body: []byte(`{"scroll_id":"x"}`)}, nil)
	}
	for range 3 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	if fetched.Load() != 1 || pages.Load() != 3 {
		t.Errorf("credentials were fetched %d times for %d pages, want once for 3", fetched.Load(), pages.Load())
	}
	v.Key = "AK2"
	if err := ask(); err != nil || fetched.Load() != 2 || pages.Load() != 4 || refused.Load() != 1 {
		t.Errorf("got %v, credentials fetched %d times, %d pages and %d refusals, want a page of the second credentials", err, fetched.Load(), pages.Load(), refused.Load())
	}
	v.Key = "nobody"
	err := ask()
	if err == nil || !strings.Contains(err.Error(), "expired") || refused.Load() != 3 || pages.Load() != 4 {
		t.Errorf("got %v after %d refusals, want the refusal after trying twice", err, refused.Load())
	}
}

func TestWithoutCredentialsTheRemedyIsSaid(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	cfg := signing("https://127.0.0.1:1", "es")
	cfg.AWS.Config = awscreds.Config{}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := client(t, cfg).Call(ctx, search.Request{Path: "/"}, nil); err == nil || !strings.Contains(err.Error(), "give access_key") {
		t.Errorf("got %v, want to be told how to give credentials", err)
	}
}
