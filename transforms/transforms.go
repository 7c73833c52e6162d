// Package transforms holds the table of the kinds of transforms.
package transforms

import "sluice/internal/kind"

// Kinds makes the options of each kind of transform, by the name that the
// configuration gives it. It does not change.
var Kinds = map[string]func() kind.Transform{}
