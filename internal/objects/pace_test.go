package objects_test

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/objects"
	"sluice/internal/pace"
	"sluice/internal/unit"
)

// busy is a store that takes a second for each request and counts those under
// way at the same time.
type busy struct {
	status, now, most, all atomic.Int64
	after                  string // Retry-After
}

func (b *busy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	b.all.Add(1)
	n := b.now.Add(1)
	for m := b.most.Load(); n > m && !b.most.CompareAndSwap(m, n); m = b.most.Load() {
	}
	time.Sleep(time.Second)
	b.now.Add(-1)
	if s := int(b.status.Load()); s != 0 {
		if b.after != "" {
			w.Header().Set("Retry-After", b.after)
		}
		w.WriteHeader(s)
		return
	}
	w.Header().Set("ETag", `"e"`)
}

// together does f n times at the same time, and gives how many were under way
// at the same time.
func (b *busy) together(n int, f func() error) int64 {
	b.most.Store(0)
	var all sync.WaitGroup
	for range n {
		all.Go(func() { f() })
	}
	all.Wait()
	return b.most.Load()
}

// once is options with which nothing is tried again.
func once() objects.Config { return objects.Config{Retry: 1} }

func TestFewerRequestsAreUnderWayWhenTheStoreHasTooMuchToDo(t *testing.T) {
	for _, status := range []int64{429, 503, 504, 408} {
		synctest.Test(t, func(t *testing.T) {
			b := &busy{}
			c := inMemory(t, once(), b.ServeHTTP)
			put := func() error { return c.Put(t.Context(), objects.New{Key: "k"}, []byte("x")) }
			head := func() error { _, err := c.Head(t.Context(), "k"); return err }
			wave := func(what string, f func() error, want int64) {
				t.Helper()
				if got := b.together(8, f); got != want {
					t.Errorf("%d: %s: %d requests at the same time, want %d", status, what, got, want)
				}
			}
			wave("at first", put, 8)
			wave("at first", head, 8)
			b.status.Store(status)
			wave("refused", put, 8) // all of them: that counts once
			b.status.Store(0)
			wave("another class", head, 8)
			wave("after it", put, 5)
			wave("then", put, 6)
			wave("then", put, 7)
			b.status.Store(404)
			wave("not there", put, 8)
			b.status.Store(0)
			wave("which says nothing", put, 8)
		})
	}
}

func TestAllOfAClassWaitAsLongAsTheStoreAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &busy{after: "20"}
		cfg := once()
		cfg.Retry = unit.Duration(30 * time.Second)
		c := inMemory(t, cfg, b.ServeHTTP)
		b.status.Store(503)
		begun := time.Now()
		var all sync.WaitGroup
		all.Go(func() { c.Put(t.Context(), objects.New{Key: "k"}, nil) })
		time.Sleep(2 * time.Second)
		b.status.Store(0)
		if err := c.Put(t.Context(), objects.New{Key: "l"}, nil); err != nil || time.Since(begun) != 22*time.Second {
			t.Errorf("got %v after %s, want another to wait 20 s too", err, time.Since(begun))
		}
		all.Wait()
	})
}

func TestRequestsAndBytesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const kib = 1 << 10
		c := inMemory(t, objects.Config{Limit: pace.Limit{Requests: 10}}, func(w http.ResponseWriter, r *http.Request) {})
		begun := time.Now()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				for range 20 {
					if err := c.Put(t.Context(), objects.New{Key: "k"}, nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if took := time.Since(begun); (took - 10*time.Second).Abs() > time.Second {
			t.Errorf("100 requests took %s at 10 a second, want 10 s", took)
		}
		var requests atomic.Int64
		c = inMemory(t, objects.Config{Limit: pace.Limit{Bytes: 1 * kib}}, func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			if n, err := io.Copy(io.Discard, r.Body); r.Method == "PUT" && (n != 200*kib || err != nil) {
				t.Errorf("got %d bytes, %v, want 200 KiB", n, err)
			}
			w.Header().Set("ETag", `"e"`)
			if r.Method == "GET" {
				w.Header().Set("Content-Length", "204800")
				w.Write(make([]byte, 200*kib))
			}
		})
		begun = time.Now()
		for range 2 { // each waits minutes for its turn
			all.Go(func() {
				if err := c.Put(t.Context(), objects.New{Key: "k"}, make([]byte, 200*kib)); err != nil {
					t.Error(err)
				}
				got, err := read(t, c, objects.Object{Key: "k", ETag: "e", Size: 200 * kib}, 0)
				if len(got) != 200*kib || err != nil {
					t.Errorf("got %d bytes, %v, want 200 KiB", len(got), err)
				}
			})
		}
		all.Wait()
		if took := time.Since(begun); (took - 800*time.Second).Abs() > 40*time.Second {
			t.Errorf("800 KiB took %s at 1 KiB a second, want 800 s", took)
		}
		if n := requests.Load(); n != 4 {
			t.Errorf("%d requests, want 4: who is held back does not stand still", n)
		}
	})
}

// Each of them gets a piece less often than a connection may stand still.
func TestWhoIsHeldBackDoesNotStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inMemory(t, objects.Config{Retry: 1, Limit: pace.Limit{Bytes: 1 << 10}}, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
		var all sync.WaitGroup
		for range 90 {
			all.Go(func() {
				if err := c.Put(t.Context(), objects.New{Key: "k"}, make([]byte, 3<<10)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

func TestARequestIsSignedWhenItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inMemory(t, objects.Config{Limit: pace.Limit{Requests: 1}}, func(w http.ResponseWriter, r *http.Request) {
			at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
			if age := time.Since(at); err != nil || age > time.Second {
				t.Errorf("got a signature %s old, %v", age, err)
			}
		})
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if err := c.Put(t.Context(), objects.New{Key: "k"}, nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

func TestTheClockOfTheStoreIsLearnedOnce(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		synctest.Test(t, func(t *testing.T) {
			requests := 0
			c := inMemory(t, objects.Config{}, func(w http.ResponseWriter, r *http.Request) {
				requests++
				now := time.Now().Add(time.Hour)
				at, _ := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
				w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
				if now.Sub(at).Abs() > 15*time.Minute {
					w.WriteHeader(403)
					io.WriteString(w, "<Error><Code>RequestTimeTooSkewed</Code></Error>")
					return
				}
				io.WriteString(w, page("", "", "k"))
			})
			ask := func() (err error) {
				if method == "GET" {
					_, _, err = c.Page(t.Context(), "", "", 1)
				} else {
					_, err = c.Head(t.Context(), "k")
				}
				return err
			}
			for range 3 {
				if err := ask(); err != nil {
					t.Errorf("%s: %v", method, err)
				}
			}
			if requests != 4 {
				t.Errorf("%s: %d requests, want one more than 3", method, requests)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // a store that is never content
		requests := 0
		c := inMemory(t, objects.Config{}, func(w http.ResponseWriter, r *http.Request) {
			requests++
			w.WriteHeader(403)
			io.WriteString(w, "<Error><Code>RequestTimeTooSkewed</Code></Error>")
		})
		e := new(objects.Error)
		if _, _, err := c.Page(t.Context(), "", "", 1); !errors.As(err, &e) || requests != 2 {
			t.Errorf("got %v after %d requests, want the error after two", err, requests)
		}
	})
}
