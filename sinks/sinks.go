// Package sinks holds the table of the kinds of sinks.
package sinks

import (
	"sluice/internal/kind"
	"sluice/sinks/file"
	"sluice/sinks/git"
	"sluice/sinks/s3"
	"sluice/sinks/search"
)

// Kinds makes the options of each kind of sink, by the name that the
// configuration gives it. It does not change.
var Kinds = map[string]func() kind.Sink{
	"elasticsearch": func() kind.Sink { return new(search.Config) },
	"file":          func() kind.Sink { return new(file.Config) },
	"git":           func() kind.Sink { return new(git.Config) },
	"opensearch":    func() kind.Sink { return new(search.Config) },
	"s3":            func() kind.Sink { return new(s3.Config) },
}
