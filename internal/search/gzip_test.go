package search_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/gzip"

	"sluice/internal/search"
)

// zipped compresses as clusters do.
func zipped(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, 3)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

// document is text that compresses to about a sixth.
func document(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, `{"_index":"logs","_id":"%x","_source":{"message":"GET /index.html","status":%d}},`, rnd.Uint64(), rnd.IntN(600))
	}
	return b.Bytes()[:n]
}

func TestPagesAloneComeCompressed(t *testing.T) {
	want := document(1 << 20)
	var asked atomic.Int64
	url := cluster(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			w.Write(want)
			return
		}
		asked.Add(1)
		w.Header().Set("Content-Encoding", "gzip")
		if r.URL.Path == "/refused" {
			w.WriteHeader(http.StatusBadRequest)
			w.Write(zipped([]byte(`{"error":{"type":"x_exception","reason":"why"}}`)))
			return
		}
		w.Write(zipped(want))
	})
	for how, pages := range map[string]int64{"on": 2, "off": 0, "auto": 0, "": 0} {
		asked.Store(0)
		c := client(t, to(url))
		c.Compress(how)
		for _, r := range []search.Request{{Path: "/_search", Hits: 10}, {Path: "/_search", Hits: 10}, {Path: "/_search"}, {Path: "/i/_settings"}} {
			resp, err := c.Do(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %s: got %d bytes, %v, want %d", how, r.Path, len(got), err, len(want))
			}
			resp.Body.Close()
			if _, err := resp.Body.Read(make([]byte, 1)); err == nil || err == io.EOF {
				t.Errorf("%s: %s: got %v of a closed body, want an error", how, r.Path, err)
			}
			resp.Body.Close()
		}
		if asked.Load() != pages {
			t.Errorf("%s: %d replies were asked for compressed, want %d", how, asked.Load(), pages)
		}
	}
	c := client(t, to(url))
	c.Compress("on")
	if _, err := c.Do(t.Context(), search.Request{Path: "/refused", Hits: 1}); search.AsError(err) == nil || search.AsError(err).Reason != "why" {
		t.Errorf("got %v, want what a compressed refusal says", err)
	}
}

func TestACompressedBodyCutAnywhereIsACutBody(t *testing.T) {
	want := document(3000)
	whole := zipped(want)
	cut, abort, flip := 0, false, false
	c := client(t, to(cluster(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		b := bytes.Clone(whole[:cut])
		if flip {
			b[len(b)-8] ^= 1 // of the checksum
		}
		w.Write(b)
		if abort {
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	})))
	c.Compress("on")
	read := func() ([]byte, error) {
		resp, err := c.Do(t.Context(), search.Request{Path: "/_search", Hits: 10})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return io.ReadAll(resp.Body)
	}
	for cut = range whole {
		got, err := read()
		if cause, _ := search.Retryable(err); cause != "cut body" || !bytes.HasPrefix(want, got) {
			t.Fatalf("cut at %d of %d: got %d bytes, %v, want a cut body", cut, len(whole), len(got), err)
		}
	}
	cut = len(whole)
	if got, err := read(); err != nil || !bytes.Equal(got, want) {
		t.Errorf("whole: got %d bytes, %v, want %d", len(got), err, len(want))
	}
	abort = true
	if _, err := read(); err == nil {
		t.Error("the connection broke off before the end of the reply: got no error")
	}
	abort, flip = false, true
	if _, err := read(); err == nil {
		t.Error("another checksum: got no error")
	}
}

