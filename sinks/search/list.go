package search

import (
	"context"
	"errors"
	"fmt"

	"sluice/internal/search"
)

// Target implements kind.Lister.
func (c *Config) Target(index string) string {
	n := c.naming()
	return string(n.append(nil, []byte(index)))
}

// List implements kind.Lister.
func (c *Config) List(ctx context.Context, index string, yield func(id, routing []byte, version int64) error) error {
	if c.Action == "create" {
		return errors.New("action create leaves documents as they are: none can be deleted; use index")
	}
	client, err := search.New(c.Config)
	if err != nil {
		return err
	}
	defer client.Close()
	target := c.Target(index)
	list, err := client.Indices(ctx, []string{target})
	switch {
	case search.NotFound(err):
		return nil
	case err != nil:
		return err
	case len(list) != 1:
		return fmt.Errorf("%s stands for %d indices: a document can be deleted only where it is known in which one it is", target, len(list))
	}
	if err := client.Refresh(ctx, list[0].Name); err != nil { // else what was written last is not seen
		return err
	}
	return client.IDs(ctx, list[0], yield)
}
