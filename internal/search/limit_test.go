package search_test

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/pace"
	"sluice/internal/search"
)

// limited is a client of a cluster in memory that is not asked for more.
func limited(t *testing.T, l pace.Limit, f http.HandlerFunc) *search.Client {
	cfg := to("http://memory")
	cfg.Limit = l
	return inMemory(t, cfg, map[string]http.HandlerFunc{"memory:80": f})
}

// near says whether two times are the same but for a twentieth.
func near(a, b time.Duration) bool { return (a - b).Abs() <= b/20 }

func TestRequestsOfAllLanesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := limited(t, pace.Limit{Requests: 10}, func(w http.ResponseWriter, r *http.Request) {})
		begin := time.Now()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				for range 20 {
					if err := c.CallOnce(t.Context(), search.Request{Path: "/"}, nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if took := time.Since(begin); !near(took, 10*time.Second) {
			t.Errorf("100 requests took %s at 10 a second, want 10 s", took)
		}
	})
}

func TestBytesOfAllLanesAreLimitedBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const kib = 1 << 10
		c := limited(t, pace.Limit{Bytes: 10 * kib}, func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil || n != 500*kib {
				t.Errorf("got %d bytes, %v, want 500 KiB", n, err)
			}
			w.Write(make([]byte, 500*kib))
		})
		begin := time.Now()
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				resp, err := c.Do(t.Context(), search.Request{Path: "/_search", Body: make([]byte, 500*kib)})
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if n, err := io.Copy(io.Discard, resp.Body); n != 500*kib || err != nil {
					t.Errorf("got %d bytes, %v, want 500 KiB: who is held back does not stand still", n, err)
				}
			})
		}
		all.Wait()
		if took := time.Since(begin); !near(took, 200*time.Second) {
			t.Errorf("2,000 KiB took %s at 10 KiB a second, want 200 s", took)
		}
	})
}

func TestWhoIsHeldBackDoesNotStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := limited(t, pace.Limit{Bytes: 1 << 10}, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Write(make([]byte, 2<<10))
		})
		var all sync.WaitGroup
		for range 90 { // each waits a minute and a half for its turn
			all.Go(func() {
				if err := c.CallOnce(t.Context(), search.Request{Path: "/", Body: make([]byte, 2<<10)}, nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}