func TestADecoderTakesWhatIsReservedForIt(t *testing.T) {
	b := zipped(document(1 << 20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := new(gzip.Reader)
	if err := r.Reset(struct{ io.Reader }{bytes.NewReader(b)}); err != nil {
		t.Fatal(err)
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, make([]byte, 512))
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > search.DecoderMemory || n != 1<<20 || err != nil {
		t.Errorf("%d bytes, %v: %d were allocated, want at most %d", n, err, got, search.DecoderMemory)
	}
}

// network is a slow way to a cluster, which has pages of 256 KiB.
type network struct {
	wire, zip atomic.Int64 // bytes a second that it moves, and that the cluster compresses
	pages     atomic.Int64
	zipped    atomic.Int64 // of them
}

var (
	pageText   = document(256 << 10)
	pageZipped = zipped(pageText)
)

func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	n.pages.Add(1)
	body := pageText
	if r.Header.Get("Accept-Encoding") == "gzip" {
		n.zipped.Add(1)
		body = pageZipped
		w.Header().Set("Content-Encoding", "gzip")
		time.Sleep(time.Duration(int64(len(pageText)) * int64(time.Second) / n.zip.Load()))
	}
	for len(body) > 0 {
		piece := body[:min(len(body), 64<<10)]
		time.Sleep(time.Duration(int64(len(piece)) * int64(time.Second) / n.wire.Load()))
		w.Write(piece)
		http.NewResponseController(w).Flush()
		body = body[len(piece):]
	}
}

// read reads pages for some time. Its sink is slow, which must not matter: it
// takes two seconds for each.
func (n *network) read(t *testing.T, c *search.Client, d time.Duration) (pages, compressed int64) {
	t.Helper()
	n.pages.Store(0)
	n.zipped.Store(0)
	for end := time.Now().Add(d); time.Now().Before(end); {
		before := n.pages.Load()
		resp, err := c.Do(t.Context(), search.Request{Path: "/_search/scroll", Body: []byte("{}"), Hits: 100})
		if err != nil {
			t.Fatal(err)
		}
		begin := make([]byte, len(pageText)/2)
		_, err = io.ReadFull(resp.Body, begin)
		time.Sleep(2 * time.Second)
		if b, err2 := io.ReadAll(resp.Body); err != nil || err2 != nil || !bytes.Equal(append(begin, b...), pageText) {
			t.Fatalf("got %d bytes, %v, %v, want a page", len(begin)+len(b), err, err2)
		}
		resp.Body.Close()
		if n.pages.Load() != before+1 {
			t.Fatalf("a page was asked for %d times", n.pages.Load()-before)
		}
	}
	return n.pages.Load(), n.zipped.Load()
}

const mb = 1_000_000

func TestPagesComeCompressedWhereThatIsFaster(t *testing.T) {
	for name, x := range map[string]struct {
		wire, zip int64
		zipped    [2]float64 // part of the pages, at least and at most
	}{
		"slow network":                  {5 * mb, 80 * mb, [2]float64{0.9, 1}},
		"fast network":                  {200 * mb, 80 * mb, [2]float64{0, 0}},
		"slow network, slower cluster":  {30 * mb, 20 * mb, [2]float64{0.001, 0.1}},
		"as fast either way, or nearly": {30 * mb, 36 * mb, [2]float64{0.001, 0.1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &network{}
			n.wire.Store(x.wire)
			n.zip.Store(x.zip)
			c := pipes(t, n.ServeHTTP)
			c.Compress("auto")
			pages, compressed := n.read(t, c, 5*time.Minute)
			if part := float64(compressed) / float64(pages); part < x.zipped[0] || part > x.zipped[1] {
				t.Errorf("%s: %d of %d pages came compressed, want a part between %v", name, compressed, pages, x.zipped)
			}
		})
	}
}

func TestTheChoiceFollowsTheNetworkAndIsLoggedOncePerChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := logged(t)
		n := &network{}
		n.wire.Store(5 * mb)
		n.zip.Store(80 * mb)
		c := pipes(t, n.ServeHTTP)
		c.Compress("auto")
		n.read(t, c, 4*time.Minute)
		if got := strings.Count(said(), "faster way"); got != 1 {
			t.Errorf("the choice was logged %d times, want once: %s", got, said())
		}
		n.wire.Store(300 * mb)
		n.read(t, c, 8*time.Minute)
		if pages, compressed := n.read(t, c, 4*time.Minute); compressed > pages/10 {
			t.Errorf("%d of %d pages come compressed over a fast network, want next to none", compressed, pages)
		}
		if got := strings.Count(said(), "faster way"); got != 2 {
			t.Errorf("the choice was logged %d times, want once for each change: %s", got, said())
		}
		n.wire.Store(5 * mb)
		n.read(t, c, 20*time.Minute)
		if pages, compressed := n.read(t, c, 4*time.Minute); compressed < pages/2 {
			t.Errorf("%d of %d pages come compressed over a slow network, want most", compressed, pages)
		}
	})
}
