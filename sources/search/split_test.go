package search_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	cluster "sluice/internal/search"
	"sluice/sources/search"
)

const prefix = `{"pit_id":"x","took":3,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"max_score":null,"hits":[`

// page is a reply that holds the hits.
func page(hits ...string) string { return prefix + strings.Join(hits, ",") + "]}}" }

func hitOf(n int, source string) string {
	return fmt.Sprintf(`{"_index":"i","_id":"%d","_score":null,"_source":%s,"sort":[%d]}`, n, source, n)
}

func TestHitsBecomeRecordsWithTheSameBytes(t *testing.T) {
	for name, c := range map[string]struct{ hit, record, sort string }{
		"plain":          {hitOf(1, `{"a":1.0}`), `{"_index":"i","_id":"1","_source":{"a":1.0}}`, `[1]`},
		"routing":        {`{"_index":"i","_id":"1","_routing":"r","_source":{},"sort":[1]}`, `{"_index":"i","_id":"1","_routing":"r","_source":{}}`, `[1]`},
		"any order":      {`{"sort":[1,"x"],"_source":{},"_id":"1","fields":{"_id":["no"]},"_index":"i"}`, `{"_index":"i","_id":"1","_source":{}}`, `[1,"x"]`},
		"blanks":         {"{ \"_index\" :\t\"i\" , \"_id\":\"1\"\n,\r\n\"_source\" : \n{ \"a\"\r\n:\n1 }\n , \"sort\" : [ 1 ] }", `{"_index":"i","_id":"1","_source":{ "a"  : 1 }}`, `[ 1 ]`},
		"escapes":        {hitOf(1, `{"a\"b":"\\","c":"\\\"}]","d":"\u2028\n"}`), `{"_index":"i","_id":"1","_source":{"a\"b":"\\","c":"\\\"}]","d":"\u2028\n"}}`, `[1]`},
		"names below":    {hitOf(1, `{"_id":"no","sort":[9],"_source":{"_index":"no"}}`), `{"_index":"i","_id":"1","_source":{"_id":"no","sort":[9],"_source":{"_index":"no"}}}`, `[1]`},
		"escaped id":     {`{"_index":"i","_id":"a\"\\\u00e9","_source":{},"sort":[1]}`, `{"_index":"i","_id":"a\"\\\u00e9","_source":{}}`, `[1]`},
		"more than asks": {`{"_index":"i","_type":"_doc","_id":"1","_version":3,"_seq_no":1,"_ignored":["a","b"],"_source":{},"sort":[1]}`, `{"_index":"i","_id":"1","_source":{}}`, `[1]`},
	} {
		records, sorts, sizes, err := search.Cut(iotest.OneByteReader(strings.NewReader(page(c.hit))), 0, 0)
		if want := []string{c.record + "\n"}; err != nil || !slices.Equal(records, want) || !slices.Equal(sorts, []string{c.sort}) {
			t.Errorf("%s: got %q, %q, %v, want %q, %q", name, records, sorts, err, want, c.sort)
		}
		if len(sizes) == 1 && sizes[0] != len(c.record)+1 {
			t.Errorf("%s: got size %d, want %d", name, sizes[0], len(c.record)+1)
		}
	}
}

