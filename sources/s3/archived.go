package s3

import (
	"context"
	"errors"
	"fmt"

	"sluice/internal/objects"
	"sluice/pipeline"
)

// archives are the storage classes whose objects cannot be read as they are.
// Those of other classes may be archived, too: it shows when they are read.
var archives = map[string]bool{"GLACIER": true, "DEEP_ARCHIVE": true}

// archived says of an archived object what can be done about it, and does it if
// it is asked for. The object cannot be had in this pass either way.
func (b *body) archived(ctx context.Context, err error) error {
	if !errors.Is(err, objects.ErrArchived) {
		return err
	}
	o := b.content.Object()
	name := fmt.Sprintf("get %s: archived in class %s", b.client.Name(o.Key), class(o))
	if b.config.Archived != "restore" {
		return fmt.Errorf("%s: restore it first, or set archived: restore: %w", name, pipeline.ErrGone)
	}
	if err := b.client.Restore(ctx, o, b.config.Restore.Days, b.config.Restore.Tier); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return fmt.Errorf("%s: its restoration is under way, a later pass will have it: %w", name, pipeline.ErrGone)
}
