package state_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"sluice/internal/state"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

func TestMain(m *testing.M) {
	if f := os.Getenv("STATE_TEST_CHILD"); f != "" {
		os.Exit(children[f](os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, path string) *state.Store {
	t.Helper()
	s, err := state.Open(path)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

func shut(t testing.TB, s *state.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func row(bucket, key, value string) pipeline.Row {
	return pipeline.Row{Bucket: bucket, Key: key, Value: []byte(value)}
}

func put(t testing.TB, s pipeline.Store, rows ...pipeline.Row) {
	t.Helper()
	if err := s.Put(rows...); err != nil {
		t.Fatalf("put: %v", err)
	}
}

// dump is all rows of some buckets, as text.
func dump(s pipeline.Store, buckets ...string) (string, error) {
	var b strings.Builder
	for _, bucket := range buckets {
		err := s.Range(bucket, "", func(k string, v []byte) error {
			one, err := s.Get(bucket, k)
			if err == nil && string(one) != string(v) {
				err = fmt.Errorf("get %s %s: %q, range: %q", bucket, k, one, v)
			}
			fmt.Fprintf(&b, "%s %q %q\n", bucket, k, v)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

func TestStore(t *testing.T) {
	pipelinetest.TestStore(t, func(t *testing.T) pipeline.Store {
		s := open(t, filepath.Join(t.TempDir(), "new", "dir", "x.db"))
		t.Cleanup(func() { shut(t, s) })
		return s
	})
}

func TestRowsAreThereAgainAfterOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	for n := range 30 {
		s := open(t, path)
		v, err := s.Get("b", "k")
		if want := fmt.Sprint(n - 1); err != nil || n > 0 && string(v) != want || n == 0 && v != nil {
			t.Fatalf("after %d times: %q, %v, want %s", n, v, err, want)
		}
		put(t, s, row("b", "k", fmt.Sprint(n)), row("b", fmt.Sprint("k", n), strings.Repeat("x", n*100)))
		shut(t, s)
	}
}

func TestAHalfMadeStateIsMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	shut(t, open(t, path))
	if _, err := os.Stat(path + ".new"); err == nil {
		t.Error("the draft is still there")
	}
}

func TestPutOfAKeyThatCannotBeKeptIsAnErrorOfThatPutAlone(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "x.db"))
	defer shut(t, s)
	for _, r := range []pipeline.Row{row("b", strings.Repeat("k", 1<<16), ""), row("b\x00b", "k", "")} {
		if err := s.Put(row("b", "other", "1"), r); err == nil {
			t.Errorf("bucket %q, key of %d bytes: no error", r.Bucket, len(r.Key))
		}
	}
	if v, err := s.Get("b", "other"); v != nil || err != nil {
		t.Errorf("%q, %v: written by a put that failed", v, err)
	}
	put(t, s, row("b", "k", "1"))
}

func TestAStateOfAnotherFormatIsRefused(t *testing.T) {
	for _, c := range []struct{ bucket, want string }{
		{"sluice 2", "its format is 2"}, {"other", "not a state of sluice"}, {"", "not a state of sluice"},
	} {
		path := filepath.Join(t.TempDir(), "x.db")
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		db.Update(func(tx *bbolt.Tx) error {
			if c.bucket == "" {
				return nil
			}
			_, err := tx.CreateBucket([]byte(c.bucket))
			return err
		})
		db.Close()
		refused(t, path, c.want)
	}
}

// refused wants Open and Read to say what is wrong, where, and what to do.
func refused(t *testing.T, path, want string) {
	t.Helper()
	_, rerr := state.Read(path)
	s, err := state.Open(path)
	if err == nil {
		shut(t, s)
	}
	for _, err := range []error{err, rerr} {
		var damaged *state.DamagedError
		if !errors.As(err, &damaged) {
			t.Errorf("%v: not a DamagedError", err)
			continue
		}
		for _, w := range []string{want, path, "`sluice checkpoint reset x`"} {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q does not contain %q", err, w)
			}
		}
	}
}

func TestAFileThatIsNoStateIsRefused(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "one byte": "x", "text": strings.Repeat("no state\n", 10_000), "zeros": strings.Repeat("\x00", 32<<10),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, path, "")
		})
	}
}

func TestADirectoryInPlaceOfAStateIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := state.Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}

func TestALargeStateDoesNotStayInMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 64 MB")
	}
	s := open(t, filepath.Join(t.TempDir(), "x.db"))
	defer shut(t, s)
	value := strings.Repeat("v", 2000)
	for n := range 32 {
		rows := make([]pipeline.Row, 1000)
		for i := range rows {
			rows[i] = row("b", fmt.Sprintf("%05d", n*1000+i), value)
		}
		put(t, s, rows...)
	}
	before, heap := mapped(t), heapInUse()
	n := 0
	err := s.Range("b", "", func(string, []byte) error {
		if n++; n == 1 {
			if got := heapInUse(); got > heap+8<<20 {
				t.Errorf("%d bytes in memory when the first of 64 MB is given, %d before", got, heap)
			}
		}
		return nil
	})
	if err != nil || n != 32_000 {
		t.Fatalf("%d rows, %v", n, err)
	}
	if got := mapped(t); got > before+8<<10 || got > 48<<10 {
		t.Errorf("%d KiB of files in memory after a Range over 64 MB, %d before", got, before)
	}
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// mapped is how much of the memory of this process is files, in KiB.
func mapped(t *testing.T) (kib int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(b), "RssFile:")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Skip(err)
	}
	return kib
}
