package objects_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/internal/objects"
	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
	"sluice/test/faultproxy"
)

var emptyIsNil = cmpopts.EquateEmpty()

// put makes an object of each key, several at a time.
func put(t *testing.T, c *objects.Client, keys []string) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(8)
	for _, k := range keys {
		g.Go(func() error { return c.Put(t.Context(), objects.New{Key: k}, []byte(k)) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// random gives n bytes that are always the same.
func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

// through is a bucket with one object, seen through a proxy.
func through(t *testing.T, body []byte) (*objectstest.Bucket, *faultproxy.Proxy, *objects.Client, objects.Object) {
	t.Helper()
	b := objectstest.New(t)
	b.Put("dir/k", body)
	p := faultproxy.New(t, b.Store.Endpoint)
	c := client(t, b.Config(p.URL))
	o := find(t, c, "dir/k")
	p.Clear()
	return b, p, c, o
}

func read(t *testing.T, c *objects.Client, o objects.Object, off int64) ([]byte, error) {
	t.Helper()
	r, err := c.Get(t.Context(), o, off)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestABodyCutInTheMiddleIsReadOnByRange(t *testing.T) {
	want := random(3 << 20)
	_, p, c, o := through(t, want)
	for _, cuts := range [][]int64{{1}, {0xffff}, {1 << 20}, {3<<20 - 1}, {5, 1, 100_000, 7}} {
		p.Clear()
		for _, at := range cuts {
			p.Add(&faultproxy.Rule{Path: "dir/k", CutAfter: at})
		}
		got, err := read(t, c, o, 0)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("cut at %v: got %d bytes, %v, want the %d", cuts, len(got), err, len(want))
		}
		if n := len(p.Requests("GET")); n != len(cuts)+1 {
			t.Errorf("cut at %v: got %d requests, want %d", cuts, n, len(cuts)+1)
		}
	}
	if got, err := read(t, c, o, 1<<20); err != nil || !bytes.Equal(got, want[1<<20:]) {
		t.Errorf("from the middle: got %d bytes, %v", len(got), err)
	}
	if got, err := read(t, c, o, o.Size); err != nil || len(got) != 0 {
		t.Errorf("from the end: got %d bytes, %v", len(got), err)
	}
}

func TestABusyStoreIsAskedAgain(t *testing.T) {
	want := random(1000)
	_, p, c, o := through(t, want)
	p.Add(&faultproxy.Rule{Method: "GET", Status: 503, Body: "<Error><Code>SlowDown</Code></Error>", Times: 2})
	p.Add(&faultproxy.Rule{Method: "GET", Status: 500})
	p.Add(&faultproxy.Rule{Method: "GET", Late: true, Cut: true})
	if got, err := read(t, c, o, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v, want the %d", len(got), err, len(want))
	}
}

func TestAnObjectThatIsReplacedWhileItIsReadIsGone(t *testing.T) {
	b, p, c, o := through(t, random(1<<20))
	rule := p.Add(&faultproxy.Rule{Method: "GET", CutAfter: 1 << 18})
	p.Add(&faultproxy.Rule{Method: "GET", Do: func() { b.Put("dir/k", random(1<<20 + 1)[1:]) }})
	_, err := read(t, c, o, 0)
	if !errors.Is(err, pipeline.ErrGone) || !strings.Contains(fmt.Sprint(err), b.Name+"/dir/k: replaced") || rule.Hits() != 1 {
		t.Errorf("got %v, want that it was replaced", err)
	}
	if _, err := read(t, c, o, 0); !errors.Is(err, pipeline.ErrGone) {
		t.Errorf("opened again: got %v, want that it is gone", err)
	}
}

// listed is an object as a listing has it.
func listed(t *testing.T, c *objects.Client, key string) objects.Object {
	t.Helper()
	page, _, err := c.Page(t.Context(), key, "", 1)
	if err != nil || len(page) != 1 || page[0].VersionID != "" {
		t.Fatalf("got %+v, %v", page, err)
	}
	return page[0]
}

func TestAnObjectThatIsReplacedWhileItIsReadIsReadByItsVersion(t *testing.T) {
	b := objectstest.New(t)
	b.Versioned()
	want := random(1 << 20)
	b.Put("k", want)
	p := faultproxy.New(t, b.Store.Endpoint)
	c := client(t, b.Config(p.URL))
	o := listed(t, c, "k")
	p.Add(&faultproxy.Rule{Query: "versions=", Status: 403, Times: -1}) // the reply has said which one it is
	p.Add(&faultproxy.Rule{Method: "GET", CutAfter: 1 << 18, Do: func() {}})
	p.Add(&faultproxy.Rule{Method: "GET", Do: func() { b.Put("k", []byte("other")) }})
	if got, err := read(t, c, o, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v, want the version that was listed", len(got), err)
	}
}

func TestAnObjectThatIsReplacedBeforeItIsReadIsReadByItsVersion(t *testing.T) {
	b := objectstest.New(t)
	b.Versioned()
	b.Put("k", []byte("other"))
	want := random(1000)
	b.Put("k", want)
	b.Put("k2", want)
	c := client(t, b.Config(""))
	o := listed(t, c, "k")
	b.Put("k", []byte("another"))
	v := c.Content(o)
	got := make([]byte, 600)
	if err := v.Fill(t.Context(), got, 400); err != nil || !bytes.Equal(got, want[400:]) || v.Object().VersionID == "" {
		t.Errorf("got %v, or other bytes; want the version that was listed", err)
	}
	o.ETag = "none"
	if _, err := read(t, c, o, 0); !errors.Is(err, objects.ErrReplaced) || !errors.Is(err, pipeline.ErrGone) {
		t.Errorf("no such version: got %v, want that it was replaced", err)
	}
}

func TestAnObjectThatVanishesIsGone(t *testing.T) {
	b, p, c, o := through(t, random(1<<20))
	p.Add(&faultproxy.Rule{Method: "GET", CutAfter: 1 << 18})
	p.Add(&faultproxy.Rule{Method: "GET", Do: func() { b.Delete("dir/k") }})
	_, err := read(t, c, o, 0)
	if !errors.Is(err, pipeline.ErrGone) || !strings.Contains(fmt.Sprint(err), "vanished since it was listed") {
		t.Errorf("got %v, want that it vanished", err)
	}
}

func TestAnObjectThatAnswers500ForGoodIsAnErrorThatNamesIt(t *testing.T) {
	b, p, _, o := through(t, random(100))
	cfg := b.Config(p.URL)
	cfg.Retry /= 20
	p.Add(&faultproxy.Rule{Method: "GET", Status: 500, Times: -1})
	_, err := read(t, client(t, cfg), o, 0)
	if !errors.Is(err, pipeline.ErrGone) || !strings.Contains(err.Error(), "get "+b.Name+"/dir/k: 500") {
		t.Errorf("got %v, want a 500 that names the object, which cannot be had", err)
	}
	p.Add(&faultproxy.Rule{Status: 500, Times: -1})
	if _, err = read(t, client(t, cfg), o, 0); err == nil || errors.Is(err, pipeline.ErrGone) {
		t.Errorf("got %v, want an error of a store that does nothing, not of an object", err)
	}
}

func TestAnObjectThatMayNotBeReadIsGoneIfOthersMay(t *testing.T) {
	b, p, c, o := through(t, random(100))
	b.Put("other", []byte("x"))
	p.Add(&faultproxy.Rule{Method: "GET", Path: "dir/k", Status: 403, Body: "<Error><Code>AccessDenied</Code></Error>", Times: -1})
	if _, err := read(t, c, o, 0); err == nil || errors.Is(err, pipeline.ErrGone) {
		t.Errorf("got %v, want an error: perhaps nothing may be read", err)
	}
	other := find(t, c, "other")
	if _, err := read(t, c, other, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, c, o, 0); !errors.Is(err, pipeline.ErrGone) {
		t.Errorf("got %v, want that it cannot be had", err)
	}
}

func TestAPieceOfAnObjectIsReadThroughCuts(t *testing.T) {
	want := random(3 << 20)
	_, p, c, o := through(t, want)
	v := c.Content(o)
	for _, at := range []int64{0, 1, 1 << 20, 2<<20 + 5} {
		p.Clear()
		p.Add(&faultproxy.Rule{Path: "dir/k", CutAfter: 1000})
		got := make([]byte, min(1<<20, o.Size-at))
		if err := v.Fill(t.Context(), got, at); err != nil || !bytes.Equal(got, want[at:at+int64(len(got))]) {
			t.Errorf("from byte %d: got %v, or other bytes", at, err)
		}
	}
	if !v.Ranges() {
		t.Error("the store is said to ignore ranges")
	}
}

func TestAStoreThatIgnoresRangesIsReadNonetheless(t *testing.T) {
	want := random(1 << 20)
	requests := 0
	c := client(t, stub(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Content-Length", fmt.Sprint(len(want)))
		if requests == 2 {
			w.Write(want[:500_000])
			return // short
		}
		w.Write(want)
	}))
	v := c.Content(objects.Object{Key: "k", ETag: "e", Size: int64(len(want))})
	got := make([]byte, 1000)
	if err := v.Fill(t.Context(), got, 7000); err != nil || !bytes.Equal(got, want[7000:8000]) || v.Ranges() {
		t.Errorf("a piece: got %v, or other bytes; ranges %v", err, v.Ranges())
	}
	r, err := v.Open(t.Context(), 100, int64(len(want)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err = io.ReadAll(r); err != nil || !bytes.Equal(got, want[100:]) || requests != 3 {
		t.Errorf("from byte 100 on, cut: got %d bytes, %v, %d requests", len(got), err, requests)
	}
}

func TestABodyThatDoesNotMoveIsGivenUpAndReadOn(t *testing.T) {
	want := random(1 << 20)
	b, p, _, o := through(t, want)
	cfg := b.Config(p.URL)
	objects.Stall(&cfg, 200*time.Millisecond)
	p.Add(&faultproxy.Rule{Method: "GET", CutAfter: 1 << 18, Delay: time.Minute})
	p.Add(&faultproxy.Rule{Method: "GET", Delay: time.Minute})
	began := time.Now()
	got, err := read(t, client(t, cfg), o, 0)
	if err != nil || !bytes.Equal(got, want) || time.Since(began) > 20*time.Second {
		t.Errorf("got %d bytes, %v after %s, want the %d soon", len(got), err, time.Since(began), len(want))
	}
}

func TestASlowUploadIsNotTakenForOneThatDoesNotMove(t *testing.T) {
	cfg := stub(t, func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 32<<10)
		for {
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				return
			}
			time.Sleep(4 * time.Millisecond)
		}
	})
	objects.Stall(&cfg, 2*time.Second) // what is in the buffers of the network takes a part of it
	cfg.Retry = 0
	began := time.Now()
	err := client(t, cfg).Put(t.Context(), objects.New{Key: "k"}, make([]byte, 20<<20))
	if d := time.Since(began); err != nil || d < 2*time.Second {
		t.Errorf("got %v after %s, want success after longer than the stall time", err, d)
	}
}

func TestASlowDownloadIsNotTakenForOneThatDoesNotMove(t *testing.T) {
	requests := 0
	cfg := stub(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Content-Length", "30")
		for range 30 {
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	})
	objects.Stall(&cfg, time.Second)
	got, err := read(t, client(t, cfg), objects.Object{Key: "k", ETag: "e", Size: 30}, 0)
	if err != nil || len(got) != 30 || requests != 1 {
		t.Errorf("got %d bytes with %d requests, %v, want 30 with one", len(got), requests, err)
	}
}

func TestRepliesThatAreNotWhatWasAskedForAreErrors(t *testing.T) {
	o := objects.Object{Key: "k", ETag: "e", Size: 10}
	for name, tc := range map[string]struct {
		etag, rng string
		off       int64
		body      string
		want      error
	}{
		"another etag":   {"f", "", 0, "0123456789", pipeline.ErrGone},
		"shorter":        {"e", "", 0, "012345678", io.ErrUnexpectedEOF},
		"another length": {"e", "", 5, "012345678", io.ErrUnexpectedEOF},
		"other range":    {"e", "bytes 4-8/10", 5, "45678", nil},
	} {
		c := client(t, stub(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"`+tc.etag+`"`)
			if tc.rng != "" {
				w.Header().Set("Content-Range", tc.rng)
				w.WriteHeader(206)
			}
			io.WriteString(w, tc.body)
		}))
		r, err := c.Get(t.Context(), o, tc.off) // seen before a byte is read
		var got []byte
		if err == nil {
			got, err = nil, r.Close()
		}
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: got %q, %v, want %v", name, got, err, tc.want)
		}
	}
}

// body is a body of a reader under test.
type body struct {
	io.Reader
	closed *atomic.Bool
}

func (b body) Close() error { b.closed.Store(true); return nil }

func TestABodyThatNobodyReadsGivesItsConnectionBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened []int64
		var closed []*atomic.Bool
		r := objects.Read(t.Context(), time.Minute, 10, func(off int64) (io.ReadCloser, error) {
			opened = append(opened, off)
			closed = append(closed, new(atomic.Bool))
			return body{strings.NewReader("0123456789"[off:]), closed[len(closed)-1]}, nil
		})
		defer r.Close()
		io.ReadFull(r, make([]byte, 4))
		time.Sleep(29 * time.Second)
		io.ReadFull(r, make([]byte, 1))
		time.Sleep(29 * time.Second)
		synctest.Wait()
		if closed[0].Load() {
			t.Error("closed before 30s without a read")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !closed[0].Load() {
			t.Error("open after 30s without a read")
		}
		rest, err := io.ReadAll(r)
		if string(rest) != "56789" || err != nil || fmt.Sprint(opened) != "[0 5]" {
			t.Errorf("got %q, %v, opened at %v, want the rest from byte 5", rest, err, opened)
		}
	})
}

func TestABodyWithoutProgressEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := objects.Read(t.Context(), time.Minute, 10, func(off int64) (io.ReadCloser, error) {
			return body{io.MultiReader(strings.NewReader("012"[min(off, 3):]), iotest.ErrReader(io.ErrUnexpectedEOF)), new(atomic.Bool)}, nil
		})
		defer r.Close()
		got, err := io.ReadAll(r)
		if string(got) != "012" || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "get bucket/key: at byte 3 of 10") {
			t.Errorf("got %q, %v, want that it ends at byte 3 of 10", got, err)
		}
		if d := time.Since(began); d > time.Minute || d < 30*time.Second {
			t.Errorf("tried for %s, want nearly a minute", d)
		}
	})
}

func TestABodyThatMovesMayBeCutAnyNumberOfTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 40 << 19
		r := objects.Read(t.Context(), time.Second, size, func(off int64) (io.ReadCloser, error) {
			return body{strings.NewReader(strings.Repeat("x", 1<<19)), new(atomic.Bool)}, nil // then it ends
		})
		defer r.Close()
		if got, err := io.Copy(io.Discard, r); got != size || err != nil {
			t.Errorf("got %d bytes, %v, want %d", got, err, size)
		}
	})
}

func TestABodyThatHardlyMovesEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := objects.Read(t.Context(), time.Minute, 8000, func(off int64) (io.ReadCloser, error) {
			n := 1
			if off > 4000 { // so that this ends in any case
				n = 4000
			}
			return body{strings.NewReader(strings.Repeat("x", n)), new(atomic.Bool)}, nil // then it ends
		})
		defer r.Close()
		time.Sleep(time.Hour) // of the one who reads: no fault of the store
		for range 3 {
			if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
				t.Fatalf("got %v, want a byte between any two cuts", err)
			}
			time.Sleep(time.Hour)
		}
		got, err := io.Copy(io.Discard, r)
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), fmt.Sprintf("at byte %d of 8000: unexpected EOF (failed ", 30+got)) || !strings.Contains(err.Error(), " times in ") {
			t.Errorf("got %v after %d bytes, want that it ends", err, got)
		}
		if d := time.Since(began) - 4*time.Hour; d > 2*time.Minute || d < 45*time.Second {
			t.Errorf("read for %s, want about a minute", d)
		}
	})
}

func TestAnEndedContextEndsABody(t *testing.T) {
	_, _, c, o := through(t, random(8<<20))
	ctx, cancel := context.WithCancelCause(t.Context())
	r, err := c.Get(ctx, o, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	io.ReadFull(r, make([]byte, 100))
	reason := errors.New("the reason")
	cancel(reason)
	if _, err := io.ReadAll(r); !errors.Is(err, reason) {
		t.Errorf("got %v, want %v", err, reason)
	}
}
