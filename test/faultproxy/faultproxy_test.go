package faultproxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/test/faultproxy"
)

// server counts the requests it carried out and tells the Host it was asked for.
func server(t *testing.T) (url string, done *atomic.Int64) {
	done = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		done.Add(1)
		io.WriteString(w, r.Method+" "+r.Host+" "+r.URL.RequestURI()+" "+string(body))
	}))
	t.Cleanup(s.Close)
	return s.URL, done
}

func get(url string) (status int, body string, err error) {
	resp, err := http.Post(url, "text/plain", strings.NewReader("hello"))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestForwardsRequestsAsTheyCame(t *testing.T) {
	url, _ := server(t)
	p := faultproxy.New(t, url)
	_, got, err := get(p.URL + "/a//b%2Fc%20d?x=1&y=%2B")
	want := "POST " + strings.TrimPrefix(p.URL, "http://") + " /a//b%2Fc%20d?x=1&y=%2B hello"
	if err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if got := p.Requests("POST", "%2B"); len(got) != 1 {
		t.Errorf("got %q noted, want the one", got)
	}
}

func TestAnEarlyFaultKeepsTheRequestFromTheServerAndALateOneDoesNot(t *testing.T) {
	url, done := server(t)
	p := faultproxy.New(t, url)
	for _, late := range []bool{false, true} {
		done.Store(0)
		answered := p.Add(&faultproxy.Rule{Path: "/x", Late: late, Status: 503, Body: "SlowDown"})
		cut := p.Add(&faultproxy.Rule{Path: "/x", Late: late, Cut: true})
		if status, body, err := get(p.URL + "/x"); status != 503 || body != "SlowDown" || err != nil {
			t.Errorf("late %v: got %d %q %v, want the answer of the rule", late, status, body, err)
		}
		if _, _, err := get(p.URL + "/x"); err == nil {
			t.Errorf("late %v: got an answer, want the connection cut", late)
		}
		if status, _, err := get(p.URL + "/x"); status != 200 || err != nil {
			t.Errorf("late %v: got %d, %v after the faults, want 200", late, status, err)
		}
		want := map[bool]int64{false: 1, true: 3}[late]
		if got := done.Load(); got != want || answered.Hits() != 1 || cut.Hits() != 1 {
			t.Errorf("late %v: the server did %d, rules %d and %d, want %d, 1 and 1", late, got, answered.Hits(), cut.Hits(), want)
		}
	}
}

func TestABodyIsCutWhereTheRuleSays(t *testing.T) {
	url, _ := server(t)
	p := faultproxy.New(t, url)
	p.Add(&faultproxy.Rule{Skip: 1, CutAfter: 3})
	if _, body, err := get(p.URL); err != nil || len(body) < 4 {
		t.Errorf("got %q, %v, want the first reply whole", body, err)
	}
	if _, body, err := get(p.URL); err != io.ErrUnexpectedEOF || body != "POS" {
		t.Errorf("got %q, %v, want 3 bytes and %v", body, err, io.ErrUnexpectedEOF)
	}
}

func TestAReplyCanBeChanged(t *testing.T) {
	url, _ := server(t)
	p := faultproxy.New(t, url)
	p.Add(&faultproxy.Rule{Edit: func(r *http.Response) {
		r.Header.Del("Content-Length")
		r.Body = io.NopCloser(strings.NewReader("other"))
	}})
	if _, body, err := get(p.URL); err != nil || body != "other" {
		t.Errorf("got %q, %v, want the changed body", body, err)
	}
}
