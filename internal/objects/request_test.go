package objects_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"sluice/internal/objects"
	"sluice/internal/objects/objectstest"
)

// awkward are keys that clients like to change on their way, and how they are
// sent.
var awkward = map[string]string{
	"a//b": "a//b", "/a": "/a", "./a": "./a", "a/../b": "a/../b", "..": "..", "a/": "a/",
	"a b": "a%20b", "a+b": "a%2Bb", "100%": "100%25", "a%2Fb": "a%252Fb", "a?b#c": "a%3Fb%23c", "a&b=c;d": "a%26b%3Dc%3Bd",
	"\x01\x7f\n": "%01%7F%0A", "é": "%C3%A9", "\xff": "%FF", "🎉": "%F0%9F%8E%89", "a:b@c!$'()*,": "a%3Ab%40c%21%24%27%28%29%2A%2C", "~-._": "~-._",
}

func TestKeysAreSentAsTheyAre(t *testing.T) {
	var sent string
	cfg := stub(t, func(w http.ResponseWriter, r *http.Request) { sent = r.RequestURI })
	address := strings.TrimPrefix(cfg.Endpoint, "http://")
	hosts := cfg
	hosts.Bucket, hosts.Endpoint, hosts.PathStyle = "bucket", "http://s3.example", new(bool)
	paths, inHost := client(t, cfg), client(t, hosts)
	objects.SetDial(inHost, func() (net.Conn, error) { return net.Dial("tcp", address) })
	for key, want := range awkward {
		if err := paths.Put(t.Context(), objects.New{Key: key}, nil); err != nil || sent != "/b/"+want {
			t.Errorf("%q: got %s, %v, want /b/%s", key, sent, err, want)
		}
		if err := inHost.Put(t.Context(), objects.New{Key: key}, nil); err != nil || sent != "/"+want {
			t.Errorf("%q: got %s, %v, want /%s", key, sent, err, want)
		}
	}
}

func TestSignaturesOfAwkwardKeysAndQueriesAreRight(t *testing.T) {
	b := objectstest.New(t)
	c := client(t, b.Config(""))
	for key := range awkward {
		if !utf8.ValidString(key) && b.Store.Name != "versitygw" {
			continue // which AWS does not take, either
		}
		_, err := c.Head(t.Context(), key)
		e := new(objects.Error)
		if errors.As(err, &e) && e.Status == 403 { // the store may not take the key
			t.Errorf("%q: %v", key, err)
		}
		if _, err := list(c, t.Context(), key, ""); errors.As(err, &e) && e.Status == 403 {
			t.Errorf("list %q: %v", key, err)
		}
	}
}

func TestOnlyWhatNoProxyChangesIsSigned(t *testing.T) {
	var got http.Header
	var length int64
	c := client(t, stub(t, func(w http.ResponseWriter, r *http.Request) {
		got, length = r.Header, r.ContentLength
		io.Copy(io.Discard, r.Body)
	}))
	n := objects.New{Key: "k", ContentType: "text/csv", CacheControl: "x", Meta: map[string]string{"a": "b"}, Absent: true}
	if err := c.Put(t.Context(), n, []byte("1234")); err != nil {
		t.Fatal(err)
	}
	want := "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-a,"
	if auth := got.Get("Authorization"); !strings.Contains(auth, want) || !strings.Contains(auth, "/us-east-1/s3/aws4_request") {
		t.Errorf("got %s, want %s", auth, want)
	}
	if got.Get("If-None-Match") != "*" || got.Get("Cache-Control") != "x" || length != 4 || got.Get("Accept-Encoding") != "" {
		t.Errorf("got %v, %d bytes, want what is not signed, too", got, length)
	}
}

func TestAnErrorInAReplyOfSuccessIsAnError(t *testing.T) {
	calls := map[string]func(c *objects.Client) error{
		"complete": func(c *objects.Client) error {
			return c.Complete(t.Context(), objects.New{Key: "k"}, "id", []string{`"e"`})
		},
		"copy": func(c *objects.Client) error {
			return c.Copy(t.Context(), objects.New{Key: "k"}, objects.From{Bucket: "o", Object: objects.Object{Key: "k", VersionID: "v"}})
		},
		"delete":  func(c *objects.Client) error { return c.Delete(t.Context(), "k") },
		"version": func(c *objects.Client) error { return c.DeleteVersion(t.Context(), "k", "v") },
		"begin":   func(c *objects.Client) error { _, err := c.Begin(t.Context(), objects.New{Key: "k"}); return err },
		"abort":   func(c *objects.Client) error { return c.Abort(t.Context(), "k", "id") },
		"list":    func(c *objects.Client) error { _, _, err := c.Page(t.Context(), "", "", 1); return err },
		"set tags": func(c *objects.Client) error {
			return c.SetTags(t.Context(), "k", "", map[string]string{"a": "b"})
		},
	}
	good := map[string]string{
		"complete": "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>", "copy": "<CopyObjectResult><ETag>e</ETag></CopyObjectResult>",
		"begin": "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>", "list": page("", "", "k"),
	}
	for name, call := range calls {
		for body, want := range map[string]string{
			"  \n<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>no</Message></Error>": "200 AccessDenied: no",
			"<Error><Code>InternalError</Code></Error>":                                                  "",
			good[name][:len(good[name])/2]:                                                               "",
		} {
			if body == "" {
				continue
			}
			requests := 0
			c := client(t, stub(t, func(w http.ResponseWriter, r *http.Request) {
				if requests++; requests == 1 {
					io.WriteString(w, strings.TrimLeft(body, " \n"))
					return
				}
				io.WriteString(w, good[name])
			}))
			err := call(c)
			if want == "" && (err != nil || requests != 2) || want != "" && (err == nil || !strings.Contains(err.Error(), want) || requests != 1) {
				t.Errorf("%s: %q: got %v after %d requests, want %q", name, body, err, requests, want)
			}
		}
	}
}

