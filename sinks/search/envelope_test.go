package search_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sluice/sinks/search"
)

// FuzzEnvelope checks the scanner against encoding/json: what it takes for an
// envelope has the parts that encoding/json finds, and makes two lines of JSON.
func FuzzEnvelope(f *testing.F) {
	for _, s := range []string{
		`{"_index":"i","_id":"1","_routing":"r","_source":{"a":[1,{"b":"}\"\\"}]}}`, ` { "_source" : {} , "_index" : null } `,
		`{"_index":"i","_id":"\ud83d\ude00\u0041\/","_source":{"x":1e400},"more":[1,2,{}],"n":null,"t":true}`,
		`{"_index":"i","_id":"1","_version":17,"_source":{}}`, `{"_index":"i","_id":"1","_version":01,"_source":{}}`,
		`{"_index":"i","_id":"\ud800","_source":{}}`, `{"_source":{"a":"`, `{"_source":{}}}`, `{}`, `[]`, `{"_id":1,"_source":{}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.IndexByte(line, '\n') >= 0 {
			return
		}
		sent, fault := search.Body(search.Config{Versions: true, Format: "envelope", ID: "keep"}, line)
		var e struct {
			Index   *string         `json:"_index"`
			ID      *string         `json:"_id"`
			Routing *string         `json:"_routing"`
			Version *json.Number    `json:"_version"`
			Source  json.RawMessage `json:"_source"`
		}
		valid := json.Valid(line) && json.Unmarshal(line, &e) == nil
		if fault != "" {
			return
		}
		lines := bytes.SplitAfter(sent, []byte("\n"))
		if len(lines) != 3 || len(lines[2]) != 0 {
			t.Fatalf("%q makes %q, want two lines", line, sent)
		}
		var action struct {
			Index struct {
				Index   string  `json:"_index"`
				ID      *string `json:"_id"`
				Routing *string `json:"routing"`
				Version *int64  `json:"version"`
			} `json:"index"`
		}
		if err := json.Unmarshal(lines[0], &action); err != nil {
			t.Fatalf("%q makes the action line %q: %v", line, lines[0], err)
		}
		if !valid {
			return // the source is for the engine to judge
		}
		if got, want := fmt.Sprint(deref(action.Index.ID), deref(action.Index.Routing), action.Index.Index), fmt.Sprint(deref(e.ID), deref(e.Routing), deref(e.Index)); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
		if v := action.Index.Version; e.ID != nil && e.Version != nil && (v == nil || fmt.Sprint(*v) != e.Version.String()) || v != nil && (e.ID == nil || e.Version == nil) {
			t.Errorf("%q makes the action line %q, want the version where there is an _id", line, lines[0])
		}
		if got := bytes.TrimSuffix(lines[1], []byte("\n")); !bytes.Equal(got, e.Source) {
			t.Errorf("%q: source %q, want %q", line, got, e.Source)
		}
	})
}

func deref(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

// FuzzReply checks the scanner of replies against encoding/json.
func FuzzReply(f *testing.F) {
	for _, s := range []string{
		`{"took":3,"errors":true,"items":[{"index":{"_id":"1","status":201}},{"create":{"status":429,"error":{"type":"a","reason":"b\n\u00e9","caused_by":{"type":"c"}}}}]}`,
		`{"items":[{"index":{"status":400,"error":{"reason":"r","type":"t"}}}],"x":[1,"]",{"}":null}]} `, `{"items":[]}`, `{"items":[{"index":{"status":400,"error":{"type":null}}}]}`, `{}`, `{"items":[{`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		type item struct {
			Status int
			Error  struct{ Type, Reason string }
		}
		var r struct{ Items []map[string]item }
		items, got, err := search.ReadReply(bytes.NewReader(text))
		if err != nil || !json.Valid(text) || json.Unmarshal(text, &r) != nil {
			return
		}
		var want []string
		for _, m := range r.Items {
			for _, i := range m {
				if i.Status < 200 || i.Status > 299 {
					want = append(want, fmt.Sprint(i.Status))
				}
			}
		}
		if bytes.Count(text, []byte(`"items"`)) != 1 || bytes.Count(text, []byte(`status`)) != len(r.Items) {
			return // keys that come twice
		}
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], " ")
		}
		if items != len(r.Items) || !slices.Equal(got, want) {
			t.Errorf("%s: %d items, %q; want %d, %q", text, items, got, len(r.Items), want)
		}
	})
}

func TestAReplySaysWhatWasRefusedAndWhy(t *testing.T) {
	text := `{ "errors" : true, "items" : [ {"index":{"_index":"i","_id":"1","status":201,"_shards":{"total":[1,{"x":"}"}]}}},
		{"index":{"error":{"root_cause":[{"type":"no"}],"reason":"quote \" and \u00e9\n","type":"mapper_parsing_exception","caused_by":{"type":"x","reason":"y"}},"status":400}},
		{"create":{"status":200}}, {"index":{"status":429,"error":{"type":null,"reason":null}}}, {"index":{"status":500,"error":{"type":"t","reason":"` + strings.Repeat("long ", 1000) + `"}}} ], "took":1 }`
	items, got, err := search.ReadReply(strings.NewReader(text))
	want := []string{"400 1 mapper_parsing_exception: quote \" and é\n", "429 3 : ", "500 4 t: " + strings.Repeat("long ", 1000)[:512]}
	if err != nil || items != 5 || !slices.Equal(got, want) {
		t.Errorf("%d items, %q, %v; want 5, %q", items, got, err, want)
	}
}

func TestAReplyThatIsCutAnywhereIsAnError(t *testing.T) {
	text := `{"errors":true,"items":[{"index":{"status":201}},{"index":{"status":400,"error":{"type":"t","reason":"r"}}}],"took":1}`
	for n := range len(text) {
		if items, _, err := search.ReadReply(strings.NewReader(text[:n])); err == nil {
			t.Errorf("%d bytes of it: %d items, want an error", n, items)
		}
	}
}

// blocks is a block of about a MiB of records of about 700 bytes.
func megabyte() (block []byte, records int) {
	source := `{"@timestamp":"2026-11-21T12:00:00Z","status":200,"bytes":51234,"request":"GET /images/logo.png?v=12 HTTP/1.1","agent":"Mozilla/5.0 (X11; Linux x86_64) \"Gecko\"","tags":["a","b"],"geo":{"lat":1.0,"lon":2.5},"text":"` + strings.Repeat("lorem ipsum ", 35) + `"}`
	for ; len(block) < 1<<20; records++ {
		block = append(block, rec("logs", fmt.Sprintf("document-%08d", records), source)...)
	}
	return block, records
}

// usual is options as the defaults have them.
var usual = search.Config{Versions: true, Format: "auto", Action: "auto", ID: "keep"}

func TestNothingIsAllocatedPerRecord(t *testing.T) {
	block, records := megabyte()
	reply := []byte(`{"took":30,"errors":false,"items":[` + strings.Repeat(`{"index":{"status":201}},`, records/2) + strings.Repeat(`{"index":{"status":200}},`, records-records/2-1) + `{"delete":{"status":200}}]}`)
	hashed, update := usual, usual
	hashed.ID, hashed.Index, hashed.RoutingField = "hash", "x-{index}", "geo.lat"
	update.Action, update.Upsert, update.IDField = "update", true, "bytes"
	versioned := bytes.ReplaceAll(block, []byte(`,"_source"`), []byte(`,"_version":17592186044423,"_source"`))
	pairs := bytes.ReplaceAll(block, []byte(`{"_index":"logs"`), []byte(`{"create":{"_index":"logs"`))
	pairs = bytes.ReplaceAll(pairs, []byte(`,"_source":`), []byte(`,"routing":7,"pipeline":"p"}} `))
	pairs = bytes.ReplaceAll(pairs, []byte("}}\n"), []byte("}\n"))
	for name, c := range map[string]struct {
		cfg   search.Config
		block []byte
	}{"versions": {usual, versioned}, "hashes": {hashed, block}, "updates": {update, block}, "pairs": {usual, pairs}} {
		fill := search.NewFilling(c.cfg)
		work := func() {
			if n := fill.Block(c.block, reply); n != records {
				t.Fatalf("%s: %d records, want %d", name, n, records)
			}
		}
		if n := testing.AllocsPerRun(10, work); n > float64(records)/1000 {
			t.Errorf("%s: %.0f allocations for %d records, want next to none", name, n, records)
		}
		if n := fill.Faults(); n > 0 {
			t.Errorf("%s: %d faults, want none", name, n)
		}
	}
}

func BenchmarkFill(b *testing.B) {
	block, records := megabyte()
	fill := search.NewFilling(usual)
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	for b.Loop() {
		fill.Block(block, nil)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
}

func BenchmarkReply(b *testing.B) {
	_, records := megabyte()
	reply := []byte(`{"took":30,"errors":false,"items":[` + strings.Repeat(`{"index":{"status":201}},`, records-1) + `{"index":{"status":201}}]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fill := search.NewFilling(usual)
	for b.Loop() {
		fill.Block(nil, reply)
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
}
