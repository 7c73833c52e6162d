package s3

import (
	"context"

	"sluice/internal/objects"
	"sluice/internal/roll"
)

// What metadata holds of an owner.
var (
	Hashed   = hashed
	Metadata = metadata
	OwnerOf  = ownerOf
)

// Sent makes an object that has sent n parts of some size.
func Sent(ctx context.Context, c *objects.Client, n, size int) roll.Object {
	o := &object{target: &target{Config: new(Config), client: c, parts: newParts(size, 2, false)}, new: objects.New{Key: "k"}, etags: make([]string, n)}
	o.ctx, o.cancel = context.WithCancel(ctx)
	return o
}
