package transforms

import (
	"fmt"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/kind"
	"sluice/pipeline"
)

// Zstd is the options of the transform that compresses with zstd. Its frames
// have a checksum and a window of at most 1 MiB, which every decoder accepts.
type Zstd struct {
	Level   string `yaml:"level" doc:"How much time to spend on size." default:"default" enum:"fastest|default|better|best"`
	Workers *int   `yaml:"workers" doc:"Blocks that are compressed at the same time in each lane. If it is not given: what processors, lanes and memory allow, at most 4." min:"1" max:"256"`
}

// zstdWindow is how far frames refer back: no block is larger, and of a stream it is
// as much as the memory of a lane is worth.
const zstdWindow = 1 << 20

// zstdSize is the memory of one encoder.
func zstdSize(l zstd.EncoderLevel) int64 {
	switch l {
	case zstd.SpeedFastest:
		return 3 << 20
	case zstd.SpeedDefault:
		return 4 << 20
	case zstd.SpeedBetterCompression:
		return 7 << 20
	}
	return 38 << 20
}

// Problems implements [kind.Transform].
func (c *Zstd) Problems(kind.Env) []kind.Problem { return nil }

// Form implements [kind.Transform].
func (c *Zstd) Form(kind.Form) (kind.Form, *kind.Problem) { return kind.Bytes, nil }

// Identity implements [kind.Transform].
func (c *Zstd) Identity() string { return "zstd level " + c.Level }

// Build implements [kind.Transform].
func (c *Zstd) Build(env kind.Env) (pipeline.Transform, error) {
	known, level := zstd.EncoderLevelFromString(c.Level)
	if !known {
		return nil, fmt.Errorf("%q is not a level of zstd", c.Level)
	}
	return newCompressor(env, c.Workers, zstdSize(level), func() (encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true))
	})
}
