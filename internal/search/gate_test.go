package search_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/search"
	"sluice/internal/unit"
)

// counter is a cluster that takes a while for each request, and counts those
// that wait at the same time.
type counter struct {
	status, now, most atomic.Int64
	takes             atomic.Int64 // nanoseconds
	after             string       // Retry-After
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	n := c.now.Add(1)
	for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
	}
	time.Sleep(time.Duration(c.takes.Load()))
	c.now.Add(-1)
	if s := int(c.status.Load()); s != 0 {
		if c.after != "" {
			w.Header().Set("Retry-After", c.after)
		}
		w.WriteHeader(s)
	}
}

// taking is a cluster that takes so long.
func taking(d time.Duration) *counter {
	c := &counter{}
	c.takes.Store(int64(d))
	return c
}

// together asks n times at the same time, and gives how many waited for the
// cluster at most.
func (c *counter) together(t *testing.T, client *search.Client, n int) int64 {
	t.Helper()
	c.most.Store(0)
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if resp, err := client.Do(t.Context(), search.Request{Path: "/"}); err == nil {
				resp.Body.Close()
			}
		})
	}
	all.Wait()
	return c.most.Load()
}

func TestFewerRequestsWaitWhenTheClusterHasTooMuchToDo(t *testing.T) {
	for _, status := range []int{429, 503, 504} {
		synctest.Test(t, func(t *testing.T) {
			c := taking(time.Second)
			client := pipes(t, c.ServeHTTP)
			wave := func(want int64) {
				t.Helper()
				if got := c.together(t, client, 8); got != want {
					t.Errorf("%d: %d requests at the same time, want %d", status, got, want)
				}
			}
			wave(8)
			c.status.Store(int64(status))
			wave(8) // all of them refused: that counts once
			c.status.Store(0)
			wave(5) // 0.7 of 8
			wave(6) // one more, since others waited
			wave(7)
			wave(8)
			c.status.Store(404)
			wave(8) // which says nothing of how much it has to do
			c.status.Store(0)
			wave(8)
			for range 20 { // down to one, never to none
				c.status.Store(int64(status))
				c.together(t, client, 1)
			}
			c.status.Store(0)
			if got := c.together(t, client, 2); got != 1 {
				t.Errorf("%d: %d requests at the same time, want one", status, got)
			}
		})
	}
}

func TestFewerRequestsWaitWhenABodySaysThatThereIsTooMuchToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := taking(time.Second)
		client := pipes(t, c.ServeHTTP)
		begun := time.Now()
		c.together(t, client, 8)
		for range 8 { // each of them said so: that counts once
			client.Overloaded(t.Context(), begun.Add(time.Millisecond), "429")
		}
		if got := c.together(t, client, 8); got != 5 {
			t.Errorf("%d requests at the same time, want 5", got)
		}
	})
}

func TestSuccessesThatKeepNobodyWaitingRaiseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := taking(time.Second)
		client := pipes(t, c.ServeHTTP)
		c.status.Store(429)
		c.together(t, client, 8)
		c.status.Store(0)
		for range 100 {
			c.together(t, client, 2)
		}
		if got := c.together(t, client, 8); got != 5 {
			t.Errorf("%d requests at the same time after a hundred that were alone, want still 5", got)
		}
	})
}

func TestARequestThatIsNotAnsweredCountsAsTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := taking(3 * time.Minute)
		client := pipes(t, c.ServeHTTP)
		c.together(t, client, 8)
		c.takes.Store(int64(time.Second))
		time.Sleep(5 * time.Minute)
		if got := c.together(t, client, 8); got != 5 {
			t.Errorf("%d requests at the same time after 8 timeouts, want 5", got)
		}
	})
}

func TestLatencyOutOfItsBandCountsAsTooMuch(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		want  int64
	}{"as before": {100 * time.Millisecond, 8}, "noise": {140 * time.Millisecond, 8}, "late": {300 * time.Millisecond, 5}} {
		synctest.Test(t, func(t *testing.T) {
			n := taking(100 * time.Millisecond)
			client := pipes(t, n.ServeHTTP)
			for range 4 {
				n.together(t, client, 8)
			}
			n.takes.Store(int64(c.takes))
			n.together(t, client, 8) // a window
			n.takes.Store(int64(100 * time.Millisecond))
			if got := n.together(t, client, 8); got != c.want {
				t.Errorf("%s: %d requests at the same time, want %d", name, got, c.want)
			}
		})
	}
}

func TestRequestsOfAnotherKindAreNotLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := taking(10 * time.Millisecond)
		client := pipes(t, n.ServeHTTP)
		for range 4 {
			n.together(t, client, 8)
		}
		n.takes.Store(int64(time.Second))
		for _, r := range []search.Request{{Path: "/i/_stats"}, {Path: "/_search", Hits: 500}, {Path: "/_search", Hits: 5000}, {Path: "/_bulk", Body: make([]byte, 1<<20)}, {Path: "/_bulk", Body: make([]byte, 4<<20)}} {
			for range 20 {
				if err := client.CallOnce(t.Context(), r, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := n.together(t, client, 8); got != 8 {
			t.Errorf("%d requests at the same time, want 8: what is asked for takes its time", got)
		}
	})
}

// single gives a client that lets one request at a time wait.
func single(t *testing.T, f http.HandlerFunc) *search.Client {
	refuse := true
	client := pipes(t, func(w http.ResponseWriter, r *http.Request) {
		if refuse {
			w.WriteHeader(429)
			return
		}
		f(w, r)
	})
	if _, err := client.Do(t.Context(), search.Request{Path: "/"}); err == nil {
		t.Fatal("got no refusal")
	}
	refuse = false
	return client
}

func TestNoPlaceIsHeldWhileABodyStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := single(t, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "begin")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		for range 10 { // lanes that wait for their sinks
			resp, err := client.Do(t.Context(), search.Request{Path: "/"})
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
		}
	})
}

func TestAllWaitAsLongAsAReplyAsksFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counter{after: "20"}
		cfg := to("http://memory")
		cfg.Retry = unit.Duration(time.Minute)
		client := inMemory(t, cfg, map[string]http.HandlerFunc{"memory:80": c.ServeHTTP})
		ask := func() error { return client.CallOnce(t.Context(), search.Request{Path: "/"}, nil) }
		c.status.Store(503)
		begin := time.Now()
		if err := ask(); err == nil || time.Since(begin) != 0 {
			t.Errorf("got %v after %s, want the refusal at once", err, time.Since(begin))
		}
		c.status.Store(0)
		if err := ask(); err != nil || time.Since(begin) != 20*time.Second {
			t.Errorf("got %v after %s, want another lane to wait 20 s too", err, time.Since(begin))
		}
		c.after = begin.Add(time.Hour).UTC().Format(http.TimeFormat)
		c.status.Store(429)
		begin = time.Now()
		if err := ask(); err == nil {
			t.Error("got no refusal")
		}
		c.status.Store(0)
		if err := ask(); err != nil || time.Since(begin) != time.Minute {
			t.Errorf("got %v after %s, want no more waiting than requests are tried again", err, time.Since(begin))
		}
		c.status.Store(503)
		ask()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := client.CallOnce(ctx, search.Request{Path: "/"}, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want waiting to end with its context", err)
		}
	})
}
