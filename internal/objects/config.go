// Package objects is the S3 client that source and sink share: options and
// credentials, one tuned transport, retries that end, and errors that say what
// to do.
//
// Every call is tried again for as long as the option retry says, with full
// jitter, when its failure may pass: a busy server, a lost connection, a reply
// that was cut.
//
// Requests are made here and not by the SDK, which takes several times the CPU
// for each and fifteen times as much for a page of a listing; it gives
// credentials, signatures and the rules of endpoints.
package objects

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"sluice/internal/awscreds"
	"sluice/internal/kind"
	"sluice/internal/unit"
)

// Config is where a bucket is and how to get at it: the options that the s3
// source and the s3 sink share.
type Config struct {
	Bucket    string `yaml:"bucket" required:"true" doc:"Name of the bucket."`
	Prefix    string `yaml:"prefix" doc:"What keys begin with: the source reads the keys that begin so, the sink puts it before each key."`
	Endpoint  string `yaml:"endpoint" doc:"URL of a store that is not AWS, such as https://minio.example:9000."`
	Region    string `yaml:"region" default:"us-east-1" doc:"Region of the bucket."`
	PathStyle *bool  `yaml:"path_style" doc:"Bucket in the path instead of the host name; if it is not given, as with an endpoint."`
	awscreds.Config
	Retry unit.Duration `yaml:"retry" default:"5m" doc:"Time for which a request that fails is tried again."`

	stall time.Duration // without a byte, after which a connection has failed; 0: a minute
}

// Problems checks the options that can be checked without the store.
func (c *Config) Problems() (list []kind.Problem) {
	add := func(option, format string, args ...any) {
		list = append(list, kind.Problem{Option: option, Message: fmt.Sprintf(format, args...)})
	}
	if strings.ContainsAny(c.Bucket, "/\\ \t\n?#") {
		add("bucket", "%q is not the name of a bucket; what follows it belongs into prefix", c.Bucket)
	}
	if p := endpointProblem(c.Endpoint); p != "" {
		add("endpoint", "%s", p)
	}
	return append(list, c.Config.Problems()...)
}

// endpointProblem says what is wrong with an endpoint. It never repeats it:
// there may be a password in it.
func endpointProblem(endpoint string) string {
	if endpoint == "" {
		return ""
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "not a URL; write one as https://minio.example:9000"
	case u.User != nil:
		return "credentials in a URL end up in logs; use access_key and secret_key"
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "give only scheme, host and port; the rest belongs into bucket and prefix"
	}
	return ""
}

// Place names bucket and prefix, and the store if it is not AWS, without
// secrets: what positions and objects depend on.
func (c *Config) Place() string {
	return strings.TrimSuffix(c.Endpoint, "/") + " " + c.Bucket + "/" + c.Prefix
}

// Client talks to one bucket. Its methods may be called from several goroutines.
type Client struct {
	config  Config
	bucket  string
	where   where
	place   place // of the bucket
	profile profile
	http    *http.Client
	creds   *awscreds.Provider
	signer  *v4.Signer
	retry   time.Duration
	skew    atomic.Int64 // what the store's clock is ahead of ours, in nanoseconds
	reached atomic.Bool  // the store has answered
	known   known
}

// Client makes a client for about conns requests at a time. It does no input
// or output but for reading the files of the shared AWS configuration.
func (c *Config) Client(ctx context.Context, conns int) (*Client, error) {
	base := awshttp.NewBuildableClient().WithTransportOptions(tune(conns, cmp.Or(c.stall, time.Minute)))
	cfg, err := c.Load(ctx, c.Region, config.WithHTTPClient(base))
	if err != nil {
		return nil, err
	}
	client := &Client{
		config: *c, bucket: c.Bucket, retry: time.Duration(c.Retry), profile: profiles[provider(c.Endpoint)],
		http: fixed(cfg.HTTPClient), where: newWhere(cfg, c),
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }), // keys are encoded already
	}
	if client.place, err = client.where.bucket(ctx, c.Bucket); err != nil {
		return nil, err
	}
	cfg.HTTPClient = client.http
	client.creds = c.Provider(cfg)
	return client, nil
}

// Close closes connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Bucket is the name of the bucket.
func (c *Client) Bucket() string { return c.bucket }

// Name is how errors call an object.
func (c *Client) Name(key string) string { return c.bucket + "/" + key }

// fixed is the client that the SDK has made ready (AWS_CA_BUNDLE), in a form
// whose transport nobody changes any more. It follows no redirects: they would
// be signed for another host.
func fixed(h config.HTTPClient) *http.Client {
	f := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if b, ok := h.(*awshttp.BuildableClient); ok {
		f.Transport = b.GetTransport()
	}
	return f
}