func TestRepliesOfOtherShapes(t *testing.T) {
	hit := hitOf(1, `{}`)
	for name, c := range map[string]struct {
		reply string
		hits  int
		says  string
	}{
		"empty":             {page(), 0, ""},
		"blanks":            {" { \"timed_out\" : false , \"_shards\" : { \"total\" : 1 , \"successful\" : 1 , \"failed\" : 0 } , \"hits\" : { \"hits\" : [ " + hit + " , " + hit + " ] } } \n", 2, ""},
		"more at the end":   {strings.TrimSuffix(page(hit), "}}") + `,"max_score":1},"aggregations":{"a":[{"]":1}]}}`, 1, ""},
		"skipped":           {strings.Replace(page(), `"successful":1,"skipped":0`, `"successful":0,"skipped":1`, 1), 0, ""},
		"hits first":        {`{"hits":{"hits":[` + hit + `]},"timed_out":false,"_shards":{"total":1,"successful":1,"failed":0}}`, 0, "unexpected order"},
		"no hits":           {`{"timed_out":false}`, 0, "malformed"},
		"no comma":          {page(hit + hit), 1, "malformed"},
		"comma at the end":  {page(hit, ""), 1, "malformed"},
		"comma first":       {page("", hit), 0, "malformed"},
		"a hit of no kind":  {page("1"), 0, "malformed"},
		"more after it":     {page(hit) + "x", 1, "malformed"},
		"two shards":        {strings.Replace(page(hit), `"total":1,"successful":1`, `"total":2,"successful":2`, 1), 0, "2 of 2 answered"},
		"hits is an object": {strings.Replace(page(hit), `"hits":[`, `"hits":{`, 1), 0, "malformed"},
		"a page of a proxy": {"<html>", 0, "malformed"},
		"nothing":           {"", 0, "unexpected EOF"},
	} {
		records, _, _, err := search.Cut(strings.NewReader(c.reply), 0, 0)
		if len(records) != c.hits || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %d records, %v, want %d, %q", name, len(records), err, c.hits, c.says)
		}
		if _, ok := cluster.Retryable(err); err != nil && !ok {
			t.Errorf("%s: got %v, want an error after which the page is asked for again", name, err)
		}
	}
}

func TestAReplyCutAtAnyByteGivesItsWholeHitsAndAnError(t *testing.T) {
	var hits []string
	var ends []int // of hits in the reply
	at := len(prefix)
	for n := range 5 {
		hits = append(hits, hitOf(n, `{"a":"\\\"","b":[1,{"c":null}]}`))
		at += len(hits[n]) + 1
		ends = append(ends, at-1)
	}
	whole := page(hits...)
	for cut := range len(whole) {
		want := 0
		for _, end := range ends {
			if end <= cut {
				want++
			}
		}
		records, _, _, err := search.Cut(strings.NewReader(whole[:cut]), 0, 0)
		if cause, _ := cluster.Retryable(err); len(records) != want || cause != "cut body" {
			t.Fatalf("cut at %d: got %d records, %v, want %d and a cut body", cut, len(records), err, want)
		}
	}
}

func TestAHitThatIsTooLongIsLeftOutWithItsSizeKnown(t *testing.T) {
	long := `{"text":"` + strings.Repeat(`\\\"x`, 300_000) + `"}`
	reply := page(hitOf(1, `{}`), hitOf(2, long), hitOf(3, `{"a":1}`))
	for name, in := range map[string]io.Reader{
		"at once":       strings.NewReader(reply),
		"half a buffer": iotest.HalfReader(strings.NewReader(reply)),
		"odd pieces":    &pieces{strings.NewReader(reply), 8191},
	} {
		records, sorts, sizes, err := search.Cut(in, 1000, 0)
		if err != nil || len(records) != 3 {
			t.Fatalf("%s: got %d records, %v, want 3", name, len(records), err)
		}
		want := len(`{"_index":"i","_id":"2","_source":}`) + 1 + len(long)
		if records[1] != "" || sizes[1] != want || records[2] != `{"_index":"i","_id":"3","_source":{"a":1}}`+"\n" {
			t.Errorf("%s: got %.100q, sizes %v, want the second left out, of %d bytes", name, records, sizes, want)
		}
		if diff := cmp.Diff([]string{"[1]", "[2]", "[3]"}, sorts); diff != "" {
			t.Errorf("%s: sort values (-want +got):\n%s", name, diff)
		}
	}
}

