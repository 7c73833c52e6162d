package test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"sluice/sources/generate"
	"sluice/test/fakestore"
)

// number is one of the environment, or what it is by default.
func number(name string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}

// madeUp is an s3 stage of a store that makes up its objects.
func madeUp(url string, options ...string) string {
	return stage("s3", append([]string{"bucket: made-up", fmt.Sprintf("endpoint: %q", url), "access_key: test", "secret_key: testsecret", "retry: 20s"}, options...)...)
}

// TestAMillionKnownKeysTakeNoMoreMemory lists keys that are known, 100,000 and
// 1,000,000 of them (SLUICE_TEST_KEYS). Both passes stay within memory plus
// 60 MB, and the peak of the second does not grow with their number.
func TestAMillionKnownKeysTakeNoMoreMemory(t *testing.T) {
	long(t)
	many := int(number("SLUICE_TEST_KEYS", 1_000_000))
	var few int64
	for _, n := range []int{many / 10, many} {
		store := fakestore.Store{Prefix: "in/", Count: n, Size: 100}
		err := store.Serve(func(url string) error {
			j := newJob(t, pipelines(entry("watch", madeUp(url, "prefix: in/", "start: now"), "[]", stage("file", "path: ./out", `key: "{key}"`), "mode: new")))
			first, next := j.want(t, 0, "watch"), j.want(t, 0, "watch")
			t.Logf("%d keys: first pass %.1f MB and %v of CPU, next %.1f MB and %v", n, float64(first.MaxRSS)/1e6, first.CPU, float64(next.MaxRSS)/1e6, next.CPU)
			if peak := max(first.MaxRSS, next.MaxRSS); peak > 144e6 {
				t.Errorf("%d keys: peak %.1f MB, want at most 80 MiB and 60 MB", n, float64(peak)/1e6)
			}
			if few != 0 && float64(next.MaxRSS) > 1.2*float64(few) {
				t.Errorf("peak %.1f MB for %d keys, %.1f MB for a tenth", float64(next.MaxRSS)/1e6, n, float64(few)/1e6)
			}
			few = next.MaxRSS
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if s := store.Stats(); s.Gets > 0 || s.Lists < int64(2*n/1000) {
			t.Errorf("%d keys: got %+v, want two listings and no object read", n, s)
		}
	}
}

// TestALargeObjectIsMovedInLittleMemory takes an object of 512 MiB
// (SLUICE_TEST_LARGE, bytes) apart into lines and compresses them in parts. It
// is killed in the middle and goes on there: a gzip file of one member is read
// again from its beginning, a plain one from where the lane goes on.
func TestALargeObjectIsMovedInLittleMemory(t *testing.T) {
	long(t)
	size := number("SLUICE_TEST_LARGE", 512<<20)
	var block []byte
	records := generate.Records{Index: "large", Seed: 1, Bytes: 700}
	lines := int64(0)
	for ; len(block) < 1<<20; lines++ {
		block = records.Append(block, lines)
	}
	for name, f := range map[string]large{
		"gzip":  gzipped(block, lines, size),
		"plain": {"[{lines: {}}, {gzip: {}}]", size / int64(len(block)) * int64(len(block)), size / int64(len(block)) * lines, repeated(block)},
	} {
		t.Run(name, func(t *testing.T) {
			var began, served atomic.Int64
			store := fakestore.Store{Prefix: "in/", Count: 1, Size: f.size, Body: func(_ int, off int64) io.Reader {
				began.CompareAndSwap(-1, off)
				return io.TeeReader(f.body(off), counter{&served})
			}}
			err := store.Serve(func(url string) error {
				// What is saved is up to a second old: it must not get far in that.
				j := newJob(t, pipelines(entry("large", madeUp(url, "prefix: in/", "limit: {bytes: 64MiB}"), f.transforms,
					madeUp(url, `key: "out/{lane}-{sequence}.gz"`, "roll: {bytes: 8MiB}", "part: 5MiB"))))
				p := j.start(t, "run", "large")
				for end := time.Now().Add(20 * time.Minute); served.Load() < f.size/2 && time.Now().Before(end); {
					time.Sleep(10 * time.Millisecond)
				}
				p.cmd.Process.Kill()
				killed := p.wait(t)
				if killed.Status >= 0 {
					t.Fatalf("it ended with %d before it was killed: the object is too small for this test", killed.Status)
				}
				began.Store(-1)
				o := j.want(t, 0, "large")
				t.Logf("%d bytes: peak %.1f MB, and %.1f MB until it was killed; went on at byte %d; %v of CPU", f.size, float64(o.MaxRSS)/1e6, float64(killed.MaxRSS)/1e6, began.Load(), o.CPU)
				if peak := max(o.MaxRSS, killed.MaxRSS); peak > 150e6 {
					t.Errorf("peak %.1f MB, want at most 150", float64(peak)/1e6)
				}
				if got := o.Reports["large"].Records.Written; got != f.records {
					t.Errorf("got %d records, want %d", got, f.records)
				}
				if at := began.Load(); name == "gzip" && at != 0 || name == "plain" && at < f.size/4 {
					t.Errorf("it went on at byte %d of the %s object", at, name)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if n := store.Uploads(); n > 0 {
				t.Errorf("%d uploads are left", n)
			}
		})
	}
}

// large is an object that is not kept.
type large struct {
	transforms    string // to compressed lines
	size, records int64
	body          func(off int64) io.Reader
}

// gzipped is a gzip object of one member that holds a block of lines as often
// as makes it about so large.
func gzipped(block []byte, lines, size int64) large {
	times := size / fakestore.NewGzip(block, 1).Size()
	g := fakestore.NewGzip(block, int(times))
	return large{"[{gunzip: {}}, {lines: {}}, {gzip: {}}]", g.Size(), times * lines, g.From}
}

// repeated is a body that is a block again and again.
func repeated(block []byte) func(off int64) io.Reader {
	return func(off int64) io.Reader {
		return io.MultiReader(bytes.NewReader(block[off%int64(len(block)):]), &endlessly{block: block})
	}
}

// counter counts bytes.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

type endlessly struct {
	block []byte
	at    int
}

func (r *endlessly) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}
