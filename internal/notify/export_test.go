package notify

import (
	"context"
	"net/http"
	"time"

	"sluice/internal/awscreds"
)

// OpenOn is Open with another way to the service.
func (c *QueueConfig) OpenOn(ctx context.Context, transport http.RoundTripper, keys awscreds.Config, retry time.Duration) (*Queue, error) {
	cfg, err := keys.Load(ctx, c.region())
	if err != nil {
		return nil, err
	}
	return &Queue{*c, newService(*c, keys.Provider(cfg), transport, retry)}, nil
}
