package objects

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Begin begins an upload in parts and returns its id, also with an error of
// n.Journal. A reply that is lost leaves an upload behind whose id nobody knows.
func (c *Client) Begin(ctx context.Context, n New) (upload string, err error) {
	h := n.headers()
	if c.profile.checksum == sumCRC32C { // without it, AWS takes no checksums of parts
		h["X-Amz-Checksum-Algorithm"] = []string{"CRC32C"}
	}
	if n.Journal != nil {
		if err := n.Journal.Beginning(); err != nil {
			return "", err
		}
	}
	var reply struct{ UploadId string }
	r := &request{op: "CreateMultipartUpload", method: http.MethodPost, key: n.Key, query: query("uploads", ""), header: h}
	err = c.document(ctx, r, &reply)
	if err == nil && reply.UploadId == "" {
		err = errors.New("the store gave no upload id")
	}
	if err != nil {
		return "", fmt.Errorf("put %s: begin upload: %w", c.Name(n.Key), err)
	}
	if n.Journal != nil {
		err = n.Journal.Begun(reply.UploadId, r.sent == 1)
	}
	return reply.UploadId, err
}

// Part uploads part number n, from 1 on, of an upload, and returns what
// Complete is to be told of it: its ETag, and its checksum where the store is
// given one.
func (c *Client) Part(ctx context.Context, key, upload string, n int, body []byte) (etag string, err error) {
	if n > c.profile.maxParts {
		return "", fmt.Errorf("put %s: the store takes no more than %d parts of one object", c.Name(key), c.profile.maxParts)
	}
	h := http.Header{}
	c.sum(h, body, false)
	r := &request{op: "UploadPart", method: http.MethodPut, key: key, query: part(upload, n), header: h, body: body}
	err = c.do(ctx, r, func(resp *http.Response) error {
		if etag = resp.Header.Get("ETag"); etag == "" {
			return errors.New("the store gave no ETag")
		}
		if sum := h.Get(crc32cHeader); sum != "" {
			etag += " " + sum
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("put %s: part %d: %w", c.Name(key), n, err)
	}
	return etag, nil
}

func part(upload string, n int) string {
	return query("partNumber", strconv.Itoa(n), "uploadId", upload)
}

// completion is the document that names the parts of an object.
type completion struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUpload"`
	Part    []completedPart
}

type completedPart struct {
	ChecksumCRC32C string `xml:",omitempty"`
	ETag           string
	PartNumber     int
}

// Complete makes the object of an upload of its parts, of which it takes what
// Part returned, in order. [ErrNoUpload] and, with n.Absent, [ErrPrecondition]
// may also mean that an earlier try succeeded and its reply was lost.
func (c *Client) Complete(ctx context.Context, n New, upload string, etags []string) error {
	doc := completion{Part: make([]completedPart, len(etags))}
	for i, e := range etags {
		p := completedPart{PartNumber: i + 1}
		p.ETag, p.ChecksumCRC32C, _ = strings.Cut(e, " ")
		doc.Part[i] = p
	}
	body, err := xml.Marshal(doc)
	if err != nil {
		return fmt.Errorf("put %s: complete: %w", c.Name(n.Key), err)
	}
	h := http.Header{"Content-Type": {"application/xml"}}
	n.conditional(h)
	var reply struct {
		XMLName xml.Name `xml:"CompleteMultipartUploadResult"`
		ETag    string
	}
	r := &request{op: "CompleteMultipartUpload", method: http.MethodPost, key: n.Key, query: query("uploadId", upload), header: h, body: body}
	if err := c.document(ctx, r, &reply); err != nil {
		return fmt.Errorf("put %s: complete: %w", c.Name(n.Key), err)
	}
	n.made(reply.ETag)
	return nil
}

// Abort removes an upload and its parts. One that is gone is no error.
func (c *Client) Abort(ctx context.Context, key, upload string) error {
	err := c.document(ctx, &request{op: "AbortMultipartUpload", method: http.MethodDelete, key: key, query: query("uploadId", upload)}, nil)
	if e, ok := err.(*Error); ok && e.Status == 404 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("abort upload of %s: %w", c.Name(key), err)
	}
	return nil
}

// Empty says whether an upload has no part yet. It fails with [ErrNoUpload] if
// there is none.
func (c *Client) Empty(ctx context.Context, key, upload string) (bool, error) {
	var reply struct {
		XMLName xml.Name `xml:"ListPartsResult"`
		Part    []struct{ PartNumber int }
	}
	r := &request{op: "ListParts", key: key, query: query("max-parts", "1", "uploadId", upload)}
	if err := c.document(ctx, r, &reply); err != nil {
		return false, fmt.Errorf("list parts of %s: %w", c.Name(key), err)
	}
	return len(reply.Part) == 0, nil
}

// uploadList is a page of a listing of uploads.
type uploadList struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	IsTruncated        bool
	EncodingType       string
	NextKeyMarker      string
	NextUploadIdMarker string
	Upload             []struct {
		Key       string
		UploadId  string
		Initiated time.Time
	}
}

// Uploads calls f for the uploads of keys with a prefix that were begun and not
// ended, until f fails. f may abort them.
func (c *Client) Uploads(ctx context.Context, prefix string, f func(key, id string, begun time.Time) error) error {
	key, id := "", ""
	for {
		var page uploadList
		q := query("uploads", "", "encoding-type", "url", "key-marker", key, "prefix", prefix, "upload-id-marker", id)
		if err := c.document(ctx, &request{op: "ListMultipartUploads", query: q}, &page); err != nil {
			return fmt.Errorf("list uploads of %s: %w", c.Name(prefix), err)
		}
		decode := func(s string) (string, error) { return s, nil }
		if page.EncodingType == "url" {
			decode = url.QueryUnescape
		}
		for _, u := range page.Upload {
			k, err := decode(u.Key)
			if err != nil {
				return fmt.Errorf("list uploads of %s: key %q: %w", c.Name(prefix), u.Key, err)
			}
			if !strings.HasPrefix(k, prefix) {
				continue
			}
			if err := f(k, u.UploadId, u.Initiated); err != nil {
				return err
			}
		}
		if !page.IsTruncated {
			return nil
		}
		next, err := decode(page.NextKeyMarker)
		if err != nil || cmp.Or(cmp.Compare(next, key), cmp.Compare(page.NextUploadIdMarker, id)) == 0 {
			return fmt.Errorf("list uploads of %s: the store says that there is more after %q, but not how to ask for it", c.Name(prefix), key)
		}
		key, id = next, page.NextUploadIdMarker
	}
}
