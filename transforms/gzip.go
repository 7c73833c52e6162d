package transforms

import (
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"

	"sluice/internal/kind"
	"sluice/pipeline"
)

// Gzip is the options of the transform that compresses with gzip. Its members
// have no name and no time: equal bytes give equal members.
type Gzip struct {
	Level   int  `yaml:"level" doc:"From 1, the fastest, to 9, the smallest." default:"1" min:"1" max:"9"`
	Workers *int `yaml:"workers" doc:"Blocks that are compressed at the same time in each lane. If it is not given: what processors, lanes and memory allow, at most 4." min:"1" max:"256"`
}

// gzipSize is the memory of one encoder at the level that takes most.
const gzipSize = 1500 << 10

// Problems implements [kind.Transform].
func (c *Gzip) Problems(kind.Env) []kind.Problem { return nil }

// Form implements [kind.Transform].
func (c *Gzip) Form(kind.Form) (kind.Form, *kind.Problem) { return kind.Bytes, nil }

// Identity implements [kind.Transform].
func (c *Gzip) Identity() string { return fmt.Sprintf("gzip level %d", c.Level) }

// Build implements [kind.Transform].
func (c *Gzip) Build(env kind.Env) (pipeline.Transform, error) {
	return newCompressor(env, c.Workers, gzipSize, func() (encoder, error) {
		w, err := gzip.NewWriterLevel(nil, c.Level)
		return gzipWriter{w}, err
	})
}

// gzipWriter writes members without a time.
type gzipWriter struct{ *gzip.Writer }

// Reset implements encoder. The library takes the zero time for a time like
// any other; in a member, "none" is 1970.
func (w gzipWriter) Reset(dst io.Writer) {
	w.Writer.Reset(dst)
	w.ModTime = time.Unix(0, 0)
}
