package search_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/internal/awscreds"
	"sluice/internal/search"
	"sluice/internal/unit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster answers with f.
func cluster(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

func client(t *testing.T, cfg search.Config) *search.Client {
	t.Helper()
	c, err := search.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func to(urls ...string) search.Config {
	return search.Config{URL: urls, Retry: unit.Duration(5 * time.Second)}
}

func TestProblemsNameTheOptionAndTheRemedy(t *testing.T) {
	for name, c := range map[string]struct {
		cfg         search.Config
		option, say string
	}{
		"no url":         {search.Config{}, "url", "https://host:9200"},
		"no scheme":      {to("localhost:9200"), "url", "https://host:9200"},
		"other scheme":   {to("ftp://h"), "url", "ftp://h"},
		"a query":        {to("http://h/?x=1"), "url", "http://h"},
		"a bad one":      {to("http://u:hidden@h:port"), "url", "h:port"},
		"user and key":   {search.Config{URL: []string{"http://h"}, Username: "u", APIKey: "k"}, "api_key", "one of them"},
		"key and token":  {search.Config{URL: []string{"http://h"}, APIKey: "k", Bearer: "b"}, "bearer", "one of them"},
		"address, token": {search.Config{URL: []string{"http://u:hidden@h"}, Bearer: "b"}, "bearer", "one of them"},
		"user and aws":   {search.Config{URL: []string{"https://h"}, Username: "u", AWS: search.AWS{Service: "es", Region: "r"}}, "aws", "one of them"},
		"aws, no tls":    {search.Config{URL: []string{"http://h"}, AWS: search.AWS{Service: "es", Region: "r"}}, "aws", "https"},
		"aws, no region": {search.Config{URL: []string{"https://h"}, AWS: search.AWS{Service: "es"}}, "aws.region", "eu-west-1"},
		"aws, nothing":   {search.Config{URL: []string{"https://h"}, AWS: search.AWS{Region: "r"}}, "aws.service", "aoss"},
		"aws, half":      {search.Config{URL: []string{"https://h"}, AWS: search.AWS{Service: "es", Region: "r", Config: awscreds.Config{AccessKey: "k"}}}, "aws.secret_key", "together"},
		"no proxy":       {search.Config{URL: []string{"https://h"}, Proxy: "u:hidden@proxy"}, "proxy", "socks5://"},
		"odd proxy":      {search.Config{URL: []string{"https://h"}, Proxy: "ftp://u:hidden@proxy"}, "proxy", "socks5://"},
		"password alone": {search.Config{URL: []string{"http://h"}, Password: "hidden"}, "password", "username"},
		"cert alone":     {search.Config{URL: []string{"http://h"}, TLS: search.TLS{Cert: "x"}}, "tls", "both"},
	} {
		list := c.cfg.Problems()
		if len(list) != 1 || list[0].Option != c.option || !strings.Contains(list[0].Message, c.say) || strings.Contains(list[0].Message, "hidden") {
			t.Errorf("%s: got %v, want one of %s that says %q", name, list, c.option, c.say)
		}
	}
	good := search.Config{URL: []string{"https://u:hidden@a:1/es/", "http://b"}}
	if list := good.Problems(); len(list) > 0 {
		t.Errorf("got %v, want none", list)
	}
	if got, want := good.Endpoint(), "https://a:1/es,http://b"; got != want {
		t.Errorf("got endpoint %q, want %q", got, want)
	}
}

func TestRequestsCarryCredentialsAndErrorsDoNot(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*search.Config)
		header string
	}{
		"basic":   {func(c *search.Config) { c.Username, c.Password = "u", "hidden" }, "Basic dTpoaWRkZW4="},
		"api key": {func(c *search.Config) { c.APIKey = "hidden" }, "ApiKey hidden"},
		"bearer":  {func(c *search.Config) { c.Bearer = "hidden" }, "Bearer hidden"},
		"url":     {func(c *search.Config) { c.URL[0] = strings.Replace(c.URL[0], "//", "//u:hidden@", 1) }, "Basic dTpoaWRkZW4="},
		"none":    {func(*search.Config) {}, ""},
	} {
		url := cluster(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/base/x y" || r.URL.RawQuery != "q=1%2B1" || r.Header.Get("Authorization") != c.header {
				t.Errorf("%s: got %s, Authorization %q, want %q", name, r.URL, r.Header.Get("Authorization"), c.header)
			}
			if r.Header.Get("Accept-Encoding") != "" {
				t.Errorf("%s: a compressed reply was asked for", name)
			}
			w.WriteHeader(http.StatusUnauthorized)
		})
		cfg := to(url + "/base/")
		c.change(&cfg)
		start := time.Now()
		err := client(t, cfg).Call(t.Context(), search.Request{Path: search.Path("x y"), Query: map[string][]string{"q": {"1+1"}}}, nil)
		if err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "credentials") {
			t.Errorf("%s: got %v, want a 401 that says what to check", name, err)
		}
		if time.Since(start) > time.Second {
			t.Errorf("%s: took %v, want the error at once", name, time.Since(start))
		}
		cfg.URL[0] = strings.Replace(cfg.URL[0], "127.0.0.1", "127.0.0.1:1", 1) // no such address
		if _, err := search.New(cfg); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: got %v, want an error without secrets", name, err)
		}
	}
}

