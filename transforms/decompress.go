package transforms

import (
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Decompress is the options of the transform that decompresses what is
// compressed, and passes on the rest. What an object is, its first bytes say:
// gzip, zstd or bzip2. An object whose encoding or name says that it is
// compressed, and whose bytes are neither that nor text, is an error.
type Decompress struct {
	MaxRatio  int        `yaml:"max_ratio" doc:"What expands to more than this many times its size, after the first MiB, is an error." default:"1000" min:"1"`
	MaxWindow unit.Bytes `yaml:"max_window" doc:"Memory that a frame of zstd may need to be decompressed. Files made with zstd --ultra or --long need more than 8MiB." default:"8MiB"`
}

// Problems implements [kind.Transform].
func (c *Decompress) Problems(kind.Env) []kind.Problem { return windowProblems(c.MaxWindow) }

// Form implements [kind.Transform].
func (c *Decompress) Form(in kind.Form) (kind.Form, *kind.Problem) {
	return bytesOnly("decompress", in)
}

// Identity implements [kind.Transform].
func (c *Decompress) Identity() string { return "decompress" }

// Build implements [kind.Transform].
func (c *Decompress) Build(kind.Env) (pipeline.Transform, error) {
	formats := []format{gzipFormat, zstdFormat(c.MaxWindow), bzip2Format, plainFormat}
	return newExpander(max(unzstdSize(c.MaxWindow), bunzipSize), func(it *pipeline.Item) expanded {
		key := it.Key
		return expanded{maxRatio: int64(c.MaxRatio), formats: formats, detect: func(src *source) (format, error) {
			return detect(src, key, formats)
		}}
	}), nil
}

// encoded is the reader of a body whose server says how it is encoded, as the
// header Content-Encoding does.
type encoded interface{ ContentEncoding() string }

// detect says which of the formats the source is in.
func detect(src *source, key string, formats []format) (format, error) {
	head, err := src.Peek(512)
	if err != nil && err != io.EOF {
		return format{}, err
	}
	name := magic(head)
	if name == "plain" {
		if says := claim(src.body, key); says != "" && !text(head) {
			return format{}, fmt.Errorf("it is neither what its %s says nor text", says)
		}
	}
	for _, f := range formats {
		if f.name == name {
			return f, nil
		}
	}
	return format{}, errors.New("BUG: no such format: " + name)
}

// claim is what says that a body is compressed, or "".
func claim(body io.Reader, key string) string {
	if e, ok := body.(encoded); ok && compressed(e.ContentEncoding()) {
		return "encoding, " + e.ContentEncoding() + ","
	}
	if ext := path.Ext(key); ext != "" && compressed(ext[1:]) {
		return "name, " + ext + ","
	}
	return ""
}

// compressed says whether an extension or encoding is that of compressed bytes.
func compressed(name string) bool {
	switch strings.ToLower(name) {
	case "gz", "gzip", "x-gzip", "tgz", "zst", "zstd", "tzst", "bz2", "bzip2", "x-bzip2", "tbz2":
		return true
	}
	return false
}

// magic is the format that the first bytes of a file say.
func magic(head []byte) string {
	s := string(head)
	switch {
	case strings.HasPrefix(s, gzipMagic):
		return "gzip"
	case strings.HasPrefix(s, zstdMagic), len(s) >= 4 && s[0]&0xf0 == 0x50 && s[1:4] == "\x2a\x4d\x18": // a skippable frame
		return "zstd"
	case len(s) >= 10 && s[:3] == "BZh" && (s[4:10] == "\x31\x41\x59\x26\x53\x59" || s[4:10] == "\x17\x72\x45\x38\x50\x90"):
		return "bzip2"
	}
	return "plain"
}

// text says whether bytes look like the beginning of a text in UTF-8.
func text(head []byte) bool {
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 && utf8.FullRune(head) || r < ' ' && !strings.ContainsRune("\t\n\v\f\r\x1b", r) {
			return false
		}
		head = head[n:]
	}
	return true
}

// bunzipSize is the memory of a decoder of bzip2.
const bunzipSize = 5 << 20

var bzip2Format = format{"bzip2", func(src *source) codec { return &bzip2Codec{src: src} }}

// bzip2Codec reads a whole file of bzip2 as one member.
type bzip2Codec struct {
	io.Reader
	src *source
}

// next implements codec.
func (b *bzip2Codec) next() error {
	if b.Reader != nil {
		_, err := b.src.Peek(1)
		return err
	}
	b.Reader = bzip2.NewReader(b.src)
	return nil
}

// free implements codec.
func (b *bzip2Codec) free() {}

var plainFormat = format{"plain", func(src *source) codec { return plainCodec{src} }}

// plainCodec passes bytes on. Its members are what one Read gives, so it can
// be entered anywhere.
type plainCodec struct{ src *source }

// next implements codec.
func (p plainCodec) next() error {
	_, err := p.src.Peek(1)
	return err
}

// Read gives one member.
func (p plainCodec) Read(b []byte) (int, error) {
	n, err := p.src.Read(b)
	if err == nil {
		err = io.EOF
	}
	return n, err
}

// free implements codec.
func (p plainCodec) free() {}
