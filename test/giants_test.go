package test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/test/faultproxy"
	"sluice/test/servers"
)

// ownEngine starts an OpenSearch that no other test uses, with settings of its
// own. It ends with the test.
func ownEngine(t *testing.T, settings ...string) cluster {
	t.Helper()
	servers.OpenSearch(t) // or the test is skipped
	ctx, cancel := within(5 * time.Minute)
	defer cancel()
	s, err := servers.StartOpenSearch(ctx, t.TempDir(), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return cluster{s.URL}
}

// giant makes a document whose source has size bytes, with much in it that a
// splitter could take for its end.
func giant(id string, size int) document {
	words := []string{`\"}`, `\\`, `]}}`, `,{\"_id\":\"7\"`, "träge ", `\n`, "0123456789abcdef"}
	const end = `","n":1.0}`
	r := rand.New(rand.NewPCG(uint64(size), 4))
	b := bytes.NewBuffer(make([]byte, 0, size))
	b.WriteString(`{"text":"`)
	for b.Len() < size-len(end)-20 {
		b.WriteString(words[r.IntN(len(words))])
	}
	for b.Len() < size-len(end) {
		b.WriteByte('.')
	}
	b.WriteString(end)
	return document{ID: id, Source: b.Bytes()}
}

// expected is what documents becomes of docs when they are read again.
func expected(t *testing.T, docs []document) documents {
	t.Helper()
	all := documents{}
	for _, d := range docs {
		if err := all.add(d); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestADocumentOf50MBIsRead: each way of reading takes it among small ones, in
// the memory that `sluice check` asks for.
func TestADocumentOf50MBIsRead(t *testing.T) {
	long(t)
	c := ownEngine(t, "http.max_content_length=400mb")
	index := unique(t)
	c.index(t, index, 1, `{"enabled":false}`)
	docs := slices.Insert(generated(4000, 700), 2000, giant("giant", 50<<20))
	c.put(t, index, docs)
	want := expected(t, docs)
	for _, read := range []string{"pit", "shared", "scroll", "sequence"} {
		t.Run(read, func(t *testing.T) {
			b := newBucket(t)
			j := newJob(t, "memory: 320MiB\n"+pipelines(dump("dump", searchStage(c.url, index, "read: "+read),
				b.stage(b.store.Endpoint, "key: "+rolled), "max_record: 64MiB", "lanes: 1")))
			o := j.want(t, 0, "dump")
			got := parse(t, b.lines(t, ""))
			same(t, "objects", got, want)
			t.Logf("peak %.1f MB, source of SHA-256 %x", float64(o.MaxRSS)/1e6, sha256.Sum256([]byte(got["giant|"])))
			if most := int64(320<<20 + 60e6); o.MaxRSS > most {
				t.Errorf("peak %d bytes, want at most %d", o.MaxRSS, most)
			}
		})
	}
}

// hugeBytes is the size of a source that is far over max_record.
const hugeBytes = 200e6

// huge is a document that becomes huge on its way from the cluster, in the
// midst of others: an engine with a small heap neither takes nor gives it.
var huge = document{ID: "huge", Source: []byte(`{"huge":true}`)}

// inflate makes the source of the document huge that is so.
func inflate(resp *http.Response) {
	rewrite(func(b []byte) []byte { return b })(resp)
	b, _ := io.ReadAll(resp.Body)
	before, after, ok := bytes.Cut(b, huge.Source)
	if !ok {
		resp.Body = io.NopCloser(bytes.NewReader(b))
		return
	}
	resp.ContentLength = -1
	resp.Header.Del("Content-Length")
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(before), strings.NewReader(`{"text":"`),
		io.LimitReader(endless{}, hugeBytes), strings.NewReader(`"}`), bytes.NewReader(after)))
}

// endless is a text without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "lorem ipsum {} "[i%15]
	}
	return len(p), nil
}

