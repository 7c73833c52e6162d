package objects

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
)

type tagging struct {
	XMLName xml.Name `xml:"Tagging"`
	TagSet  struct{ Tag []tag }
}

type tag struct{ Key, Value string }

// Tags gives the tags of a version of an object; "" is the current one.
func (c *Client) Tags(ctx context.Context, key, versionID string) (map[string]string, error) {
	tags, err := c.tags(ctx, nil, key, versionID)
	if err != nil {
		return nil, fmt.Errorf("tags of %s: %w", c.Name(key), err)
	}
	return tags, nil
}

func (c *Client) tags(ctx context.Context, bucket *place, key, versionID string) (map[string]string, error) {
	var doc tagging
	r := &request{op: "GetObjectTagging", key: key, query: query("tagging", "", "versionId", versionID), bucket: bucket}
	if err := c.document(ctx, r, &doc); err != nil {
		return nil, err
	}
	tags := make(map[string]string, len(doc.TagSet.Tag))
	for _, t := range doc.TagSet.Tag {
		tags[t.Key] = t.Value
	}
	return tags, nil
}

// SetTags replaces all tags of a version of an object; "" is the current one.
func (c *Client) SetTags(ctx context.Context, key, versionID string, tags map[string]string) error {
	var doc tagging
	for name, value := range tags {
		doc.TagSet.Tag = append(doc.TagSet.Tag, tag{name, value})
	}
	slices.SortFunc(doc.TagSet.Tag, func(a, b tag) int { return cmp.Compare(a.Key, b.Key) })
	err := c.putDocument(ctx, &request{
		op: "PutObjectTagging", method: http.MethodPut, key: key, query: query("tagging", "", "versionId", versionID),
	}, doc)
	if err != nil {
		return fmt.Errorf("tag %s: %w", c.Name(key), err)
	}
	return nil
}

// putDocument sends a request with a document, and the checksum that stores want
// of those.
func (c *Client) putDocument(ctx context.Context, r *request, doc any) error {
	body, err := xml.Marshal(doc)
	if err != nil {
		return err
	}
	sum := md5.Sum(body)
	r.body = body
	r.header = http.Header{"Content-Type": {"application/xml"}, "Content-Md5": {base64.StdEncoding.EncodeToString(sum[:])}}
	return c.document(ctx, r, nil)
}

type restoreRequest struct {
	XMLName              xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ RestoreRequest"`
	Days                 int      `xml:",omitempty"`
	GlacierJobParameters *glacierJob
}

type glacierJob struct{ Tier string }

// Restore asks for an archived object to be readable again, for some days, by a
// tier: Standard, Bulk or Expedited. It takes the store minutes or hours. One
// that is under way is no error.
func (c *Client) Restore(ctx context.Context, o Object, days int, tier string) error {
	doc := restoreRequest{Days: days}
	if o.Class == "INTELLIGENT_TIERING" { // it comes back for good
		doc.Days = 0
	}
	if tier != "" {
		doc.GlacierJobParameters = &glacierJob{tier}
	}
	err := c.putDocument(ctx, &request{
		op: "RestoreObject", method: http.MethodPost, key: o.Key, query: query("restore", "", "versionId", o.VersionID),
	}, doc)
	if e, ok := err.(*Error); ok && e.Code == "RestoreAlreadyInProgress" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("restore %s: %w", c.Name(o.Key), err)
	}
	return nil
}