func TestErrorsSayWhatTheEngineSaid(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		body       string
		want       string
		typ, cause string
	}{
		"engine": {400, `{"error":{"root_cause":[{"type":"a_exception","reason":"why"}],"type":"a_exception","reason":"why"},"status":400}`,
			"400 a_exception: why", "a_exception", "why"},
		"shards": {404, `{"error":{"root_cause":[{"type":"search_context_missing_exception","reason":"No search context found for id [1]"}],"type":"search_phase_execution_exception","reason":"all shards failed","failed_shards":[{"shard":0,"reason":{"type":"x","reason":"y","caused_by":{"type":"deep","reason":"er"}}}]},"status":404}`,
			"404 search_phase_execution_exception: all shards failed; search_context_missing_exception: No search context found for id [1]; deep: er; x: y", "search_phase_execution_exception", "deep"},
		"text":         {400, `{"error":"no handler found for uri [/x]"}`, "400: no handler found for uri [/x]", "", "no handler"},
		"plain":        {403, "Forbidden by proxy\n", "403: Forbidden by proxy: the user lacks a permission; this call needs the index privilege read (Elasticsearch) or indices:data/read/search (OpenSearch)", "", "proxy"},
		"html":         {502, "<html>Bad</html>", "502 Bad Gateway", "", ""},
		"empty":        {413, "", "413 Request Entity Too Large", "", ""},
		"redirect":     {302, "", "302 Found", "", ""},
		"index block":  {403, `{"error":{"type":"cluster_block_exception","reason":"blocked"}}`, "403 cluster_block_exception: blocked", "cluster_block_exception", "blocked"},
		"unauthorized": {401, "Unauthorized", "401: Unauthorized: the cluster wants credentials; give username and password, api_key, bearer or aws; this call needs the index privilege read (Elasticsearch) or indices:data/read/search (OpenSearch)", "", "Unauthorized"},
	} {
		url := cluster(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://elsewhere")
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		_, err := client(t, to(url)).Do(t.Context(), search.Request{Path: "/i/_search", Body: []byte("{}")})
		e := search.AsError(err)
		if e == nil || e.Error() != c.want || e.Status != c.status || e.Type != c.typ || !e.Has(c.cause) || e.Has("something else") {
			t.Errorf("%s: got %#v, want %q", name, e, c.want)
		}
		if want := "POST " + url + "/i/_search: " + c.want; err.Error() != want {
			t.Errorf("%s: got %q, want %q", name, err, want)
		}
	}
}

func TestDoNeverSendsTwice(t *testing.T) {
	var n atomic.Int64
	url := cluster(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 1 {
			panic(http.ErrAbortHandler) // the connection is a kept one now: net/http would resend a GET
		}
	})
	c := client(t, to(url))
	if err := c.CallOnce(t.Context(), search.Request{Path: "/", Body: []byte("{}")}, nil); err != nil {
		t.Fatal(err)
	}
	_, err := c.Do(t.Context(), search.Request{Path: "/_search/scroll", Body: []byte("{}")})
	if cause, _ := search.Retryable(err); cause != "connection" || n.Load() != 2 {
		t.Errorf("got %v after %d requests, want a lost connection after 2", err, n.Load())
	}
}

func TestCallsAreTriedAgain(t *testing.T) {
	var n atomic.Int64
	url := cluster(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		switch n.Add(1) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			panic(http.ErrAbortHandler)
		case 3:
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"a":`)
		case 4:
			fmt.Fprintf(w, `{"a":%q}`, b)
		}
	})
	var reply struct{ A string }
	err := client(t, to(url)).Call(t.Context(), search.Request{Method: "PUT", Path: "/", Body: []byte("body")}, &reply)
	if err != nil || reply.A != "body" || n.Load() != 4 {
		t.Errorf("got %v, %q after %d requests, want the reply to the fourth", err, reply.A, n.Load())
	}
}

func TestAnUnknownHostIsAnErrorAtOnceUnlessItWasKnown(t *testing.T) {
	url := cluster(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "{}") })
	c := client(t, to(url))
	known := false
	c.SetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
		if known = !known; known {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "nowhere", IsNotFound: true}}
		}
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	})
	err := c.Call(t.Context(), search.Request{Path: "/"}, nil)
	if err == nil || !strings.Contains(err.Error(), "no such host") {
		t.Fatalf("got %v, want the error at once", err)
	}
	for range 2 {
		if err := c.Call(t.Context(), search.Request{Path: "/"}, nil); err != nil {
			t.Errorf("got %v, want a host that has answered to be tried again", err)
		}
		c.Close()
	}
}

// logged gives what was logged since.
func logged(t *testing.T) func() string {
	var text bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&text, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return text.String
}
