// Package sources holds the table of the kinds of sources.
package sources

import (
	"sluice/internal/kind"
	"sluice/sources/file"
	"sluice/sources/generate"
	"sluice/sources/git"
	"sluice/sources/s3"
	"sluice/sources/search"
)

// Kinds makes the options of each kind of source, by the name that the
// configuration gives it. It does not change.
var Kinds = map[string]func() kind.Source{
	"elasticsearch": func() kind.Source { return new(search.Config) },
	"file":          func() kind.Source { return new(file.Config) },
	"generate":      func() kind.Source { return new(generate.Config) },
	"git":           func() kind.Source { return new(git.Config) },
	"opensearch":    func() kind.Source { return new(search.Config) },
	"s3":            func() kind.Source { return new(s3.Config) },
}
