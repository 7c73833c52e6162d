package search

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Intercept lets f fail connections before they are made.
func (c *Client) Intercept(f func(address string) error) {
	t := c.http.Transport.(*http.Transport)
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := f(address); err != nil {
			return nil, err
		}
		return dial(ctx, network, address)
	}
}

// Seal signs a request as all requests to Amazon are, with the headers it has.
func Seal(a AWS, req *http.Request, hash string, now time.Time) error {
	creds := aws.Credentials{AccessKeyID: a.AccessKey.Reveal(), SecretAccessKey: a.SecretKey.Reveal(), SessionToken: a.SessionToken.Reveal()}
	return newSigner(a).seal(context.Background(), req, creds, hash, now)
}

// Sign signs a request with a payload now.
func Sign(ctx context.Context, a AWS, req *http.Request, payload []byte) error {
	return newSigner(a).sign(ctx, req, payload)
}

// Needs names the privilege for a call.
func Needs(method, path, engine string) string { return needs(method, path).by(engine) }

// DecoderMemory is what is reserved for a decoder.
const DecoderMemory = decoderMemory
