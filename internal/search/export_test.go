package search

import (
	"context"
	"net"
	"net/http"
)

// SetDial lets the client reach the cluster in another way than by TCP.
func (c *Client) SetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	t := c.http.Transport.(*http.Transport)
	t.DialContext, t.Proxy = dial, nil
}
