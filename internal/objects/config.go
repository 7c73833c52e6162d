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
	"fmt"
	"net/url"
	"strings"
	"time"

	"sluice/internal/awscreds"
	"sluice/internal/kind"
	"sluice/internal/pace"
	"sluice/internal/unit"
)

// Config is where a bucket is and how to get at it: the options that the s3
// source and the s3 sink share.
type Config struct {
	Bucket    string `yaml:"bucket" required:"true" doc:"Name of the bucket."`
	Prefix    string `yaml:"prefix" doc:"What keys begin with: the source reads the keys that begin so, the sink puts it before each key."`
	Endpoint  string `yaml:"endpoint" doc:"URL of a store that is not AWS, such as https://minio.example:9000."`
	Region    string `yaml:"region" default:"us-east-1" doc:"Region of the bucket."`
	PathStyle *bool  `yaml:"path_style" doc:"Bucket in the path instead of the host name; if it is not given, as stores of this kind want it: all but AWS in the path."`
	awscreds.Config
	Retry    unit.Duration `yaml:"retry" default:"5m" doc:"Time for which a request that fails is tried again."`
	Limit    pace.Limit    `yaml:"limit" doc:"What all lanes of this stage together may ask of the store and the network."`
	Provider string        `yaml:"provider" enum:"aws|minio|versitygw|ceph|garage|r2|gcs|b2|wasabi|other" doc:"Kind of the store, on which depends how it is asked; if it is not given, what the endpoint tells: aws without one, and other for a name that is not known."`
	Quirks   Quirks        `yaml:"quirks" doc:"What is different at this very store from others of its kind. sluice check shows what holds."`

	stall time.Duration // without a byte, after which a connection has failed; 0: a minute
}

// Problems checks the options that can be checked without the store.
func (c *Config) Problems() (list []kind.Problem) {
	add := func(option, format string, args ...any) {
		list = append(list, kind.Problem{Option: option, Message: fmt.Sprintf(format, args...)})
	}
	if strings.ContainsAny(c.Bucket, "/\\ \t\n?#") && !strings.HasPrefix(c.Bucket, "arn:") {
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