func TestALongHitKeepsItsBytes(t *testing.T) {
	for name, source := range map[string]string{
		"escapes":     `{"text":"` + strings.Repeat(`\\\"x  `, 200_000) + `"}`,
		"backslashes": `{"text":"` + strings.Repeat(`\\`, 600_000) + `"}`,
		"blanks":      `{"a" : ` + strings.Repeat(" \t", 50_000) + "1,\"b\":\"" + strings.Repeat("  ", 400_000) + "\" }",
		"numbers":     `[` + strings.Repeat("1.0, ", 300_000) + `{}]`,
	} {
		gap := strings.Repeat(" ", 200)
		hit := `{"_index":"i","_id":"2","_routing":"r","_source":` + gap + source + gap + `,"sort":[2]}`
		reply := page(hitOf(1, `{}`), hit, hitOf(3, `{}`))
		for _, n := range []int{1 << 20, 8191, 1} {
			got, sorts, sizes, err := search.Cut(&pieces{strings.NewReader(reply), n}, 0, 0)
			want := `{"_index":"i","_id":"2","_routing":"r","_source":` + source + "}\n"
			if err != nil || len(got) != 3 || got[1] != want || sizes[1] != len(want) || sorts[1] != "[2]" {
				t.Errorf("%s in pieces of %d: %v, %d records, sizes %v, want the %d bytes as they are", name, n, err, len(got), sizes, len(want))
			}
		}
	}
	late := `{"_index":"i","_id":"2","_source":"` + strings.Repeat("x", 300_000) + `","_routing":"r","sort":[2]}`
	if _, _, _, err := search.Cut(strings.NewReader(page(late)), 0, 0); err == nil || !strings.Contains(err.Error(), "_routing") {
		t.Errorf("got %v, want an error: the record has begun without its _routing", err)
	}
	beside := `{"_index":"i","_ignored":["` + strings.Repeat("x", 300_000) + `"],"_id":"2","_source":{},"sort":[2]}`
	if _, _, _, err := search.Cut(strings.NewReader(page(beside)), 0, 0); err == nil || !strings.Contains(err.Error(), "beside") {
		t.Errorf("got %v, want an error: too much that is no source", err)
	}
}

// pieces reads so many bytes at a time.
type pieces struct {
	r io.Reader
	n int
}

func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

// FuzzSplit builds a reply and wants of each hit what encoding/json finds in it.
func FuzzSplit(f *testing.F) {
	f.Add([]byte(`{"a":1.0}`), "id", "r", " \n", uint8(0), uint16(7))
	f.Add([]byte("{\"a\":\r\n[1,\"\\\\\\\"\"]}"), "i\"d\\", "", "\r\n\t", uint8(5), uint16(1))
	f.Add([]byte(`{"_source":{"sort":[{"_id":"}"}]}}`), "é\u2028", "x", "", uint8(3), uint16(300))
	f.Fuzz(func(t *testing.T, source []byte, id, routing, gap string, order uint8, piece uint16) {
		if !json.Valid(source) || strings.Trim(gap, " \r\n\t") != "" {
			t.Skip()
		}
		quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
		members := []string{`"_index"` + gap + `:"i"`, `"_id":` + gap + quoted(id), `"_source":` + gap + string(source) + gap, `"sort":[1]` + gap, `"_score":null`}
		if routing != "" {
			members = slices.Insert(members, 1, `"_routing":`+quoted(routing))
		}
		for range int(order) % len(members) {
			members = append(members[1:], members[0])
		}
		hit := "{" + gap + strings.Join(members, gap+",") + "}"
		reply := page(hit, hit)
		if !json.Valid([]byte(reply)) {
			t.Fatalf("the test is wrong: %q", reply)
		}
		var parsed struct {
			Hits struct{ Hits []map[string]json.RawMessage }
		}
		if err := json.Unmarshal([]byte(reply), &parsed); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, h := range parsed.Hits.Hits {
			r := `{"_index":` + string(h["_index"]) + `,"_id":` + string(h["_id"])
			if h["_routing"] != nil {
				r += `,"_routing":` + string(h["_routing"])
			}
			r += `,"_source":` + strings.NewReplacer("\n", " ", "\r", " ").Replace(string(h["_source"])) + "}\n"
			want = append(want, r)
		}
		small := len(prefix) + len(hit) - len(source) + 2 // so that sources go in parts
		for _, buffer := range []int{0, small} {
			if buffer > 0 && int(order)%len(members) > 0 {
				continue // what follows a long source must not precede it
			}
			got, _, sizes, err := search.Cut(&pieces{strings.NewReader(reply), int(piece) + 1}, 0, buffer)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Fatalf("buffer %d: %v, records (-want +got):\n%s", buffer, err, diff)
			}
			if sizes[0] != len(want[0]) {
				t.Fatalf("buffer %d: got size %d, want %d", buffer, sizes[0], len(want[0]))
			}
		}
	})
}

