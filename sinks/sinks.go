// Package sinks holds the table of the kinds of sinks.
package sinks

import (
	"sluice/internal/kind"
	"sluice/sinks/s3"
)

// Kinds makes the options of each kind of sink, by the name that the
// configuration gives it. It does not change.
var Kinds = map[string]func() kind.Sink{
	"s3": func() kind.Sink { return new(s3.Config) },
}
