package search_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/search"
)

// deadNode is an address where nobody listens.
func deadNode(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func TestARequestThatWasNotSentGoesToAnotherNode(t *testing.T) {
	var n atomic.Int64
	live := cluster(t, func(w http.ResponseWriter, r *http.Request) { n.Add(1); io.WriteString(w, "{}") })
	dead := deadNode(t)
	c := client(t, to(dead, live, dead+"/other"))
	for i := range 20 {
		if err := c.CallOnce(t.Context(), search.Request{Path: "/_search/scroll", Body: []byte("{}")}, nil); err != nil || n.Load() != int64(i+1) {
			t.Fatalf("page %d: got %v and %d answers, want an answer to each", i, err, n.Load())
		}
	}
	only := client(t, to(dead, dead+"/other"))
	for range 2 {
		if err := only.CallOnce(t.Context(), search.Request{Path: "/"}, nil); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %v, want nodes to be tried though all are down", err)
		}
	}
}

func TestWhatMayHaveArrivedIsNotSentToAnotherNode(t *testing.T) {
	var n atomic.Int64
	cut := func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1); r.URL.Path == "/_search/scroll" {
			io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		}
	}
	c := client(t, to(cluster(t, cut), cluster(t, cut)))
	_, err := c.Do(t.Context(), search.Request{Path: "/_search/scroll", Body: []byte("{}")})
	if cause, _ := search.Retryable(err); cause != "connection" || n.Load() != 1 {
		t.Errorf("got %v after %d requests, want a lost connection after one", err, n.Load())
	}
}

func TestANodeIsSkippedForAWhileAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials, answers atomic.Int64
		count := func(w http.ResponseWriter, r *http.Request) { answers.Add(1) }
		nodes := map[string]http.HandlerFunc{"a:80": count, "b:80": count}
		c := inMemory(t, to("http://a", "http://b"), nodes)
		up := false
		c.Intercept(func(address string) error {
			if address == "b:80" {
				if dials.Add(1); !up {
					return &net.OpError{Op: "dial", Err: io.ErrClosedPipe}
				}
			}
			return nil
		})
		ask := func() {
			t.Helper()
			if err := c.CallOnce(t.Context(), search.Request{Path: "/"}, nil); err != nil {
				t.Error(err)
			}
		}
		for range 10 {
			ask()
		}
		if dials.Load() != 1 {
			t.Errorf("the dead node was tried %d times, want once", dials.Load())
		}
		up = true
		time.Sleep(29 * time.Second)
		ask()
		ask()
		if dials.Load() != 1 {
			t.Errorf("the dead node was tried after 29 s, want it to be skipped for 30 s")
		}
		time.Sleep(time.Second)
		for range 10 {
			ask()
		}
		if dials.Load() != 2 || answers.Load() != 22 {
			t.Errorf("the node was tried %d times with %d answers of both, want it back", dials.Load(), answers.Load())
		}
	})
}