// FuzzAnything wants that no bytes whatever make the splitter panic or go
// on for ever, and that it does not matter in which pieces they come.
func FuzzAnything(f *testing.F) {
	f.Add([]byte(page(hitOf(1, `{}`), hitOf(2, `{"a":"\\"}`))), int64(0))
	f.Add([]byte(`{"a":[{"hits":1}],"hits":{"hits":[]}}`), int64(10))
	f.Add([]byte(prefix+`{{"_source":"`+strings.Repeat("\\", 100)), int64(20))
	f.Fuzz(func(t *testing.T, reply []byte, limit int64) {
		limit = max(0, limit)
		want, _, _, werr := search.Cut(bytes.NewReader(bytes.Clone(reply)), limit, 300)
		got, _, _, gerr := search.Cut(&pieces{bytes.NewReader(reply), 1}, limit, 300)
		if diff := cmp.Diff(want, got); diff != "" || (werr == nil) != (gerr == nil) {
			t.Fatalf("%v and %v, records (-at once +byte by byte):\n%s", werr, gerr, diff)
		}
	})
}

func TestCuttingAPageAllocatesNothingPerRecord(t *testing.T) {
	reply := []byte(pageOf(2000))
	in := bytes.NewReader(reply)
	cut := search.CutAll(func() io.Reader { in.Reset(reply); return in })
	allocs := testing.AllocsPerRun(10, func() {
		if hits, err := cut(); err != nil || hits != 2000 {
			t.Fatalf("got %d hits, %v", hits, err)
		}
	})
	if allocs/2000 >= 0.01 {
		t.Errorf("got %v allocations per record, want less than 0.01", allocs/2000)
	}
}

func pageOf(hits int) string {
	var list []string
	for n := range hits {
		list = append(list, hitOf(n, fmt.Sprintf(`{"@timestamp":"2026-01-01T00:00:%02d.000Z","level":"info","status":%d,"path":"/a/b/c?d=%d","message":%q}`, n%60, n%500, n, strings.Repeat("lorem ipsum \"dolor\" ", 20))))
	}
	return page(list...)
}

func BenchmarkCut(b *testing.B) {
	reply := []byte(pageOf(2000))
	in := bytes.NewReader(reply)
	cut := search.CutAll(func() io.Reader { in.Reset(reply); return in })
	b.SetBytes(int64(len(reply)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cut(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestPagesGrowToTheirSizeInBytesAndShrinkUnderOverload(t *testing.T) {
	busy := &cluster.Error{Status: 429, Type: "circuit_breaking_exception"}
	for name, c := range map[string]struct {
		window int
		bytes  []int64 // of each hit on a page
		errs   []error
		want   []int
	}{
		"grow fourfold at most":       {10_000, []int64{100, 100, 100, 100}, make([]error, 4), []int{500, 2001, 8005, 10_000}},
		"stay in the window":          {300, []int64{100, 100}, make([]error, 2), []int{300, 300}},
		"as many as fit":              {10_000, []int64{8 << 10, 8 << 10}, make([]error, 2), []int{500, 1024}},
		"huge hits one by one":        {10_000, []int64{100 << 20, 100 << 20}, make([]error, 2), []int{500, 1}},
		"halved under overload":       {10_000, []int64{100, 0, 0, 100, 100}, []error{nil, busy, busy, nil, nil}, []int{500, 2001, 1000, 500, 737}},
		"one where two are too large": {4, []int64{0, 0, 1 << 20, 1 << 20, 1 << 20}, []error{busy, busy, nil, nil, nil}, []int{4, 2, 1, 1, 1}},
		"other failures do not":       {10_000, []int64{0, 100}, []error{errors.New("x"), nil}, []int{500, 500}},
		"never less than one":         {1, []int64{0, 0}, []error{busy, busy}, []int{1, 1}},
	} {
		if diff := cmp.Diff(c.want, search.Sizes(8<<20, c.window, c.bytes, c.errs)); diff != "" {
			t.Errorf("%s: hits per page (-want +got):\n%s", name, diff)
		}
	}
}
