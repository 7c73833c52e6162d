package transforms

import "sluice/internal/kind"

// Kinds makes the options of each kind of transform, by the name that the
// configuration gives it. It does not change.
var Kinds = map[string]func() kind.Transform{
	"decompress":  func() kind.Transform { return new(Decompress) },
	"drop_fields": func() kind.Transform { return new(DropFields) },
	"filter":      func() kind.Transform { return new(Filter) },
	"gunzip":      func() kind.Transform { return new(Gunzip) },
	"gzip":        func() kind.Transform { return new(Gzip) },
	"jq":          func() kind.Transform { return new(JQ) },
	"keep_fields": func() kind.Transform { return new(KeepFields) },
	"lines":       func() kind.Transform { return new(Lines) },
	"manifest":    func() kind.Transform { return new(Manifest) },
	"redact":      func() kind.Transform { return new(Redact) },
	"rename":      func() kind.Transform { return new(Rename) },
	"route":       func() kind.Transform { return new(Route) },
	"set":         func() kind.Transform { return new(Set) },
	"unzstd":      func() kind.Transform { return new(Unzstd) },
	"zstd":        func() kind.Transform { return new(Zstd) },
}