// A store may answer before it has read the body: the caller uses its buffer
// again, and net/http may still be at it.
func TestABodyIsNotReadAfterItsRequest(t *testing.T) {
	body, end := objects.Payload([]byte("1234"))
	buf := make([]byte, 2)
	if n, err := body.Read(buf); n != 2 || err != nil {
		t.Errorf("got %d bytes, %v, want 2", n, err)
	}
	end()
	if n, err := body.Read(buf); n != 0 || err == nil || err == io.EOF {
		t.Errorf("got %d bytes, %v, want an error", n, err)
	}
}

func TestARefusalNamesThePermissionThatIsMissing(t *testing.T) {
	message := "Access Denied"
	status := 403
	header := http.Header{}
	c := client(t, stub(t, func(w http.ResponseWriter, r *http.Request) {
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>AccessDenied</Code><Message>%s</Message></Error>", message)
	}))
	o := objects.Object{Key: "k", VersionID: "v", Size: 1}
	calls := map[string]func() error{
		"s3:ListBucket on arn:aws:s3:::b)":          func() error { _, err := list(c, t.Context(), "p", ""); return err },
		"s3:GetObject on arn:aws:s3:::b/k; without": func() error { _, err := c.Head(t.Context(), "k"); return err },
		"s3:GetObjectVersion on arn:aws:s3:::b/k;":  func() error { _, err := c.Get(t.Context(), o, 0); return err },
		"s3:PutObject on arn:aws:s3:::b/k)":         func() error { return c.Put(t.Context(), objects.New{Key: "k"}, nil) },
		"s3:PutObject, s3:PutObjectTagging on":      func() error { return c.Put(t.Context(), objects.New{Key: "k", Tags: map[string]string{"a": "b"}}, nil) },
		"s3:AbortMultipartUpload on":                func() error { return c.Abort(t.Context(), "k", "id") },
		"s3:DeleteObject on":                        func() error { return c.Delete(t.Context(), "k") },
		"s3:DeleteObjectVersion on":                 func() error { return c.DeleteVersion(t.Context(), "k", "v") },
		"s3:GetObjectVersionTagging on":             func() error { _, err := c.Tags(t.Context(), "k", "v"); return err },
		"s3:GetBucketVersioning on arn:aws:s3:::b)": func() error { _, err := c.Versioned(t.Context()); return err },
		"s3:RestoreObject on":                       func() error { return c.Restore(t.Context(), o, 1, "") },
		"s3:ListBucketVersions on": func() error {
			return c.Versions(t.Context(), "", "", func(objects.Version) error { return nil })
		},
		"and s3:GetObject and s3:GetObjectTagging on what is copied": func() error {
			return c.Copy(t.Context(), objects.New{Key: "k"}, objects.From{Bucket: "o", Object: o})
		},
	}
	for want, call := range calls {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	message = "User: x is not authorized to perform: kms:GenerateDataKey on the KMS key"
	if err := c.Put(t.Context(), objects.New{Key: "k"}, nil); err == nil || !strings.Contains(err.Error(), "kms:Decrypt on the key, and kms:GenerateDataKey") {
		t.Errorf("got %v, want to be told of the key", err)
	}
	header.Set("X-Amz-Bucket-Region", "eu-central-1")
	for _, status = range []int{301, 400} {
		if _, err := c.Head(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "set region to eu-central-1") {
			t.Errorf("%d: got %v, want to be told the region", status, err)
		}
	}
	header.Set("X-Amz-Bucket-Region", "us-east-1")
	if _, err := c.Head(t.Context(), "k"); err == nil || strings.Contains(err.Error(), "set region") {
		t.Errorf("got %v, want nothing about the region, which is right", err)
	}
}
