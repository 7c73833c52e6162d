package objects

import (
	"context"
	"errors"
	"fmt"
)

// Findings says, a line each, what check shows of the store: as what it is
// treated, whether the bucket keeps versions, and whether conditional writes are
// honoured, as far as that is known or [Client.Conditional] was called.
func (c *Client) Findings(ctx context.Context) ([]string, error) {
	versions, err := c.versioning(ctx)
	if err != nil {
		return nil, err
	}
	return []string{c.kind(), versions, c.conditions()}, nil
}

// kind says as what the store is treated.
func (c *Client) kind() string {
	p, from := &c.profile, "as its endpoint tells"
	if c.config.Provider != "" {
		from = "as configured"
	}
	style, payload, sum := "in the host name", "not signed", p.checksum
	if p.pathStyle {
		style = "in the path"
	}
	if c.signsPayload() {
		payload = "signed"
	}
	if sum == sumMD5 && c.signsPayload() {
		sum = sumNone
	}
	return fmt.Sprintf("store: %s, %s: bucket %s, payload %s, checksum %s, listing version %d, at most %d parts", c.config.provider(), from, style, payload, sum, p.listVersion, p.maxParts)
}

func (c *Client) versioning(ctx context.Context) (string, error) {
	on, err := c.Versioned(ctx)
	denied := new(Error)
	switch {
	case errors.As(err, &denied):
		return fmt.Sprintf("bucket %s: whether it keeps versions is not known: %v", c.bucket, denied), nil
	case err != nil:
		return "", err
	case on:
		return fmt.Sprintf("bucket %s: keeps versions", c.bucket), nil
	}
	return fmt.Sprintf("bucket %s: keeps no versions", c.bucket), nil
}

func (c *Client) conditions() string {
	switch c.profile.conditional {
	case yes:
		return "conditional writes: honoured by stores of this kind"
	case no:
		return "conditional writes: not honoured by stores of this kind: who writes last wins"
	}
	f := &c.known.conditional
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.asked:
		return "conditional writes: not known; a sink tries it when it runs, and in check --write"
	case f.value:
		return "conditional writes: honoured, as a probe with an object that was removed again showed"
	}
	return "conditional writes: not honoured, as a probe with an object that was removed again showed: who writes last wins"
}
