package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Info is what there is to know of an object without reading it.
type Info struct {
	Object
	Meta               map[string]string // of the user: names in lower case
	ContentType        string
	CacheControl       string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	Checksum           Checksum
	Parts              int // in which it was uploaded, if its ETag says so; else 0
	Tagged             int // how many tags it has, as a reply to GET says; 0 of HEAD may mean that the store did not say
}

// As is what an object is to be that is like this one, under a key. Its tags
// are not known.
func (i *Info) As(key string) New {
	return New{
		Key: key, ContentType: i.ContentType, Meta: i.Meta, CacheControl: i.CacheControl, ContentEncoding: i.ContentEncoding,
		ContentDisposition: i.ContentDisposition, ContentLanguage: i.ContentLanguage, StorageClass: i.Class,
	}
}

const (
	metaHeader    = "X-Amz-Meta-"
	versionHeader = "X-Amz-Version-Id"
)

// Head asks what an object is. The error is [ErrNotFound] if there is none.
func (c *Client) Head(ctx context.Context, key string) (Info, error) {
	return c.HeadVersion(ctx, key, "")
}

// HeadVersion is [Client.Head] of a version; "" is the current one.
func (c *Client) HeadVersion(ctx context.Context, key, versionID string) (Info, error) {
	return c.head(ctx, nil, key, versionID)
}

// head asks for an object of a bucket; nil is that of the client.
func (c *Client) head(ctx context.Context, bucket *place, key, version string) (info Info, err error) {
	r := &request{op: "HeadObject", method: http.MethodHead, key: key, bucket: bucket, header: http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}}
	if version != "" {
		r.query = query("versionId", version)
	}
	read := func(resp *http.Response) error {
		info = infoOf(key, resp)
		return nil
	}
	err = c.do(ctx, r, read)
	if denied := new(Error); errors.As(err, &denied) && denied.Status == http.StatusForbidden {
		r.header = nil // the checksum of what a key of KMS encrypts needs a permission of its own
		if c.do(ctx, r, read) == nil {
			err = nil
		}
	}
	if err != nil {
		return Info{}, fmt.Errorf("head %s: %w", c.Name(key), err)
	}
	return info, nil
}

// infoOf reads the headers of a reply.
func infoOf(key string, resp *http.Response) Info {
	h := resp.Header
	i := Info{
		Object: Object{
			Key: key, ETag: unquote(h.Get("ETag")), VersionID: versionID(h.Get(versionHeader)),
			Size: max(0, resp.ContentLength), Class: class(h.Get("X-Amz-Storage-Class")),
		},
		ContentType: h.Get("Content-Type"), CacheControl: h.Get("Cache-Control"), ContentEncoding: h.Get("Content-Encoding"),
		ContentDisposition: h.Get("Content-Disposition"), ContentLanguage: h.Get("Content-Language"),
		Checksum: checksumOf(h),
	}
	i.Tagged, _ = strconv.Atoi(h.Get("X-Amz-Tagging-Count"))
	if at, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
		i.Modified = at.Truncate(time.Second)
	}
	if _, n, ok := strings.Cut(i.ETag, "-"); ok {
		i.Parts, _ = strconv.Atoi(n)
	}
	for name, values := range h {
		if short, ok := strings.CutPrefix(name, metaHeader); ok {
			if i.Meta == nil {
				i.Meta = map[string]string{}
			}
			i.Meta[strings.ToLower(short)] = strings.Join(values, ",")
		}
	}
	return i
}
