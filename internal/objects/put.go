package objects

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// The limits of S3.
const (
	MinPart  = 5 << 20 // bytes of a part that is not the last
	MaxPart  = 5 << 30
	MaxParts = 10_000 // of one object
)

// New says what an object is to be, beside its bytes. What is empty is what the
// store makes of it.
type New struct {
	Key         string
	ContentType string
	Meta        map[string]string // user metadata: lower-case names, ASCII values
	Absent      bool              // it is to be made only if there is none: else ErrPrecondition
	Match       string            // it is to replace the object of this ETag alone: else ErrPrecondition, or ErrNotFound

	CacheControl       string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	StorageClass       string
	ACL                string            // a canned one: private, bucket-owner-full-control, …
	Encryption         string            // on the server: AES256, aws:kms, aws:kms:dsse
	KMSKey             string            // id or ARN, with aws:kms
	Tags               map[string]string // at most 10
	LockMode           string            // GOVERNANCE, COMPLIANCE: it cannot be changed until LockUntil
	LockUntil          time.Time
	LegalHold          bool // it cannot be changed until the hold is lifted

	Journal Journal           // is told of each upload in parts; may be nil
	Made    func(etag string) // is told the ETag once the object is made; may be nil
}

// Journal is told of uploads in parts, so that what a process that dies leaves
// behind can be found. Its errors end the making of the object.
type Journal interface {
	// Beginning comes before the first request to begin an upload.
	Beginning() error

	// Begun comes before anything is sent to the upload. If it is not sure,
	// the store may have others under the key, of tries whose replies were lost.
	Begun(upload string, sure bool) error
}

// made tells of an object that was made.
func (n *New) made(etag string) {
	if n.Made != nil {
		n.Made(unquote(etag))
	}
}

// headers gives what requests say of the object that is made.
func (n *New) headers() http.Header {
	h := make(http.Header, len(n.Meta)+8)
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	set("Content-Type", n.ContentType)
	set("Cache-Control", n.CacheControl)
	set("Content-Encoding", n.ContentEncoding)
	set("Content-Disposition", n.ContentDisposition)
	set("Content-Language", n.ContentLanguage)
	set("X-Amz-Storage-Class", n.StorageClass)
	set("X-Amz-Acl", n.ACL)
	set("X-Amz-Server-Side-Encryption", n.Encryption)
	set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", n.KMSKey)
	if len(n.Tags) > 0 {
		tags := url.Values{}
		for name, value := range n.Tags {
			tags.Set(name, value)
		}
		set("X-Amz-Tagging", tags.Encode())
	}
	if n.LockMode != "" {
		set("X-Amz-Object-Lock-Mode", n.LockMode)
		set("X-Amz-Object-Lock-Retain-Until-Date", n.LockUntil.UTC().Format(time.RFC3339))
	}
	if n.LegalHold {
		set("X-Amz-Object-Lock-Legal-Hold", "ON")
	}
	for name, value := range n.Meta {
		h.Set(metaHeader+name, value)
	}
	return h
}

// locked says whether the object is to be locked, which needs a checksum.
func (n *New) locked() bool { return n.LockMode != "" || n.LegalHold }

// conditional adds the condition to the request that makes the object visible.
func (n *New) conditional(h http.Header) {
	if n.Absent {
		h["If-None-Match"] = []string{"*"}
	}
	if n.Match != "" {
		h["If-Match"] = []string{`"` + n.Match + `"`}
	}
}

// Put makes an object of body in one request. With n.Absent, [ErrPrecondition]
// may also mean that an earlier try succeeded and its reply was lost.
func (c *Client) Put(ctx context.Context, n New, body []byte) error {
	h := n.headers()
	n.conditional(h)
	c.sum(h, body, n.locked())
	err := c.do(ctx, &request{op: "PutObject", method: http.MethodPut, key: n.Key, header: h, body: body}, func(resp *http.Response) error {
		n.made(resp.Header.Get("ETag"))
		return nil
	})
	if err != nil {
		return fmt.Errorf("put %s: %w", c.Name(n.Key), err)
	}
	return nil
}
