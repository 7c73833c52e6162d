package objects

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"sluice/internal/awscreds"
	"sluice/internal/pace"
)

// Client talks to one bucket. Its methods may be called from several goroutines.
type Client struct {
	config  Config
	bucket  string
	where   where
	place   place // of the bucket
	profile profile
	http    *http.Transport // shared
	close   func()
	creds   *awscreds.Provider
	signer  *v4.Signer
	retry   time.Duration
	stall   time.Duration
	limits  pace.Limits
	gates   [classes]pace.Gate
	skew    atomic.Int64 // what the store's clock is ahead of ours, in nanoseconds
	reached atomic.Bool  // the store has answered
	read    atomic.Int64 // when an object was opened last; 0: never
	known   known
}

// Client makes a client. It does no input or output but for reading the files of
// the shared AWS configuration. It is to be closed. The number of requests at a
// time needs no saying: connections are shared, and kept as they were needed.
func (c *Config) Client(ctx context.Context, _ int) (*Client, error) {
	stall := cmp.Or(c.stall, time.Minute)
	cfg, err := c.Load(ctx, c.Region, config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(tune(stall))))
	if err != nil {
		return nil, err
	}
	client := &Client{
		config: *c, bucket: c.Bucket, where: newWhere(cfg, c), profile: c.profile(), retry: time.Duration(c.Retry), stall: stall, limits: c.Limit.Limits(),
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }), // keys are encoded already
	}
	if client.place, err = client.where.bucket(ctx, c.Bucket); err != nil {
		return nil, err
	}
	var release func()
	client.http, release = transports.get(cfg.HTTPClient, stall)
	client.close = sync.OnceFunc(release)
	cfg.HTTPClient = &http.Client{Transport: client.http, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	client.creds = c.Config.Provider(cfg)
	return client, nil
}

// Close closes connections that are not in use, once no other client shares
// them. It may be called again.
func (c *Client) Close() { c.close() }

// Bucket is the name of the bucket.
func (c *Client) Bucket() string { return c.bucket }

// Name is how errors call an object.
func (c *Client) Name(key string) string { return c.bucket + "/" + key }
