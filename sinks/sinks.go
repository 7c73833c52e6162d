// Package sinks holds the table of the kinds of sinks.
package sinks

import "sluice/internal/kind"

// Kinds makes the options of each kind of sink, by the name that the
// configuration gives it. It does not change.
var Kinds = map[string]func() kind.Sink{}
