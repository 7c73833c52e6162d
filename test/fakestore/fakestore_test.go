package fakestore_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"sluice/internal/awscreds"
	"sluice/internal/objects"
	"sluice/internal/unit"
	"sluice/test/fakestore"
)

// client is one of a store for a test.
func client(t *testing.T, s *fakestore.Store, f func(c *objects.Client)) {
	t.Helper()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	err := s.Serve(func(url string) error {
		config := objects.Config{Bucket: "b", Endpoint: url, Region: "us-east-1", Retry: unit.Duration(time.Second),
			Config: awscreds.Config{AccessKey: "test", SecretKey: "testsecret"}}
		c, err := config.Client(t.Context(), 2)
		if err != nil {
			return err
		}
		defer c.Close()
		f(c)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func keysOf(t *testing.T, c *objects.Client, prefix, after string) (keys []string) {
	t.Helper()
	err := c.List(t.Context(), prefix, after, func(o objects.Object) error {
		keys = append(keys, o.Key)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return keys
}

func TestAListingHasAllKeysInOrder(t *testing.T) {
	s := &fakestore.Store{Prefix: "k/", Count: 2500, Size: 3, Omit: func(i int) bool { return i == 7 }}
	client(t, s, func(c *objects.Client) {
		if err := c.Put(t.Context(), objects.New{Key: "k/000000001-put"}, []byte("hello")); err != nil {
			t.Error(err)
		}
		got := keysOf(t, c, "", "")
		if len(got) != 2500 || !slices.IsSorted(got) || !slices.Contains(got, "k/000000001-put") || slices.Contains(got, "k/000000007") {
			t.Errorf("got %d keys", len(got))
		}
		if got := keysOf(t, c, "k/00000249", "k/000002497"); !slices.Equal(got, []string{"k/000002498", "k/000002499"}) {
			t.Errorf("got %q after the key", got)
		}
		if lists := s.Stats().Lists; lists != 4 {
			t.Errorf("got %d pages, want 4", lists)
		}
	})
}

func TestABodyIsReadFromAnyByte(t *testing.T) {
	g := fakestore.NewGzip(bytes.Repeat([]byte("a line\n"), 1000), 50)
	s := &fakestore.Store{Count: 1, Size: g.Size(), Body: func(_ int, off int64) io.Reader { return g.From(off) }}
	client(t, s, func(c *objects.Client) {
		err := c.List(t.Context(), "", "", func(o objects.Object) error {
			for _, off := range []int64{0, 5, 100, o.Size - 3, o.Size} {
				r, err := c.Get(t.Context(), o, off)
				if err != nil {
					return err
				}
				got, err := io.ReadAll(r)
				r.Close()
				want, _ := io.ReadAll(g.From(off))
				if err != nil || !bytes.Equal(got, want) || int64(len(want)) != o.Size-off {
					t.Errorf("from %d: got %d bytes, %v, want %d", off, len(got), err, o.Size-off)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestTheGzipFileIsOne(t *testing.T) {
	block := bytes.Repeat([]byte("some text "), 99)
	g := fakestore.NewGzip(block, 3)
	all, err := io.ReadAll(g.From(0))
	if err != nil || int64(len(all)) != g.Size() {
		t.Fatalf("got %d bytes, %v, want %d", len(all), err, g.Size())
	}
	z, err := gzip.NewReader(iotest.OneByteReader(bytes.NewReader(all)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, bytes.Repeat(block, 3)) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestWritesAndTheirConditions(t *testing.T) {
	s := &fakestore.Store{}
	client(t, s, func(c *objects.Client) {
		n := objects.New{Key: "o", Meta: map[string]string{"mine": "yes"}, Absent: true}
		if err := c.Put(t.Context(), n, []byte("one")); err != nil {
			t.Error(err)
		}
		if err := c.Put(t.Context(), n, []byte("two")); err == nil {
			t.Error("the second one was taken")
		}
		if info, err := c.Head(t.Context(), "o"); err != nil || info.Size != 3 || info.Meta["mine"] != "yes" {
			t.Errorf("got %+v, %v", info, err)
		}
		big := objects.New{Key: "big"}
		id, err := c.Begin(t.Context(), big)
		if err != nil {
			t.Error(err)
		}
		var etags []string
		for i := range 2 {
			tag, err := c.Part(t.Context(), "big", id, i+1, make([]byte, 6<<20))
			if err != nil {
				t.Error(err)
			}
			etags = append(etags, tag)
		}
		if err := c.Complete(t.Context(), big, id, etags); err != nil {
			t.Error(err)
		}
		if n, size := s.Written(); n != 2 || size != 12<<20+3 || s.Uploads() != 0 {
			t.Errorf("got %s", fmt.Sprint(n, size, s.Uploads()))
		}
	})
}
