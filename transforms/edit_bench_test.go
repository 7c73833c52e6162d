package transforms_test

import (
	"bytes"
	"runtime"
	"testing"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/transforms"
)

// logLine is a record as a search source gives it.
const logLine = `{"_index":"logs-2026.01","_id":"AY2x4Jq5b0m8ZKQ","_source":{"@timestamp":"2026-01-01T00:00:00.137Z","level":"ERROR","service":"checkout","host":"node-07",` +
	`"trace":"5f3c9e1b7a2d4c68b0e1f29a8c7d6e5f","user":{"id":9007199254741993,"name":"Anna","email":"anna@example.org"},"status":503,"sent":104857,"seconds":12.345,"load":0.07,"weight":1.0,` +
	`"retried":false,"parent":null,"tags":["a","b"],"message":"GET \"/api/v1/orders\": upstream server connection closed by peer after retry user session expired token cache miss for key ` +
	`queue depth exceeded limit worker started finished job in batch request response timeout while reading from upstream server connection closed by peer after retry user session expired"}}` + "\n"

// byteExact are edits that allocate nothing per record.
func byteExact() map[string]kind.Transform {
	x := "eu-1"
	return map[string]kind.Transform{
		"drop_fields": &transforms.DropFields{Fields: []string{"user.email", "trace", "load"}},
		"keep_fields": &transforms.KeepFields{Fields: []string{"@timestamp", "level", "user.id", "message"}},
		"redact":      &transforms.Redact{Fields: []string{"user.email", "user.name"}, With: "***"},
		"set":         &transforms.Set{Fields: []transforms.SetField{{Field: "cloud.region", Value: &x}, {Field: "level", Value: &x}}},
		"rename":      &transforms.Rename{Fields: []transforms.RenameField{{From: "user.email", To: "user.mail"}, {From: "host", To: "server.name"}}},
		"filter": &transforms.Filter{Where: []transforms.Condition{{Field: "level", Equals: []string{"ERROR", "WARN"}}, {Field: "status", GTE: "500"}},
			Any: []transforms.Condition{{Field: "message", Matches: `expired"?$`}, {Field: "_index", Equals: []string{"x"}}}},
		"route": &transforms.Route{Rules: []transforms.Rule{{Where: []transforms.Condition{{Field: "level", Equals: []string{"ERROR"}}}, Index: "{service}-{@timestamp:2006.01.02}"}}},
	}
}

// BenchmarkEdits edits a record of about 800 bytes, in one goroutine. One op is
// one record.
func BenchmarkEdits(b *testing.B) {
	all := byteExact()
	all["jq"] = jq(`._source |= del(.user.email)`)
	for name, k := range all {
		b.Run(name, func(b *testing.B) {
			edit, err := k.(kind.Editor).Edit(env)
			if err != nil {
				b.Fatal(err)
			}
			blk, err := pipeline.NewQuota(1).Block(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			defer blk.Release()
			rec := []byte(logLine)
			b.SetBytes(int64(len(rec)))
			b.ReportAllocs()
			for b.Loop() {
				if verdict, err := edit(b.Context(), rec, blk); verdict != pipeline.Keep || err != nil {
					b.Fatal(verdict, err)
				}
				blk.Truncate(0)
			}
		})
	}
}

func TestEditsThatAreExactAllocateNothingPerRecord(t *testing.T) {
	if slower > 1 {
		t.Skip("the race detector empties pools")
	}
	content := bytes.Repeat([]byte(logLine), 500)
	for name, k := range byteExact() {
		tr := build(t, k)
		measure := func() uint64 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			run(t, tr, 20, func(int) []byte { return content }, func(*pipeline.Item) {})
			runtime.ReadMemStats(&after)
			return after.Mallocs - before.Mallocs
		}
		measure()
		if got := measure(); got > 1000 {
			t.Errorf("%s: got %d allocations for 10,000 records, want at most 1000", name, got)
		}
	}
}
