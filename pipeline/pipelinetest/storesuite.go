package pipelinetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"sluice/pipeline"
)

// TestStore checks what the frame and the stages rely on in every store. open
// gives an empty one.
func TestStore(t *testing.T, open func(t *testing.T) pipeline.Store) {
	for name, f := range map[string]func(*testing.T, pipeline.Store){
		"rows are what was put":                 storeRows,
		"values belong to the caller":           storeValues,
		"range is in order of keys":             storeRange,
		"range ends with the error of f":        storeRangeError,
		"range goes on while its function puts": storePutInRange,
		"buckets do not touch each other":       storeBuckets,
		"a put is seen whole or not at all":     storeAtomic,
		"any bytes are keys and values":         storeBytes,
	} {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

func put(t *testing.T, s pipeline.Store, rows ...pipeline.Row) {
	t.Helper()
	if err := s.Put(rows...); err != nil {
		t.Fatalf("put %d rows: %v", len(rows), err)
	}
}

func get(t *testing.T, s pipeline.Store, bucket, key string) []byte {
	t.Helper()
	v, err := s.Get(bucket, key)
	if err != nil {
		t.Fatalf("get %s %q: %v", bucket, key, err)
	}
	return v
}

func keys(t *testing.T, s pipeline.Store, bucket, from string) (got []string) {
	t.Helper()
	if err := s.Range(bucket, from, func(k string, _ []byte) error { got = append(got, k); return nil }); err != nil {
		t.Fatalf("range %s from %q: %v", bucket, from, err)
	}
	return got
}

func storeRows(t *testing.T, s pipeline.Store) {
	if v := get(t, s, "b", "k"); v != nil {
		t.Errorf("of an empty store: %q, want nil", v)
	}
	put(t, s)
	put(t, s, pipeline.Row{Bucket: "b", Key: "k", Value: []byte("1")}, pipeline.Row{Bucket: "b", Key: "l", Value: []byte("2")})
	put(t, s, pipeline.Row{Bucket: "b", Key: "k", Value: []byte("3")}, pipeline.Row{Bucket: "b", Key: "l"}, pipeline.Row{Bucket: "b", Key: "never"})
	if k, l := get(t, s, "b", "k"), get(t, s, "b", "l"); string(k) != "3" || l != nil {
		t.Errorf("%q and %q, want \"3\" and nil", k, l)
	}
	put(t, s, pipeline.Row{Bucket: "b", Key: "k", Value: []byte("4")}, pipeline.Row{Bucket: "b", Key: "k", Value: []byte("5")})
	if v := get(t, s, "b", "k"); string(v) != "5" {
		t.Errorf("%q, want that of the last row of the put, \"5\"", v)
	}
	put(t, s, pipeline.Row{Bucket: "b", Key: "k", Value: []byte{}})
	if v := get(t, s, "b", "k"); v == nil || len(v) != 0 {
		t.Errorf("%#v, want an empty value, which is a row", v)
	}
}

func storeValues(t *testing.T, s pipeline.Store) {
	given := []byte("value")
	put(t, s, pipeline.Row{Bucket: "b", Key: "k", Value: given})
	given[0] = 'X'
	got := get(t, s, "b", "k")
	got[1] = 'X'
	_ = append(got, "longer"...)
	if v := get(t, s, "b", "k"); string(v) != "value" {
		t.Errorf("%q, want %q, whatever callers do to their copies", v, "value")
	}
}

func storeRange(t *testing.T, s pipeline.Store) {
	want := make([]string, 2500)
	rows := make([]pipeline.Row, len(want))
	for i := range want {
		n := (i * 7) % len(want)
		want[i] = fmt.Sprintf("k%05d", i)
		rows[i] = pipeline.Row{Bucket: "b", Key: fmt.Sprintf("k%05d", n), Value: fmt.Append(nil, n)}
	}
	put(t, s, rows...)
	if got := keys(t, s, "b", ""); !slices.Equal(got, want) {
		t.Errorf("%d keys, want %d in order", len(got), len(want))
	}
	if got := keys(t, s, "b", "k00999"); !slices.Equal(got, want[999:]) {
		t.Errorf("from a key: %d keys, want %d: it and those after it", len(got), len(want)-999)
	}
	if got := keys(t, s, "b", "k00999a"); !slices.Equal(got, want[1000:]) {
		t.Errorf("from between keys: %d keys, want %d", len(got), len(want)-1000)
	}
	if got := keys(t, s, "b", "l"); got != nil {
		t.Errorf("from behind the last: %q", got)
	}
	s.Range("b", "", func(k string, v []byte) error {
		if k != fmt.Sprintf("k%05s", v) {
			t.Errorf("%s has value %q", k, v)
		}
		return nil
	})
}

func storeRangeError(t *testing.T, s pipeline.Store) {
	put(t, s, pipeline.Row{Bucket: "b", Key: "1", Value: []byte("x")}, pipeline.Row{Bucket: "b", Key: "2", Value: []byte("x")})
	enough, n := errors.New("enough"), 0
	if err := s.Range("b", "", func(string, []byte) error { n++; return enough }); !errors.Is(err, enough) || n != 1 {
		t.Errorf("%v after %d calls, want %v after one", err, n, enough)
	}
}

func storePutInRange(t *testing.T, s pipeline.Store) {
	rows := make([]pipeline.Row, 1500)
	for i := range rows {
		rows[i] = pipeline.Row{Bucket: "b", Key: fmt.Sprintf("%05d", i), Value: []byte("x")}
	}
	put(t, s, rows...)
	n := 0
	err := s.Range("b", "", func(k string, _ []byte) error {
		if n++; n%100 != 0 {
			return nil
		}
		big := bytes.Repeat([]byte("y"), 100<<10) // the file grows
		return s.Put(pipeline.Row{Bucket: "other", Key: k, Value: big}, pipeline.Row{Bucket: "b", Key: k})
	})
	if err != nil || n != len(rows) || len(keys(t, s, "other", "")) != 15 || len(keys(t, s, "b", "")) != len(rows)-15 {
		t.Errorf("%v, %d rows, %d moved", err, n, len(keys(t, s, "other", "")))
	}
}

func storeBuckets(t *testing.T, s pipeline.Store) {
	put(t, s, pipeline.Row{Bucket: "a", Key: "k", Value: []byte("a")}, pipeline.Row{Bucket: "ab", Key: "k", Value: []byte("ab")},
		pipeline.Row{Bucket: "b", Key: "k", Value: []byte("b")})
	put(t, s, pipeline.Row{Bucket: "ab", Key: "k"})
	for bucket, want := range map[string]string{"a": "k", "ab": "", "b": "k", "c": ""} {
		if got := strings.Join(keys(t, s, bucket, ""), " "); got != want {
			t.Errorf("bucket %s: keys %q, want %q", bucket, got, want)
		}
	}
	if v := get(t, s, "a", "k"); string(v) != "a" {
		t.Errorf("%q, want \"a\"", v)
	}
}

// storeAtomic moves one row to and fro: there is always exactly one.
func storeAtomic(t *testing.T, s pipeline.Store) {
	put(t, s, pipeline.Row{Bucket: "b", Key: "0", Value: []byte("x")})
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := range 50 {
				key := fmt.Sprint((i + w) % 2)
				other := fmt.Sprint((i + w + 1) % 2)
				if err := s.Put(pipeline.Row{Bucket: "b", Key: key, Value: []byte("x")}, pipeline.Row{Bucket: "b", Key: other}); err != nil {
					t.Errorf("put: %v", err)
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range 200 {
				n := 0
				if err := s.Range("b", "", func(string, []byte) error { n++; return nil }); err != nil || n != 1 {
					t.Errorf("%d rows, %v, want one", n, err)
				}
			}
		})
	}
	wg.Wait()
}

func storeBytes(t *testing.T, s pipeline.Store) {
	awkward := []string{"", "\x00", "a\x00b", "\xff\xfe", "ü/..\n", strings.Repeat("k", 1100)}
	for _, k := range awkward {
		put(t, s, pipeline.Row{Bucket: "b", Key: k, Value: []byte(k + "\x00")})
	}
	for _, k := range awkward {
		if v := get(t, s, "b", k); string(v) != k+"\x00" {
			t.Errorf("key %q: value %q", k, v)
		}
	}
	if got := keys(t, s, "b", ""); !slices.Equal(got, slices.Sorted(slices.Values(awkward))) {
		t.Errorf("keys %q", got)
	}
}