// TestADocumentOverMaxRecordIsADeadLetter: it is set aside, by its _id, and the
// others arrive; without dead letters the error names it. No more memory is
// needed for it than without it.
func TestADocumentOverMaxRecordIsADeadLetter(t *testing.T) {
	long(t)
	c := openSearch(t)
	index := unique(t)
	c.index(t, index, 1, "")
	small := generated(4000, 700)
	c.put(t, index, slices.Insert(slices.Clone(small), 2000, huge))
	want := expected(t, small)
	p := faultproxy.New(t, c.url)
	inflated := p.Add(&faultproxy.Rule{Match: anyPage, Times: -1, Edit: inflate})
	for _, read := range []string{"pit", "shared", "scroll", "sequence"} {
		t.Run(read, func(t *testing.T) {
			b := newBucket(t)
			source := searchStage(p.URL, index, "read: "+read)
			sink := func(prefix string) string {
				return b.stage(b.store.Endpoint, `key: "`+prefix+`{lane}-{sequence}.gz"`)
			}
			j := newJob(t, pipelines(
				dump("letters", source, sink("letters/"), "dead_letters: {file: {path: ./dead}}"),
				dump("none", source, sink("none/"))))
			o := j.want(t, 3, "letters")
			if r := o.Reports["letters"]; r.Outcome != "partial" || r.Records.Dead != 1 || r.Records.Written != int64(len(small)) {
				t.Errorf("report %+v", r)
			}
			letters := j.letters(t, "letters")
			if len(letters) != 1 || !strings.Contains(letters[0].Reason, `_id "huge"`) || !strings.Contains(letters[0].Reason, "max_record") {
				t.Errorf("dead letters %.500v, want one that names the _id", letters)
			}
			same(t, "objects", parse(t, b.lines(t, "letters/")), want)
			t.Logf("peak %.1f MB", float64(o.MaxRSS)/1e6)
			if o.MaxRSS > 80<<20+60e6 {
				t.Errorf("peak %d bytes, want at most 80 MiB + 60 MB", o.MaxRSS)
			}
			j.want(t, 1, "none").says(t, index, `_id "huge"`, "max_record", "dead_letters")
		})
	}
	if inflated.Hits() == 0 {
		t.Fatal("nothing was inflated")
	}
}

const tooLarge = `{"error":{"root_cause":[{"type":"circuit_breaking_exception","reason":"[parent] Data too large","bytes_wanted":734986522,"bytes_limit":637534208,"durability":"TRANSIENT"}],` +
	`"type":"circuit_breaking_exception","reason":"[parent] Data too large","bytes_wanted":734986522,"bytes_limit":637534208,"durability":"TRANSIENT"},"status":429}`

// breaker is a cluster that has room for a reply of at most so many bytes, or
// of one hit.
type breaker struct {
	room            int
	passed, refused atomic.Int64
}

func (b *breaker) edit(resp *http.Response) {
	rewrite(func(body []byte) []byte {
		if len(body) <= b.room || bytes.Count(body, []byte(`"_id":"`)) <= 1 {
			b.passed.Add(1)
			return body
		}
		b.refused.Add(1)
		resp.StatusCode = http.StatusTooManyRequests
		return []byte(tooLarge)
	})(resp)
}

// TestPagesAreAsSmallAsTheClusterNeeds: documents of which it can give but one
// at a time are read one by one, and those after them by many again.
func TestPagesAreAsSmallAsTheClusterNeeds(t *testing.T) {
	long(t)
	c := openSearch(t)
	index := unique(t)
	c.index(t, index, 1, `{"enabled":false}`)
	docs := generated(20000, 700)
	const large = 36
	for i := range large {
		docs = slices.Insert(docs, 3000, giant(fmt.Sprint("large-", i), 600<<10+i))
	}
	c.put(t, index, docs)
	want := expected(t, docs)
	for _, read := range []string{"pit", "shared", "sequence"} {
		t.Run(read, func(t *testing.T) {
			p, b := faultproxy.New(t, c.url), newBucket(t)
			room := &breaker{room: 900 << 10}
			p.Add(&faultproxy.Rule{Match: anyPage, Times: -1, Edit: room.edit})
			j := newJob(t, pipelines(dump("dump", searchStage(p.URL, index, "read: "+read),
				b.stage(b.store.Endpoint, `key: "{lane}-{sequence}.gz"`))))
			o := j.want(t, 0, "dump")
			same(t, "objects", parse(t, b.lines(t, "")), want)
			if n := room.refused.Load(); n == 0 || n >= large {
				t.Errorf("%d pages were refused, want some, but less than one for each large document", n)
			}
			t.Logf("%d pages, %d refused, %v, retries %v", room.passed.Load(), room.refused.Load(), o.Took, o.Reports["dump"].Retries)
		})
	}
}
