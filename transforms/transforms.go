package transforms

import "sluice/internal/kind"

// Kinds makes the options of each kind of transform, by the name that the
// configuration gives it. It does not change.
var Kinds = map[string]func() kind.Transform{
	"decompress": func() kind.Transform { return new(Decompress) },
	"gunzip":     func() kind.Transform { return new(Gunzip) },
	"gzip":       func() kind.Transform { return new(Gzip) },
	"lines":      func() kind.Transform { return new(Lines) },
	"unzstd":     func() kind.Transform { return new(Unzstd) },
	"zstd":       func() kind.Transform { return new(Zstd) },
}
