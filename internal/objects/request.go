package objects

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
)

// request is one request, which may be sent several times.
type request struct {
	op     string      // of S3: "PutObject"
	method string      // GET if it is empty
	key    string      // "": the bucket
	query  string      // encoded
	header http.Header // besides what all requests have; not changed
	body   []byte      // not kept after the request
	bucket *place      // nil: that of the client
	sent   int         // how often it was
}

// mostReply is how many bytes of a reply that is read at once are taken.
const mostReply = 16 << 20

// do sends a request until it succeeds, cannot succeed, or has failed for too
// long. f takes the reply, whose body is closed when it returns; nil: the body
// says nothing. It may be called again: its error means that the reply is not
// to be believed. Sending must do no harm again: a reply that was lost may
// belong to a request that was carried out.
func (c *Client) do(ctx context.Context, r *request, f func(*http.Response) error) error {
	return c.try(ctx, func() error {
		resp, err := c.send(ctx, r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if f != nil {
			err = f(resp)
		}
		if err == nil { // what is left gives the connection back
			_, err = io.CopyN(io.Discard, resp.Body, mostReply)
		}
		if err == io.EOF {
			err = nil
		}
		return err
	})
}

// open is do for a reply whose body streams to the caller, who closes it.
func (c *Client) open(ctx context.Context, r *request) (resp *http.Response, err error) {
	err = c.try(ctx, func() (err error) {
		resp, err = c.send(ctx, r)
		return err
	})
	return resp, err
}

// document is do for a reply that is an XML document, or nothing, in v. An
// error may come in it though its status is 200: the store had begun to answer
// before it was done.
func (c *Client) document(ctx context.Context, r *request, v any) error {
	return c.do(ctx, r, func(resp *http.Response) error {
		body, err := readAll(resp)
		if err != nil {
			return err
		}
		if e := errorIn(resp, body); e != nil {
			return e
		}
		if v == nil {
			return nil
		}
		if err := xml.Unmarshal(body, v); err != nil {
			return unreadable(resp, err)
		}
		return nil
	})
}

// readAll reads a reply, which must be all there.
func readAll(resp *http.Response) ([]byte, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(resp.Body, mostReply+1))
	if err == nil && n > mostReply {
		err = fmt.Errorf("more than %d bytes", mostReply)
	}
	if err != nil {
		return nil, unreadable(resp, err)
	}
	return b.Bytes(), nil
}

// roundTrip is send without waiting.
func (c *Client) roundTrip(ctx context.Context, r *request) (*http.Response, error) {
	r.sent++
	creds, err := c.creds.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	p := &c.place
	if r.bucket != nil {
		p = r.bucket
	}
	sent := &payload{bytes: r.body, ctx: ctx, c: c}
	defer sent.end()
	req := c.build(sent.trace(ctx), r, p)
	if creds.AccessKeyID != "" { // right before it is sent: a signature grows old
		if err := c.signer.SignHTTP(ctx, creds, req, req.Header.Get(hashHeader), p.service, p.region, c.Now()); err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
	}
	r.unsigned(req, sent)
	resp, err := c.http.RoundTrip(req)
	if err != nil {
		return nil, unsent(err)
	}
	c.reached.Store(true)
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, c.refused(r, p, resp)
	}
	if c.limits.Bounded() {
		resp.Body = &slowBody{resp.Body, ctx, c.limits}
	}
	return resp, nil
}

const (
	hashHeader   = "X-Amz-Content-Sha256"
	crc32cHeader = "X-Amz-Checksum-Crc32c"
)

// build makes the request with the headers that are signed: the host, those of
// Amazon, and two that it wants to be signed. Proxies like to change others.
func (c *Client) build(ctx context.Context, r *request, p *place) *http.Request {
	method := r.method
	if method == "" {
		method = http.MethodGet
	}
	req := (&http.Request{
		Method: method, URL: p.url(r.key, r.query), Host: p.host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, len(r.header)+8),
	}).WithContext(ctx)
	for name, values := range r.header {
		if signed(name) {
			req.Header[name] = values
		}
	}
	hash := "UNSIGNED-PAYLOAD" // TLS guards the payload already; its hash costs more than all else
	if c.signsPayload() {
		sum := sha256.Sum256(r.body)
		hash = hex.EncodeToString(sum[:])
	}
	req.Header[hashHeader] = []string{hash}
	return req
}

// signsPayload says whether payloads are part of signatures.
func (c *Client) signsPayload() bool { return c.place.scheme == "http" && !c.profile.unsigned }

// signed says whether a header is part of the signature.
func signed(name string) bool {
	return len(name) > 6 && name[:6] == "X-Amz-" || name == "Content-Type" || name == "Content-Md5"
}

// unsigned adds the rest of a request to what was signed.
func (r *request) unsigned(req *http.Request, sent *payload) {
	for name, values := range r.header {
		if !signed(name) {
			req.Header[name] = values
		}
	}
	req.Header["User-Agent"] = []string{"sluice"}
	if len(r.body) == 0 {
		if req.Method == http.MethodPut || req.Method == http.MethodPost {
			req.Body = http.NoBody // which sends a length of 0
		}
		return
	}
	req.ContentLength = int64(len(r.body))
	req.Body, _ = sent.reader()
	req.GetBody = sent.reader
}

// sum adds the checksum to the headers of a request with a payload, so that the
// store sees whether it got what we sent. It is never a trailer: too many
// stores cannot read those. Where the payload is signed, that is a checksum; but
// AWS needs one of the usual kind for objects that are locked.
func (c *Client) sum(h http.Header, body []byte, needed bool) {
	switch {
	case c.profile.checksum == sumCRC32C:
		h[crc32cHeader] = []string{crc32c(body)}
	case c.profile.checksum == sumMD5 && !c.signsPayload() || needed:
		sum := md5.Sum(body)
		h["Content-Md5"] = []string{base64.StdEncoding.EncodeToString(sum[:])}
	}
}
