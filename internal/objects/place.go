package objects

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/auth"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// place is where the requests for a bucket go, and for what they are signed.
type place struct {
	scheme, host    string
	path            string // before a key: "/", or "/bucket/"; as it is sent
	region, service string
	bucket          string
}

// where finds the places of buckets by the rules of AWS: regions, FIPS and
// dual-stack endpoints, ARNs of access points, and what the environment and the
// shared configuration say of endpoints.
type where struct {
	rules  s3.EndpointResolverV2
	params s3.EndpointParameters
}

// newWhere takes the settings of S3 from a configuration of the SDK.
func newWhere(cfg aws.Config, c *Config) where {
	var o s3.Options
	s3.NewFromConfig(cfg, func(settled *s3.Options) { o = *settled })
	p := s3.EndpointParameters{
		Region: &cfg.Region, ForcePathStyle: aws.Bool(c.profile().pathStyle), UseArnRegion: aws.Bool(o.UseARNRegion),
		UseFIPS: aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled), Accelerate: &o.UseAccelerate,
		UseDualStack: aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
		Endpoint:     o.BaseEndpoint,
	}
	if c.Endpoint != "" {
		p.Endpoint = &c.Endpoint
	}
	if p.Endpoint != nil {
		p.UseDualStack, p.Accelerate = nil, nil // which choose among those of AWS
	}
	return where{s3.NewDefaultEndpointResolverV2(), p.WithDefaults()}
}

// bucket gives the place of a bucket.
func (w where) bucket(ctx context.Context, name string) (place, error) {
	w.params.Bucket = &name
	e, err := w.rules.ResolveEndpoint(ctx, w.params)
	if err != nil {
		return place{}, fmt.Errorf("bucket %s: %w", name, err)
	}
	p := place{scheme: e.URI.Scheme, host: e.URI.Host, path: strings.TrimSuffix(e.URI.EscapedPath(), "/") + "/", region: *w.params.Region, service: "s3", bucket: name}
	options, _ := auth.GetAuthOptions(&e.Properties)
	for _, o := range options {
		if o.SchemeID != "sigv4" && o.SchemeID != auth.SchemeIDSigV4 { // the rules use the short form
			continue
		}
		if name, ok := smithyhttp.GetSigV4SigningName(&o.SignerProperties); ok {
			p.service = name
		}
		if region, ok := smithyhttp.GetSigV4SigningRegion(&o.SignerProperties); ok {
			p.region = region
		}
		return p, nil
	}
	if len(options) > 0 {
		return place{}, fmt.Errorf("bucket %s: it takes signatures that Sluice does not make (directory buckets and multi-region access points do)", name)
	}
	return p, nil
}

// url gives the URL of a key, or of the bucket for "". The key is encoded once,
// and nothing in it has a meaning: not "//", "..", "+" or "%".
func (p *place) url(key, query string) *url.URL {
	path := p.path
	if key == "" && len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	u := &url.URL{Scheme: p.scheme, Host: p.host, RawPath: path + escape(key), RawQuery: query}
	u.Path, _ = url.PathUnescape(u.RawPath) // which escape made
	return u
}

// escape encodes a key for a path, as signatures want it.
func escape(key string) string { return string(appendEscaped(make([]byte, 0, len(key)+16), key, true)) }

// appendEscaped encodes all but unreserved characters, and slashes if they may
// stay.
func appendEscaped(dst []byte, s string, slashes bool) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '.', b == '_', b == '~', b == '/' && slashes:
			dst = append(dst, b)
		default:
			dst = append(dst, '%', hex[b>>4], hex[b&15])
		}
	}
	return dst
}

// query makes the query of a request of names and values in turn. An empty value
// leaves its name out, unless it is the first: that says what is asked for.
func query(pairs ...string) string {
	var q []byte
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" && i > 0 {
			continue
		}
		if len(q) > 0 {
			q = append(q, '&')
		}
		q = append(appendEscaped(q, pairs[i], false), '=')
		q = appendEscaped(q, pairs[i+1], false)
	}
	return string(q)
}
