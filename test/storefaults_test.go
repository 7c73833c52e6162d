package test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/test/faultproxy"
)

// copying is two buckets, and proxies before them.
type copying struct {
	from, to *bucket
	in, out  *faultproxy.Proxy
	want     map[string]string
}

// newCopying makes a bucket of small objects, and of some in several parts.
func newCopying(t *testing.T) *copying {
	t.Helper()
	c := &copying{from: newBucket(t), to: newBucket(t), want: map[string]string{}}
	c.in, c.out = faultproxy.New(t, c.from.store.Endpoint), faultproxy.New(t, c.to.store.Endpoint)
	for i := range 60 {
		size := 1 + 997*i
		if i%20 == 7 {
			size = 11<<20 + i
		}
		body := make([]byte, size)
		rand.NewChaCha8([32]byte{byte(i)}).Read(body)
		key := fmt.Sprintf("in/%02d é+%%", i)
		c.want[key] = string(body)
		c.from.put(t, key, body)
	}
	return c
}

// job copies the objects through both proxies.
func (c *copying) job(t *testing.T, more ...string) *job {
	t.Helper()
	return newJob(t, pipelines(entry("copy", c.from.stage(c.in.URL, "prefix: in/"), "[]", c.to.stage(c.out.URL, `key: "{key}"`, "part: 5MiB"), more...)))
}

