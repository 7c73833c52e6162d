package transforms_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/transforms"
)

// crashing reads two compressed objects as records and compresses these again,
// in a world that ends at an operation, until it is complete.
func crashing(t *testing.T, mode pipelinetest.Mode, at int, files ...[]byte) (objects map[string]string, ops int) {
	t.Helper()
	w := &pipelinetest.World{Mode: mode, At: at, Every: 7, Times: 2}
	store := &pipelinetest.Store{World: w}
	to := &pipelinetest.Sink{World: w, Roll: 2, Objects: map[string]string{}}
	src := &ends{}
	for i, f := range files {
		src.items = append(src.items, func() *pipeline.Item {
			return item(string(rune('a'+i))+".gz", bytesBody{b: f, small: 500, delay: 300 * time.Millisecond}, int64(len(f)))
		})
	}
	small := env
	small.MaxRecord = 4096 // blocks of that size
	var stages []pipeline.Stage
	for _, k := range []kind.Transform{decompress(), &transforms.Lines{}, &transforms.DropFields{Fields: []string{"bytes"}}, jq(`._source.n = 1.0`), gz(1)} {
		tr, err := k.Build(small)
		if err != nil {
			t.Fatal(err)
		}
		stages = append(stages, pipeline.Stage{Name: k.Identity(), Transform: tr})
	}
	for try := range 9 {
		ctx, cancel := context.WithCancel(t.Context())
		w.Stop = cancel
		p := src.pipeline(store, stages...)
		p.Sink = to
		res, err := p.Run(ctx)
		cancel()
		w.Restart()
		if res.Complete {
			if res.Counts.Read != 500 || res.Counts.Written != 500 {
				t.Fatalf("at %d, try %d: %+v", at, try, res.Counts)
			}
			return to.Objects, w.Ops()
		}
		if err == nil && mode != pipelinetest.Stop {
			t.Fatalf("at %d, try %d: neither complete nor an error", at, try)
		}
	}
	t.Fatalf("at %d: never complete", at)
	return nil, 0
}

// The codecs of zstd have channels, which synctest does not let out of a bubble.
func TestACrashAnywhereGivesTheSameObjects(t *testing.T) {
	for _, mode := range []pipelinetest.Mode{pipelinetest.Crash, pipelinetest.Fail, pipelinetest.Stop} {
		first, second := chunked(t, records(300)), chunked(t, records(200))
		var want map[string]string
		ops := 0
		synctest.Test(t, func(t *testing.T) { want, ops = crashing(t, mode, 0, first, second) })
		if len(want) < 6 {
			t.Fatalf("%d objects", len(want))
		}
		for at := 1; at <= ops; at++ {
			synctest.Test(t, func(t *testing.T) {
				got, _ := crashing(t, mode, at, first, second)
				if mode != pipelinetest.Crash { // a drain ends units early: only what is in them is the same
					if g, w := content(t, got), content(t, want); g != w {
						t.Fatalf("mode %d at %d: got %d bytes, want %d", mode, at, len(g), len(w))
					}
				} else if !maps.Equal(got, want) {
					t.Fatalf("mode %d at %d: got %d other objects, want %d", mode, at, len(got), len(want))
				}
			})
			if t.Failed() {
				return
			}
		}
		t.Logf("mode %d: %d operations", mode, ops)
	}
}

// chunked is a file of members of 3,000 bytes.
func chunked(t *testing.T, b []byte) (file []byte) {
	for chunk := range slices.Chunk(b, 3000) {
		file = append(file, one(t, gz(1), chunk)...)
	}
	return file
}

// content is what the objects hold.
func content(t *testing.T, objects map[string]string) string {
	t.Helper()
	keys := slices.SortedFunc(maps.Keys(objects), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	var all strings.Builder
	for _, k := range keys {
		all.WriteString(objects[k])
	}
	return string(decoded(t, "gzip", []byte(all.String())))
}
