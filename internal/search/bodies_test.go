package search_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/gzip"

	"sluice/internal/awscreds/awstest"
	"sluice/internal/search"
)

// sent is what a cluster reads of a request.
func sent(t *testing.T, r *http.Request) []byte {
	t.Helper()
	in := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return nil
		}
		in = z
	}
	b, err := io.ReadAll(in)
	if err != nil {
		t.Error(err)
	}
	return b
}

func TestLargeBodiesGoCompressedAndAreWhole(t *testing.T) {
	want := document(3 << 20)
	var compressed, broken atomic.Int64
	url := cluster(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Encoding") == "gzip" {
			compressed.Add(1)
		}
		if b := sent(t, r); !bytes.HasPrefix(want, b) || int64(len(b)) != r.ContentLength && r.ContentLength >= 0 || len(b) == 0 {
			broken.Add(1)
		}
	})
	for how, n := range map[string]int64{"on": 3, "off": 0, "auto": 0, "": 0} {
		compressed.Store(0)
		c := client(t, to(url))
		c.Compress(how)
		for _, r := range []search.Request{{Body: want, Zip: true}, {Body: want[:16<<10], Zip: true}, {Body: want[:1<<20], Zip: true}, {Body: want[:100], Zip: true}, {Body: want}} {
			r.Path = "/_bulk"
			resp, err := c.Do(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		if got := compressed.Load(); got != n || broken.Load() > 0 {
			t.Errorf("%s: %d bodies went compressed, %d were not whole; want %d, 0", how, got, broken.Load(), n)
		}
	}
}

// A signature covers what is sent: Amazon's hash of the body is that of its
// bytes in clear.
func TestSignedBodiesGoInClear(t *testing.T) {
	var compressed atomic.Int64
	v := &awstest.Verifier{Service: "es", Region: "eu-west-1", Key: "AK", Secret: "hidden", Now: time.Now}
	s := httptest.NewTLSServer(amazon(t, v, func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Encoding") != "" {
			compressed.Add(1)
		}
	}))
	t.Cleanup(s.Close)
	c := client(t, signing(s.URL, "es"))
	c.Compress("on")
	resp, err := c.Do(t.Context(), search.Request{Path: "/_bulk", Body: document(1 << 20), Zip: true})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n := compressed.Load(); n > 0 {
		t.Errorf("%d bodies went compressed, want none", n)
	}
}

func TestBodiesGoCompressedWhereThatIsFaster(t *testing.T) {
	body := document(512 << 10)
	for name, x := range map[string]struct {
		wire   int64
		zipped [2]float64 // part of the bodies, at least and at most
	}{
		"slow network": {5 * mb, [2]float64{0.9, 1}},
		"fast network": {200 * mb, [2]float64{0, 0}},
	} {
		synctest.Test(t, func(t *testing.T) {
			all, compressed := 0, 0
			c := pipes(t, func(_ http.ResponseWriter, r *http.Request) {
				if all++; r.Header.Get("Content-Encoding") == "gzip" {
					compressed++
				}
				for piece := make([]byte, 32<<10); ; {
					n, err := r.Body.Read(piece)
					time.Sleep(time.Duration(int64(n) * int64(time.Second) / x.wire))
					if err != nil {
						break
					}
				}
				time.Sleep(50 * time.Millisecond) // it indexes
			})
			c.Compress("auto")
			for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
				resp, err := c.Do(t.Context(), search.Request{Path: "/_bulk", Body: body, Zip: true})
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
			if part := float64(compressed) / float64(all); part < x.zipped[0] || part > x.zipped[1] {
				t.Errorf("%s: %d of %d bodies went compressed, want a part between %v", name, compressed, all, x.zipped)
			}
		})
	}
}

func TestAnEncoderTakesWhatIsReservedForIt(t *testing.T) {
	b := document(4 << 20)
	url := cluster(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	c := client(t, to(url))
	c.Compress("on")
	allocated := testing.Benchmark(func(tb *testing.B) {
		for range tb.N {
			resp, err := c.Do(t.Context(), search.Request{Path: "/_bulk", Body: b, Zip: true})
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	})
	if got := allocated.AllocedBytesPerOp(); got > search.EncoderMemory/2 { // the cluster is in it
		t.Errorf("a request allocates %d bytes, want the encoder to be used again", got)
	}
}
