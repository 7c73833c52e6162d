// Package sources holds the table of the kinds of sources.
package sources

import (
	"sluice/internal/kind"
	"sluice/sources/generate"
	"sluice/sources/s3"
)

// Kinds makes the options of each kind of source, by the name that the
// configuration gives it. It does not change.
var Kinds = map[string]func() kind.Source{
	"generate": func() kind.Source { return new(generate.Config) },
	"s3":       func() kind.Source { return new(s3.Config) },
}