// copied fails unless the objects are there, exactly, and nothing else is.
func (c *copying) copied(t *testing.T, want map[string]string) {
	t.Helper()
	got := c.to.objects(t, "in/")
	for key := range want {
		if got[key] != want[key] {
			t.Errorf("%q: got %d bytes, or others, want %d", key, len(got[key]), len(want[key]))
		}
	}
	if len(got) != len(want) {
		t.Errorf("got objects %q, want %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	if u := c.to.uploads(t); len(u) > 0 {
		t.Errorf("uploads are left: %v", u)
	}
}

// sometimes matches requests at random, so many of a hundred.
func sometimes(percent int) func(*http.Request) bool {
	return func(*http.Request) bool { return rand.IntN(100) < percent }
}

// short makes the reply's body end early; honest is whether its header says so.
func short(honest bool) func(*http.Response) {
	return func(r *http.Response) {
		if r.ContentLength < 2 {
			return
		}
		n := rand.Int64N(r.ContentLength)
		r.Body = io.NopCloser(io.LimitReader(r.Body, n))
		if honest {
			r.ContentLength = n
			r.Header.Set("Content-Length", strconv.FormatInt(n, 10))
		}
	}
}

// TestFaultsOfTheStoreAreSurvived: what is copied is exact.
func TestFaultsOfTheStoreAreSurvived(t *testing.T) {
	long(t)
	object := func(r *http.Request) bool { return r.Method == "GET" && strings.Contains(r.URL.Path, "/in/") }
	for name, f := range map[string]struct{ in, out []*faultproxy.Rule }{
		"a storm of 503": {
			in:  []*faultproxy.Rule{{Times: -1, Match: sometimes(40), Status: 503, Body: slowDown}},
			out: []*faultproxy.Rule{{Times: -1, Match: sometimes(40), Status: 503, Body: slowDown}}},
		"a storm of 503 with Retry-After": {
			in:  []*faultproxy.Rule{{Times: 20, Match: sometimes(20), Status: 503, Header: map[string]string{"Retry-After": "1"}, Body: slowDown}},
			out: []*faultproxy.Rule{{Times: 20, Match: sometimes(20), Status: 503, Header: map[string]string{"Retry-After": "1"}, Body: slowDown}}},
		"replies of writes are lost": {
			out: []*faultproxy.Rule{{Times: -1, Match: func(r *http.Request) bool {
				return r.Method != "GET" && r.Method != "HEAD" && !r.URL.Query().Has("uploads") && rand.IntN(4) == 0
			}, Late: true, Cut: true}}},
		"a stall in the middle of a body": {
			in: []*faultproxy.Rule{{Match: object, Skip: 7, CutAfter: 4000, Delay: 80 * time.Second}}},
		"bodies that are shorter than they say": {
			in: []*faultproxy.Rule{{Times: 20, Match: object, Edit: short(false)}}},
		"200 with an error on Complete": {
			out: []*faultproxy.Rule{{Method: "POST", Query: "uploadId=", Times: 4, Status: 200, Body: internals}}},
		"pages of the listing are cut": {
			in: []*faultproxy.Rule{{Method: "GET", Query: "list-type=2", Times: 3, CutAfter: 900}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCopying(t)
			for _, r := range f.in {
				c.in.Add(r)
			}
			for _, r := range f.out {
				c.out.Add(r)
			}
			c.job(t).want(t, 0, "copy")
			for _, r := range append(f.in, f.out...) {
				if r.Hits() == 0 {
					t.Error("a fault did not happen")
				}
			}
			c.copied(t, c.want)
		})
	}
}

// TestConnectionsThatBreakAtRandomBytesAreSurvived cuts every other body.
func TestConnectionsThatBreakAtRandomBytesAreSurvived(t *testing.T) {
	long(t)
	c := newCopying(t)
	for i := range 40 {
		c.in.Add(&faultproxy.Rule{Method: "GET", Skip: 2 * i, CutAfter: 1 + rand.Int64N(60_000)})
		c.out.Add(&faultproxy.Rule{Method: "PUT", Skip: 2 * i, Cut: true, Late: i%2 == 0})
	}
	o := c.job(t).want(t, 0, "copy")
	c.copied(t, c.want)
	if n := o.Reports["copy"].Retries; len(n) < 2 {
		t.Errorf("got retries %v, want several causes", n)
	}
}

// TestAShortBodyThatSaysSoIsNoObject: its length is not what was listed.
func TestAShortBodyThatSaysSoIsNoObject(t *testing.T) {
	long(t)
	c := newCopying(t)
	fault := c.in.Add(&faultproxy.Rule{Method: "GET", Path: "in/33", Times: -1, Edit: short(true)})
	j := c.job(t)
	o := j.want(t, 1, "copy")
	o.says(t, "in/33", "unexpected EOF")
	if fault.Hits() == 0 {
		t.Fatal("the fault did not happen")
	}
	c.in.Clear()
	j.want(t, 0, "copy")
	c.copied(t, c.want)
}

// TestCredentialsThatExpireInAnUploadAreRenewed: the store refuses them between
// two parts, and the program that gives credentials is asked again.
func TestCredentialsThatExpireInAnUploadAreRenewed(t *testing.T) {
	long(t)
	c := newCopying(t)
	const expired = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>`
	fault := c.out.Add(&faultproxy.Rule{Method: "PUT", Query: "partNumber=2", Status: 400, Body: expired})
	sink := strings.NewReplacer("access_key: "+c.to.store.AccessKey, "profile: rotating", ", secret_key: "+c.to.store.SecretKey, "").
		Replace(c.to.stage(c.out.URL, `key: "{key}"`, "part: 5MiB"))
	j := newJob(t, pipelines(entry("copy", c.from.stage(c.in.URL, "prefix: in/"), "[]", sink)))
	asked, config := filepath.Join(j.dir, "asked"), filepath.Join(j.dir, "aws")
	script := fmt.Sprintf("#!/bin/sh\necho asked >>%s\necho '{\"Version\":1,\"AccessKeyId\":%q,\"SecretAccessKey\":%q,\"Expiration\":\"2099-01-01T00:00:00Z\"}'\n",
		asked, c.to.store.AccessKey, c.to.store.SecretKey)
	if err := os.WriteFile(filepath.Join(j.dir, "give"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte("[profile rotating]\ncredential_process = "+filepath.Join(j.dir, "give")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	j.env = []string{"AWS_CONFIG_FILE=" + config, "AWS_SHARED_CREDENTIALS_FILE=/dev/null"}
	j.want(t, 0, "copy")
	b, err := os.ReadFile(asked)
	if err != nil || bytes.Count(b, []byte("\n")) < 2 || fault.Hits() == 0 {
		t.Errorf("the program was asked %q, %v, the fault happened %d times, want it asked again", b, err, fault.Hits())
	}
	c.copied(t, c.want)
}

// unconditional lets a store ignore conditions: requests lose them on the way,
// which no signature covers.
func unconditional(r *http.Request) bool {
	r.Header.Del("If-None-Match")
	if r.Method != "GET" && r.Method != "HEAD" {
		r.Header.Del("If-Match")
	}
	return false
}

// TestAStoreThatIgnoresConditionsIsWrittenExactly also when replies are lost.
func TestAStoreThatIgnoresConditionsIsWrittenExactly(t *testing.T) {
	long(t)
	c := newCopying(t)
	c.out.Add(&faultproxy.Rule{Match: unconditional})
	for i := range 20 {
		c.out.Add(&faultproxy.Rule{Method: "PUT", Skip: 3 * i, Cut: true, Late: true})
	}
	c.job(t).want(t, 0, "copy").says(t, "does not honour If-None-Match")
	c.copied(t, c.want)
}

var contents = regexp.MustCompile(`(?s)<Contents>.*?</Contents>`)

// TestAListingThatRepeatsAKeyIsAnError: who goes on after the key would miss
// what comes late.
func TestAListingThatRepeatsAKeyIsAnError(t *testing.T) {
	long(t)
	c := newCopying(t)
	repeat := rewrite(func(b []byte) []byte {
		all := contents.FindAllIndex(b, -1)
		if len(all) < 10 {
			return b
		}
		return slices.Concat(b[:all[9][0]], b[all[5][0]:all[5][1]], b[all[9][0]:])
	})
	fault := c.in.Add(&faultproxy.Rule{Method: "GET", Query: "list-type=2", Times: -1, Edit: repeat})
	j := c.job(t)
	o := j.want(t, 1, "copy")
	o.says(t, "not in order", "in/0")
	if fault.Hits() == 0 {
		t.Fatal("the fault did not happen")
	}
	c.in.Clear()
	j.want(t, 0, "copy")
	c.copied(t, c.want)
}

// TestAKeyThatAListingOmitsIsFoundByTheNext in both modes.
func TestAKeyThatAListingOmitsIsFoundByTheNext(t *testing.T) {
	long(t)
	for _, mode := range []string{"full", "new"} {
		t.Run(mode, func(t *testing.T) {
			c := newCopying(t)
			fault := c.in.Add(&faultproxy.Rule{Method: "GET", Query: "list-type=2", Times: -1, Edit: rewrite(func(b []byte) []byte {
				return contents.ReplaceAllFunc(b, func(entry []byte) []byte {
					if bytes.Contains(entry, []byte("in/31")) || bytes.Contains(entry, []byte("in%2F31")) {
						return nil
					}
					return entry
				})
			})})
			j := c.job(t, "mode: "+mode)
			j.want(t, 0, "copy")
			most := maps.Clone(c.want)
			maps.DeleteFunc(most, func(key, _ string) bool { return strings.HasPrefix(key, "in/31") })
			c.copied(t, most)
			if fault.Hits() == 0 || len(most) != len(c.want)-1 {
				t.Fatal("the fault did not happen")
			}
			c.in.Clear()
			o := j.want(t, 0, "copy")
			c.copied(t, c.want)
			if n := o.Reports["copy"].Objects.Read; mode == "new" && n != 1 {
				t.Errorf("the next pass read %d objects, want 1", n)
			}
		})
	}
}

// TestAnObjectThatIsNeverReadableIsReported: the run fails, or is partial with
// a dead letter, as on_error says; the others arrive, and it does once it can
// be read.
func TestAnObjectThatIsNeverReadableIsReported(t *testing.T) {
	long(t)
	for name, f := range map[string]struct {
		rule   *faultproxy.Rule
		option string
		status int
	}{
		"500, stop":        {&faultproxy.Rule{Status: 500, Body: internals}, "on_error: stop", 1},
		"500, dead letter": {&faultproxy.Rule{Status: 500, Body: internals}, "on_error: dead_letter", 3},
		"403, dead letter": {&faultproxy.Rule{Status: 403, Body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>`}, "on_error: dead_letter", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCopying(t)
			f.rule.Method, f.rule.Path, f.rule.Times = "GET", "in/31", -1
			c.in.Add(f.rule)
			j := newJob(t, pipelines(entry("copy", c.from.stage(c.in.URL, "prefix: in/", "retry: 1s"), "[]", c.to.stage(c.out.URL, `key: "{key}"`, "part: 5MiB"),
				f.option, "mode: new", "dead_letters: {file: {path: ./dead}}")))
			o := j.want(t, f.status, "copy")
			if f.status == 1 {
				o.says(t, "in/31")
			} else {
				if l := j.letters(t, "copy"); len(l) != 1 || !strings.Contains(l[0].Reason, "in/31") {
					t.Errorf("got letters %+v, want one for the object", l)
				}
				most := maps.Clone(c.want)
				maps.DeleteFunc(most, func(key, _ string) bool { return strings.HasPrefix(key, "in/31") })
				c.copied(t, most)
				if r := o.Reports["copy"]; r.Outcome != "partial" {
					t.Errorf("report %+v, want it partial", r)
				}
			}
			c.in.Clear()
			j.want(t, 0, "copy")
			c.copied(t, c.want)
		})
	}
}
