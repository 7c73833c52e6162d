package transforms

import (
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"

	"sluice/internal/kind"
	"sluice/pipeline"
)

// Gunzip is the options of the transform that decompresses gzip: all members
// of a file, and zeros behind the last one, which tapes and block devices leave.
type Gunzip struct {
	MaxRatio int `yaml:"max_ratio" doc:"What expands to more than this many times its size, after the first MiB, is an error." default:"1000" min:"1"`
}

// Problems implements [kind.Transform].
func (c *Gunzip) Problems(kind.Env) []kind.Problem { return nil }

// Form implements [kind.Transform].
func (c *Gunzip) Form(in kind.Form) (kind.Form, *kind.Problem) { return bytesOnly("gunzip", in) }

// Identity implements [kind.Transform].
func (c *Gunzip) Identity() string { return "gunzip" }

// Build implements [kind.Transform].
func (c *Gunzip) Build(kind.Env) (pipeline.Transform, error) {
	return newExpander(gunzipSize, func(*pipeline.Item) expanded {
		return expanded{maxRatio: int64(c.MaxRatio), formats: []format{gzipFormat}}
	}), nil
}

// gzipMagic is how a member begins.
const gzipMagic = "\x1f\x8b"

// gunzipSize is the memory of one decoder.
const gunzipSize = 128 << 10

var gzipFormat = format{"gzip", func(src *source) codec {
	g := gzipCodecs.Get().(*gzipCodec)
	g.src, g.some = src, false
	return g
}}

var gzipCodecs = sync.Pool{New: func() any { return new(gzipCodec) }}

// gzipCodec reads members of gzip.
type gzipCodec struct {
	gzip.Reader
	src  *source
	some bool // there was a member
}

// next implements codec.
func (g *gzipCodec) next() error {
	head, err := g.src.Peek(len(gzipMagic))
	switch {
	case len(head) == 0 && err == io.EOF && !g.some:
		return errors.New("empty, which is not gzip")
	case len(head) == 0:
		return err
	case head[0] == 0 && g.some:
		return g.padding()
	case gzipMagic[:len(head)] != string(head) && g.some:
		return errors.New("what comes behind the member is not gzip")
	case gzipMagic[:len(head)] != string(head):
		return errors.New("not gzip")
	}
	if err := g.Reset(g.src.Reader); err != nil {
		return noEOF(err)
	}
	g.Multistream(false)
	g.some = true
	return nil
}

// padding reads zeros to the end of the source.
func (g *gzipCodec) padding() error {
	for {
		b, err := g.src.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			return errors.New("what comes behind the member is neither gzip nor zeros")
		}
	}
}

// free implements codec.
func (g *gzipCodec) free() {
	g.src = nil
	gzipCodecs.Put(g)
}
