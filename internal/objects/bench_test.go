package objects_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"sluice/internal/awscreds"
	"sluice/internal/objects"
)

// against is a client of a store that answers with h.
func against(b *testing.B, h http.HandlerFunc) *objects.Client {
	b.Helper()
	s := httptest.NewServer(h)
	b.Cleanup(s.Close)
	cfg := objects.Config{Bucket: "b", Endpoint: s.URL, Region: "us-east-1", Config: awscreds.Config{AccessKey: "a", SecretKey: "s"}}
	c, err := cfg.Client(b.Context(), 4)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

func BenchmarkListPage(b *testing.B) {
	body := thousand()
	c := against(b, func(w http.ResponseWriter, r *http.Request) { w.Write(body) })
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := c.List(b.Context(), "", "", func(objects.Object) error { n++; return nil }); err != nil || n != 1000 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkScanPage(b *testing.B) {
	body := thousand()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	scan := objects.ScanObjects()
	for b.Loop() {
		if err := scan(body, func(objects.Object) {}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	body := make([]byte, 4<<10)
	c := against(b, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	})
	buf := make([]byte, len(body))
	b.ReportAllocs()
	for b.Loop() {
		r, err := c.Get(b.Context(), objects.Object{Key: "dir/key", ETag: "e", Size: int64(len(body))}, 0)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(r, buf); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

func BenchmarkPut(b *testing.B) {
	body := make([]byte, 4<<10)
	c := against(b, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"e"`)
	})
	n := objects.New{Key: "dir/key", ContentType: "text/plain", Meta: map[string]string{"sluice-pipeline": "p"}}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Put(b.Context(), n, body); err != nil {
			b.Fatal(err)
		}
	}
}
