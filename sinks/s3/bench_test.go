package s3_test

import (
	"strings"
	"testing"
	"time"

	"sluice/internal/kind"
	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
	"sluice/sinks/s3"
)

// BenchmarkSmallObjects puts objects of 2 KB by one lane, and says how many a
// second: into a store in this process that takes 10 ms for each answer, and
// into a real one.
func BenchmarkSmallObjects(b *testing.B) {
	put := func(b *testing.B, c *s3.Config) {
		src := small(b.N, strings.Repeat("x", 2000))
		sink, err := c.Build(kind.Env{})
		if err != nil {
			b.Fatal(err)
		}
		p := &pipeline.Pipeline{Name: "mine", Source: src, Sink: sink, Store: fresh(), Lanes: 1, Depth: 2}
		b.ResetTimer()
		if res, err := p.Run(b.Context()); err != nil || !res.Complete {
			b.Fatal(res, err)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "objects/s")
	}
	b.Run("10ms", func(b *testing.B) {
		f := newFake(b)
		f.delay = 10 * time.Millisecond
		put(b, f.config("{key}"))
	})
	b.Run("real", func(b *testing.B) {
		bucket := objectstest.New(b)
		put(b, options(bucket, "", "{key}"))
	})
}
