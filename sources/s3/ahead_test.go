package s3_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/kind"
	"sluice/internal/objects"
	"sluice/pipeline"
	"sluice/sources/s3"
	"sluice/transforms"
)

// random gives n bytes that depend on a seed.
func random(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func crc32c(b []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))))
}

// flow reads a source with some lanes at a time and calls f with each item.
func flow(t *testing.T, cfg s3.Config, parallel int, f func(ctx context.Context, it *pipeline.Item) error) error {
	t.Helper()
	r, err := buildWith(t, cfg).Open(t.Context(), &pipeline.Pass{Pipeline: "t", Parallel: parallel})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	lanes, err := r.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, ctx := errgroup.WithContext(t.Context())
	all.SetLimit(parallel)
	for _, lane := range lanes {
		all.Go(func() error {
			out := make(chan *pipeline.Item)
			g, ctx := errgroup.WithContext(ctx)
			g.Go(func() error {
				err := r.Read(ctx, lane, pipeline.Position{}, out)
				if err == nil {
					close(out)
				}
				return err
			})
			g.Go(func() error {
				for {
					it, ok, err := pipeline.Receive(ctx, out)
					if !ok {
						return err
					}
					if err := f(ctx, it); err != nil {
						return err
					}
				}
			})
			return g.Wait()
		})
	}
	return all.Wait()
}

// content opens and reads an item, and lets it go.
func content(ctx context.Context, it *pipeline.Item) ([]byte, error) {
	r, err := it.Body.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer it.Release()
	defer r.Close()
	return io.ReadAll(r)
}

func TestSmallObjectsAreFetchedBeforeTheirTurn(t *testing.T) {
	f := newFake(t)
	for i := range 300 {
		f.put(fmt.Sprintf("k%03d", i), random(2000, byte(i)))
	}
	full := make(chan struct{}) // eight requests are in flight
	var once sync.Once
	f.hook = func(_ http.ResponseWriter, r *http.Request, key string) bool {
		f.mu.Lock()
		enough := f.inFlight >= 8
		f.mu.Unlock()
		if enough {
			once.Do(func() { close(full) })
		}
		if key > "k100" && key < "k200" { // most of the others were fetched by then
			select {
			case <-full:
			case <-time.After(10 * time.Second):
				once.Do(func() { close(full) })
			}
		}
		return false
	}
	var got []string
	err := flow(t, s3.Config{Config: f.config}, 1, func(ctx context.Context, it *pipeline.Item) error {
		b, err := content(ctx, it)
		if want := f.objects[it.Key].body; !bytes.Equal(b, want) {
			t.Errorf("%s: got %d bytes, want its %d", it.Key, len(b), len(want))
		}
		got = append(got, it.Key)
		return err
	})
	if err != nil || !slices.IsSorted(got) || len(got) != 300 || f.most < 8 {
		t.Errorf("got %v, %d objects, in order: %v, %d requests at a time, want 8", err, len(got), slices.IsSorted(got), f.most)
	}
	if n := len(f.asked("GET k")); n != 300 {
		t.Errorf("got %d requests for 300 objects", n)
	}
}

func TestObjectsThatNobodyOpensCostNoRequest(t *testing.T) {
	f := newFake(t)
	for i := range 900 { // a page: one lane
		f.put(fmt.Sprintf("k%04d", i), random(100, 1))
	}
	letGo := func(_ context.Context, it *pipeline.Item) error {
		it.Release()
		return nil
	}
	if err := flow(t, s3.Config{Config: f.config}, 2, letGo); err != nil {
		t.Fatal(err)
	}
	if n := len(f.asked("GET k")); n != 0 {
		t.Errorf("got %d requests, want none", n)
	}
	n := 0
	err := flow(t, s3.Config{Config: f.config}, 1, func(ctx context.Context, it *pipeline.Item) error {
		if n++; n > 20 {
			if n%10 == 0 { // there is time to fetch what should not be
				<-time.After(2 * time.Millisecond)
			}
			return letGo(ctx, it)
		}
		_, err := content(ctx, it)
		return err
	})
	if n := len(f.asked("GET k")); err != nil || n > 320 {
		t.Errorf("20 of 900 opened: got %d requests, %v", n, err)
	}
}

