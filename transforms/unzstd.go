package transforms

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Unzstd is the options of the transform that decompresses zstd: all frames of
// a file, skippable ones among them.
type Unzstd struct {
	MaxRatio  int        `yaml:"max_ratio" doc:"What expands to more than this many times its size, after the first MiB, is an error." default:"1000" min:"1"`
	MaxWindow unit.Bytes `yaml:"max_window" doc:"Memory that a frame may need to be decompressed. Files made with zstd --ultra or --long need more than 8MiB." default:"8MiB"`
}

// Problems implements [kind.Transform].
func (c *Unzstd) Problems(kind.Env) []kind.Problem { return windowProblems(c.MaxWindow) }

// windowProblems checks max_window.
func windowProblems(w unit.Bytes) []kind.Problem {
	if w < zstdWindow || w > zstd.MaxWindowSize {
		return []kind.Problem{{Option: "max_window", Message: fmt.Sprintf("must be from %v to %v", unit.Bytes(zstdWindow), unit.Bytes(zstd.MaxWindowSize))}}
	}
	return nil
}

// Form implements [kind.Transform].
func (c *Unzstd) Form(in kind.Form) (kind.Form, *kind.Problem) { return bytesOnly("unzstd", in) }

// Identity implements [kind.Transform].
func (c *Unzstd) Identity() string { return "unzstd" }

// Build implements [kind.Transform].
func (c *Unzstd) Build(kind.Env) (pipeline.Transform, error) {
	f := zstdFormat(c.MaxWindow)
	return newExpander(unzstdSize(c.MaxWindow), func(*pipeline.Item) expanded {
		return expanded{maxRatio: int64(c.MaxRatio), formats: []format{f}}
	}), nil
}

// zstdMagic is how a frame begins.
const zstdMagic = "\x28\xb5\x2f\xfd"

// unzstdSize is the memory of one decoder.
func unzstdSize(window unit.Bytes) int64 { return int64(window) + 1<<20 }

// keptWindow is the largest window whose memory is kept for the next body.
const keptWindow = 8 << 20

func zstdFormat(maxWindow unit.Bytes) format {
	return format{"zstd", func(src *source) codec {
		z := zstdCodecs.Get().(*zstdCodec)
		z.src, z.max, z.some = src, uint64(maxWindow), false
		return z
	}}
}

var zstdCodecs = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstd.MaxWindowSize), zstd.WithDecoderMaxMemory(zstd.MaxWindowSize))
	if err != nil {
		panic(err) // the options are constants
	}
	return &zstdCodec{Decoder: d}
}}

// zstdCodec reads frames of zstd.
type zstdCodec struct {
	*zstd.Decoder
	src   *source
	frame frame
	max   uint64 // window
	used  uint64 // largest window
	some  bool   // there was a frame
}

// next implements codec.
func (z *zstdCodec) next() error {
	for {
		head, err := z.src.Peek(zstd.HeaderMaxSize)
		switch {
		case len(head) == 0 && err == io.EOF && !z.some:
			return errors.New("empty, which is not zstd")
		case len(head) == 0 || err != nil && err != io.EOF:
			return err
		}
		var h zstd.Header
		if err := h.Decode(head); err != nil {
			return z.noFrame(err)
		}
		z.some = true
		if !h.Skippable {
			return z.begin(h)
		}
		if _, err := z.src.Discard(h.HeaderSize + int(h.SkippableSize)); err != nil {
			return noEOF(err)
		}
	}
}

func (z *zstdCodec) noFrame(err error) error {
	switch {
	case !errors.Is(err, zstd.ErrMagicMismatch):
		return err
	case z.some:
		return errors.New("what comes behind the frame is not zstd")
	}
	return errors.New("not zstd")
}

// begin begins with a frame that has content.
func (z *zstdCodec) begin(h zstd.Header) error {
	window := h.WindowSize
	if h.SingleSegment {
		window = h.FrameContentSize
	}
	switch {
	case h.DictionaryID != 0:
		return fmt.Errorf("it needs the dictionary %d, and none can be given", h.DictionaryID)
	case window > z.max:
		return fmt.Errorf("it needs a window of %d bytes, which is more than max_window (%v); raise max_window", window, unit.Bytes(z.max))
	}
	z.used = max(z.used, window)
	z.frame = frame{src: z.src, left: h.HeaderSize, sum: h.HasCheckSum}
	return z.Reset(&z.frame)
}

// Read gives the bytes of the frame. Its end is where its blocks say, and
// where the decoder says.
func (z *zstdCodec) Read(p []byte) (int, error) {
	n, err := z.Decoder.Read(p)
	if err == io.EOF && !z.frame.ended() {
		err = errors.New("the frame ends before its last block")
	}
	return n, err
}

// free implements codec.
func (z *zstdCodec) free() {
	z.src, z.frame.src = nil, nil
	if z.used > keptWindow {
		z.Close()
		return
	}
	if z.Reset(nil) == nil {
		zstdCodecs.Put(z)
	}
}
