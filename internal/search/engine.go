package search

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Engine is what a cluster says it is. Clusters lie about it, and proxies hide
// it: what matters is tried out.
type Engine struct {
	Distribution string // "elasticsearch", "opensearch", or "" if it does not say
	Version      string // "3.8.0", or ""
	Flavor       string // of Elasticsearch: "default", "oss", "serverless", or ""
}

// String gives the name for people.
func (e Engine) String() string {
	name := map[string]string{"elasticsearch": "Elasticsearch", "opensearch": "OpenSearch", "": "unknown engine"}[e.Distribution]
	if e.Version != "" {
		name += " " + e.Version
	}
	if e.Flavor == "oss" || e.Flavor == "serverless" {
		name += " (" + e.Flavor + ")"
	}
	return name
}

// AtLeast says whether the version is known and not below major.minor.
func (e Engine) AtLeast(major, minor int) bool {
	var a, b int
	if n, _ := fmt.Sscanf(e.Version, "%d.%d", &a, &b); n < 2 {
		return false
	}
	return a > major || a == major && b >= minor
}

// Supported is an error if the engine is known to be older than what Sluice is
// made for.
func (e Engine) Supported() error {
	if e.Distribution != "elasticsearch" || e.Version == "" || e.AtLeast(7, 10) {
		return nil
	}
	return fmt.Errorf("%s is older than Elasticsearch 7.10, the oldest that Sluice reads and writes: upgrade it first", e)
}

// Engine asks the cluster what it is. Where GET / is hidden, or gives the version
// of another engine for the sake of old clients, it asks the node that answers,
// and looks at the headers of the answer.
func (c *Client) Engine(ctx context.Context) (e Engine, err error) {
	defer func() { c.found.Store(e.Distribution) }()
	err = c.Retry(ctx, func() error {
		e, err = c.root(ctx)
		return err
	})
	if err == nil && e.Version != "" {
		return e, nil
	}
	if a := AsError(err); err != nil && (a == nil || a.Status != http.StatusNotFound && a.Status != http.StatusMethodNotAllowed && a.Status != http.StatusForbidden) {
		return e, err
	}
	said := e.Distribution
	err = c.Retry(ctx, func() error {
		e, err = c.local(ctx)
		return err
	})
	e.Distribution = cmp.Or(said, e.Distribution)
	if a := AsError(err); a != nil && a.Status < 500 && a.Status != http.StatusUnauthorized {
		return e, nil // it does not say
	}
	return e, err
}

// root reads GET /. An OpenSearch that calls itself Elasticsearch 7.10.2 shows
// itself by a header or its tagline; its version is in the header, or "".
func (c *Client) root(ctx context.Context) (Engine, error) {
	var reply struct {
		Tagline string
		Version struct {
			Number       string
			Distribution string
			BuildFlavor  string `json:"build_flavor"`
		}
	}
	header, err := c.read(ctx, Request{Path: "/"}, &reply)
	if err != nil || reply.Version.Number == "" {
		return Engine{}, err
	}
	v := reply.Version
	e := Engine{Distribution: v.Distribution, Version: v.Number, Flavor: v.BuildFlavor}
	if e.Distribution != "" {
		return e, nil
	}
	if d, own := product(header); d == "opensearch" || strings.Contains(reply.Tagline, "OpenSearch") {
		return Engine{Distribution: "opensearch", Version: own}, nil
	}
	e.Distribution = "elasticsearch"
	return e, nil
}

// local reads GET /_nodes/_local.
func (c *Client) local(ctx context.Context) (Engine, error) {
	var reply struct {
		Nodes map[string]struct {
			Version     string
			BuildFlavor string `json:"build_flavor"`
		}
	}
	header, err := c.read(ctx, Request{
		Path: "/_nodes/_local", Query: url.Values{"filter_path": {"nodes.*.version,nodes.*.build_flavor"}},
	}, &reply)
	if err != nil {
		return Engine{}, err
	}
	d, v := product(header)
	e := Engine{Distribution: d, Version: v}
	for _, n := range reply.Nodes {
		if e.Version == "" {
			e.Version = n.Version
		}
		e.Flavor = n.BuildFlavor
	}
	return e, nil
}

// product is what the headers of a reply say.
func product(h http.Header) (distribution, version string) {
	switch {
	case h.Get("X-Elastic-Product") != "":
		return "elasticsearch", ""
	case h.Get("X-OpenSearch-Version") != "":
		// "OpenSearch/2.19.0 (opensearch)"
		fmt.Sscanf(h.Get("X-OpenSearch-Version"), "OpenSearch/%s", &version)
		return "opensearch", version
	}
	return "", ""
}

// read is CallOnce for a GET that wants the headers too.
func (c *Client) read(ctx context.Context, r Request, into any) (http.Header, error) {
	resp, err := c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", r.Path, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return nil, fmt.Errorf("GET %s: this is no search cluster: %w", r.Path, err)
	}
	return resp.Header, nil
}
