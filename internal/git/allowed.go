package git

import (
	"context"
	"strings"
	"time"

	"sluice/internal/unit"
)

// Hurry implements [check.Hurrier].
func (c *Config) Hurry(most time.Duration) { c.Retry = min(c.Retry, unit.Duration(most)) }

// MayPush finds out whether the remote takes a push of who asks, without one: it
// asks how it would be to delete a reference that is not there.
func (r *Repo) MayPush(ctx context.Context) error {
	out, err := r.remote.ask(ctx, call{dir: r.dir, args: []string{"push", "--dry-run", "--porcelain", "--", "origin", ":refs/sluice/check-of-nothing"}, both: true})
	if err == nil || strings.Contains(string(out)+err.Error(), "remote ref does not exist") {
		return nil
	}
	return err
}
