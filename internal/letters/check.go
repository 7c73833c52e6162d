package letters

import (
	"context"
	"time"

	"sluice/internal/check"
	"sluice/internal/disk"
	"sluice/internal/objects"
	"sluice/internal/search"
)

// Hurry implements [check.Hurrier].
func (c *Config) Hurry(most time.Duration) {
	if c.S3 != nil {
		c.S3.Hurry(most)
	}
	if c.Search != nil {
		c.Search.Hurry(most)
	}
}

// Check implements [check.Checker]: what is at the place of the letters. It
// changes nothing there.
func (b *Box) Check(ctx context.Context, r *check.Report) error {
	c := b.Config
	place := c.Place(b.Pipeline)
	r.Say("%s", place)
	switch {
	case c.S3 != nil:
		client, err := c.S3.Client(ctx, 1)
		if err != nil {
			return err
		}
		defer client.Close()
		if err := client.Reach(ctx); err != nil && !objects.Denied(err) {
			return err
		}
		client.MayWrite(ctx, c.S3.Prefix+b.Pipeline+"/sluice-check", r)
		return nil
	case c.Search != nil:
		return b.checkIndex(ctx, r)
	}
	return disk.Writable(place)
}

func (b *Box) checkIndex(ctx context.Context, r *check.Report) error {
	c := b.Config.Search
	client, err := search.New(c.Config)
	if err != nil {
		return err
	}
	defer client.Close()
	e, err := client.Engine(ctx)
	if err != nil {
		return err
	}
	_, err = client.Indices(ctx, []string{c.Index})
	there := err == nil
	if search.NotFound(err) {
		r.Say("it does not exist: the first run makes it")
	} else if err != nil {
		return err
	}
	client.MayWrite(ctx, e, search.Writing{Index: c.Index, Exists: there}, r)
	return nil
}