func TestWhoOpensAFewHereAndThereReadsNoOthers(t *testing.T) {
	f := newFake(t)
	for i := range 900 { // a page: one lane
		f.put(fmt.Sprintf("k%04d", i), random(100, 1))
	}
	n, opened := 0, 0
	err := flow(t, s3.Config{Config: f.config}, 1, func(ctx context.Context, it *pipeline.Item) error {
		if n++; n%10 > 2 {
			if n%100 == 0 { // there is time to fetch what should not be
				<-time.After(2 * time.Millisecond)
			}
			it.Release()
			return nil
		}
		opened++
		_, err := content(ctx, it)
		return err
	})
	if n := len(f.asked("GET k")); err != nil || n != opened {
		t.Errorf("%d of 900 opened: got %d requests, %v", opened, n, err)
	}
}

func TestBodiesThatAreHeldAreReadNonetheless(t *testing.T) {
	f := newFake(t)
	for i := range 30 {
		f.put(fmt.Sprintf("k%02d", i), random(500_000+i*60_000, byte(i)))
	}
	var held []*pipeline.Item
	var open []io.ReadCloser
	err := flow(t, s3.Config{Config: f.config}, 1, func(ctx context.Context, it *pipeline.Item) error {
		r, err := it.Body.Open(t.Context())
		if err != nil {
			return err
		}
		held, open = append(held, it), append(open, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range open {
		got, err := io.ReadAll(r)
		if want := f.objects[held[i].Key].body; err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %d bytes, %v, want its %d", held[i].Key, len(got), err, len(want))
		}
		held[i].Release()
		r.Close()
	}
}

func TestBytesStayUntilTheirReaderIsClosed(t *testing.T) {
	f := newFake(t)
	for i := range 1000 {
		f.put(fmt.Sprintf("k%04d", i), random(3000, byte(i)))
	}
	type use struct {
		key  string
		body io.ReadCloser
	}
	var open []use
	err := flow(t, s3.Config{Config: f.config}, 1, func(ctx context.Context, it *pipeline.Item) error {
		body, err := it.Body.Open(ctx)
		if err != nil {
			return err
		}
		it.Release()
		if open = append(open, use{it.Key, body}); len(open) < 60 {
			return nil
		}
		u := open[0]
		open = open[1:]
		if got, err := io.ReadAll(u.body); err != nil || !bytes.Equal(got, f.objects[u.key].body) {
			t.Errorf("%s: got %v, or other bytes, of a body whose item was let go", u.key, err)
		}
		return u.body.Close()
	})
	for _, u := range open {
		u.body.Close()
	}
	if err != nil {
		t.Error(err)
	}
}

func TestALargeObjectIsReadByPartsAtATime(t *testing.T) {
	f := newFake(t)
	want := random(20<<20+77, 1)
	f.put("big", want).header["X-Amz-Checksum-Crc32c"] = crc32c(want)
	cut := map[string]bool{}
	full := make(chan struct{})
	f.hook = func(w http.ResponseWriter, r *http.Request, key string) bool {
		rng := r.Header.Get("Range")
		f.mu.Lock()
		first := !cut[rng]
		cut[rng] = true
		select {
		case <-full:
		default:
			if f.inFlight >= 4 {
				close(full)
			}
		}
		f.mu.Unlock()
		if at, _, _ := strings.Cut(strings.TrimPrefix(rng, "bytes="), "-"); len(at) == 8 { // the second half
			select {
			case <-full:
			case <-time.After(10 * time.Second):
			}
		}
		if first && strings.HasPrefix(rng, "bytes=4194304-") {
			w.Header().Set("ETag", `"`+f.objects["big"].etag+`"`)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 4194304-5242879/%d", len(want)))
			w.Header().Set("Content-Length", "1048576")
			w.WriteHeader(206)
			w.Write(want[4<<20 : 4<<20+1000])
			panic(http.ErrAbortHandler)
		}
		return false
	}
	err := flow(t, s3.Config{Config: f.config}, 1, func(ctx context.Context, it *pipeline.Item) error {
		b, err := content(ctx, it)
		if !bytes.Equal(b, want) {
			t.Errorf("got %d bytes, or others, want %d", len(b), len(want))
		}
		return err
	})
	parts := f.asked("GET big bytes=")
	if err != nil || f.most < 4 || len(parts) != 21 {
		t.Errorf("got %v, %d requests at a time, %d parts, want 4 and 20 and one that was cut", err, f.most, len(parts))
	}
	f.hook = nil
	f.noRanges = true
	err = flow(t, s3.Config{Config: f.config}, 1, func(ctx context.Context, it *pipeline.Item) error {
		b, err := content(ctx, it)
		if !bytes.Equal(b, want) {
			t.Errorf("without ranges: got %d bytes, or others, want %d", len(b), len(want))
		}
		return err
	})
	if n := len(f.asked("GET big")); err != nil || n > 5 {
		t.Errorf("without ranges: got %v, %d requests", err, n)
	}
}

func TestALargeObjectIsEnteredAndLeftInItsMiddle(t *testing.T) {
	f := newFake(t)
	want := random(12<<20, 1)
	f.put("big", want).header["X-Amz-Checksum-Crc32c"] = crc32c(want)
	f.put("c", []byte("the next one"))
	err := flow(t, s3.Config{Config: f.config}, 1, func(ctx context.Context, it *pipeline.Item) error {
		if it.Key == "c" {
			_, err := content(ctx, it)
			return err
		}
		for range 3 {
			r, err := it.Body.(pipeline.OpenFrom).OpenFrom(ctx, "1500000")
			if err != nil {
				return err
			}
			got := make([]byte, 4<<20)
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want[1500000:][:4<<20]) {
				t.Errorf("got %v, or other bytes", err)
			}
			if mark, at := r.(pipeline.Marker).Mark(); mark != "5694304" || at != 5694304 {
				t.Errorf("got mark %s at %d", mark, at)
			}
			r.Close()
			if _, err := r.Read(got); err == nil {
				t.Error("a closed body can be read")
			}
		}
		r, err := it.Body.Open(ctx) // the reply has the checksum
		if err == nil {
			err = r.Close()
		}
		if err == nil {
			r, err = it.Body.(pipeline.OpenFrom).OpenFrom(ctx, "11000000")
		}
		if err != nil {
			return err
		}
		defer it.Release()
		defer r.Close()
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want[11000000:]) {
			t.Errorf("to the end: got %v, or other bytes", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnObjectThatIsReplacedBeforeItIsOpenedIsTakenAsItIsNow(t *testing.T) {
	for name, size := range map[string]int{"small": 1000, "large": 9 << 20} {
		f := newFake(t)
		f.put("a", random(size, 1))
		want := random(size+500, 3)
		err := flow(t, s3.Config{Config: f.config}, 1, func(ctx context.Context, it *pipeline.Item) error {
			f.put("a", want)
			b, err := content(ctx, it)
			if !bytes.Equal(b, want) || it.Size != int64(len(want)) || it.Version != f.objects["a"].etag {
				t.Errorf("%s: got %d bytes, version %s, size %d, want the new ones", name, len(b), it.Version, it.Size)
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnObjectThatIsReplacedBeforeItIsOpenedIsDecompressedToItsEnd(t *testing.T) {
	f := newFake(t)
	f.put("a", []byte("short\n"))
	gunzip, err := new(transforms.Decompress).Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	in, out := make(chan *pipeline.Item, 1), make(chan *pipeline.Item, 1)
	err = flow(t, s3.Config{Config: f.config}, 1, func(ctx context.Context, it *pipeline.Item) error {
		in <- it
		close(in)
		if err := gunzip.Run(ctx, in, out); err != nil {
			return err
		}
		f.put("a", []byte("and now it is longer\n"))
		it = <-out
		b, err := content(ctx, it)
		if string(b) != "and now it is longer\n" || it.Size != -1 {
			t.Errorf("got %q, size %d", b, it.Size)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnObjectOfWhichSomeWasDeliveredIsNotTakenAsItIsNow(t *testing.T) {
	f := newFake(t)
	f.put("a", random(1000, 1))
	r, err := buildWith(t, s3.Config{Config: f.config}).Open(t.Context(), &pipeline.Pass{Pipeline: "t", Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	lanes, err := r.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan *pipeline.Item, 1)
	if err := r.Read(t.Context(), lanes[0], pipeline.Position{Inner: "5", Key: "a", Version: f.objects["a"].etag}, out); err != nil {
		t.Fatal(err)
	}
	f.put("a", random(1000, 2))
	if _, err := content(t.Context(), <-out); !errors.Is(err, objects.ErrReplaced) || !errors.Is(err, pipeline.ErrGone) {
		t.Errorf("the lane goes on inside of it: got %v, want that it was replaced", err)
	}
	f.put("a", random(9<<20, 3))
	err = flow(t, s3.Config{Config: f.config}, 1, func(ctx context.Context, it *pipeline.Item) error {
		r, err := it.Body.Open(ctx)
		if err != nil {
			return err
		}
		defer r.Close()
		if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
			return err
		}
		f.put("a", random(9<<20, 4))
		if _, err := io.ReadAll(r); !errors.Is(err, objects.ErrReplaced) {
			t.Errorf("in its middle: got %v, want that it was replaced", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDamagedBytesAreSeen(t *testing.T) {
	var damage atomic.Int64 // replies that are still to be damaged
	f := newFake(t)
	f.hook = func(w http.ResponseWriter, r *http.Request, key string) bool {
		if damage.Add(-1) < 0 || r.Method != "GET" {
			return false
		}
		o := *f.objects[key]
		o.body = bytes.Clone(o.body)
		o.body[len(o.body)/2] ^= 1
		o.serve(w, r, false)
		return true
	}
	for name, tc := range map[string]struct {
		size    int
		replies int64
		sum     func(b []byte) string
		typ     string
		want    error // nil: the right bytes come
		gone    bool
	}{
		"small, once":       {size: 2000, replies: 1, sum: crc32c},
		"small, always":     {2000, 99, crc32c, "", s3.ErrSum, true},
		"stream":            {2 << 20, 1, crc32c, "", s3.ErrSum, false},
		"parts":             {9 << 20, 1, crc32c, "", nil, false}, // the damage is behind the part that is read of this reply
		"all parts":         {9 << 20, 99, crc32c, "FULL_OBJECT", s3.ErrSum, false},
		"sum of sums":       {size: 2000, replies: 0, sum: func([]byte) string { return "AAAAAA==-2" }},
		"sum of parts":      {size: 2000, replies: 0, sum: func([]byte) string { return "AAAAAA==" }, typ: "COMPOSITE"},
		"undamaged, stream": {size: 3 << 20, replies: 0, sum: crc32c},
	} {
		o := f.put("a", random(tc.size, 1))
		o.header["X-Amz-Checksum-Crc32c"] = tc.sum(o.body)
		if tc.typ != "" {
			o.header["X-Amz-Checksum-Type"] = tc.typ
		}
		damage.Store(tc.replies)
		var got []byte
		err := flow(t, s3.Config{Config: f.config}, 1, func(ctx context.Context, it *pipeline.Item) (err error) {
			got, err = content(ctx, it)
			return err
		})
		if !errors.Is(err, tc.want) || errors.Is(err, pipeline.ErrGone) != tc.gone || err == nil && !bytes.Equal(got, o.body) || err != nil && !strings.Contains(err.Error(), "get b/a: ") {
			t.Errorf("%s: got %v (right bytes: %v), want %v, gone %v", name, err, bytes.Equal(got, o.body), tc.want, tc.gone)
		}
	}
}
