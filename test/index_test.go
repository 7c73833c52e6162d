package test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/test/servers"
)

// cluster is the real OpenSearch, asked without any of our code.
type cluster struct{ url string }

func openSearch(t *testing.T) cluster { return cluster{servers.OpenSearch(t)} }

// anyEngine is the search engine that the tests are run against.
func anyEngine(t *testing.T) cluster { return cluster{servers.Search(t).URL} }

// call makes a request and returns the body of its answer, which must be 2xx.
func (c cluster) call(t *testing.T, method, path, body string) []byte {
	t.Helper()
	status, b := c.ask(t, method, path, body)
	if status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, status, b)
	}
	return b
}

func (c cluster) ask(t *testing.T, method, path, body string) (int, []byte) {
	t.Helper()
	status, b, err := c.send(method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return status, b
}

// send is ask for where a test cannot end.
func (c cluster) send(method, path, body string) (status int, answer []byte, err error) {
	ctx, cancel := within(2 * time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// client keeps a connection for each of the writers of a test.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}

// index makes an empty index that goes with the test.
func (c cluster) index(t *testing.T, name string, shards int, mapping string) {
	t.Helper()
	if mapping == "" {
		mapping = `{"dynamic":false}`
	}
	c.call(t, "PUT", "/"+name, fmt.Sprintf(`{"settings":{"number_of_shards":%d,"number_of_replicas":0},"mappings":%s}`, shards, mapping))
	t.Cleanup(func() { c.ask(t, "DELETE", "/"+name, "") })
}

func (c cluster) count(t *testing.T, index string) (n int64) {
	t.Helper()
	c.call(t, "POST", "/"+index+"/_refresh", "")
	var r struct{ Count int64 }
	if err := json.Unmarshal(c.call(t, "GET", "/"+index+"/_count", ""), &r); err != nil {
		t.Fatal(err)
	}
	return r.Count
}

// document is a hit or an envelope line.
type document struct {
	Index   string          `json:"_index"`
	ID      string          `json:"_id"`
	Routing string          `json:"_routing"`
	Source  json.RawMessage `json:"_source"`
}

// documents maps _id and _routing to the bytes of _source.
type documents map[string]string

func (d documents) add(doc document) error {
	k := doc.ID + "|" + doc.Routing
	if _, twice := d[k]; twice {
		return fmt.Errorf("%s is there twice", k)
	}
	d[k] = oneLine(doc.Source)
	return nil
}

// oneLine is contract 10's exception: line ends outside of strings are blanks.
func oneLine(b []byte) string {
	return strings.NewReplacer("\n", " ", "\r", " ").Replace(string(bytes.TrimSpace(b)))
}

// documents reads a whole index, page by page; or that part of it that the
// parameters of the search say.
func (c cluster) documents(t *testing.T, index string, parameters ...string) documents {
	t.Helper()
	c.call(t, "POST", "/"+index+"/_refresh", "")
	all := documents{}
	page := c.call(t, "POST", "/"+index+"/_search?scroll=1m&"+strings.Join(parameters, "&"), `{"size":5000,"sort":["_doc"]}`)
	for {
		var r struct {
			ID   string `json:"_scroll_id"`
			Hits struct{ Hits []document }
		}
		if err := json.Unmarshal(page, &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Hits.Hits) == 0 {
			c.ask(t, "DELETE", "/_search/scroll/"+r.ID, "")
			return all
		}
		for _, d := range r.Hits.Hits {
			if err := all.add(d); err != nil {
				t.Fatal(err)
			}
		}
		page = c.call(t, "POST", "/_search/scroll", fmt.Sprintf(`{"scroll":"1m","scroll_id":%q}`, r.ID))
	}
}

// put indexes documents, given as lines of the envelope.
func (c cluster) put(t *testing.T, index string, docs []document) {
	t.Helper()
	var body bytes.Buffer
	flush := func() {
		if body.Len() == 0 {
			return
		}
		if b := c.call(t, "POST", "/_bulk", body.String()); !bytes.Contains(b, []byte(`"errors":false`)) {
			t.Fatalf("bulk: %.500s", b)
		}
		body.Reset()
	}
	for _, d := range docs {
		action := map[string]string{"_index": index, "_id": d.ID}
		if d.Routing != "" {
			action["routing"] = d.Routing
		}
		a, err := json.Marshal(map[string]any{"index": action})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&body, "%s\n%s\n", a, oneLine(d.Source))
		if body.Len() > 4<<20 {
			flush()
		}
	}
	flush()
	c.call(t, "POST", "/"+index+"/_refresh", "")
}

// generated makes n documents of about size bytes.
func generated(n, size int) []document {
	docs := make([]document, n)
	filler := strings.Repeat("the quick brown fox jumps over the lazy dog ", size/44+1)
	for i := range docs {
		source := fmt.Sprintf(`{"n":%d,"ratio":1.0,"big":9007199254740993,"message":%q}`, i, filler[i%40:max(i%40, size-70)])
		docs[i] = document{ID: fmt.Sprintf("%08d", i), Source: json.RawMessage(source)}
	}
	return docs
}

// real returns the lines of a file of real documents.
func realLines(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("SLUICE_DATA")
	if dir == "" {
		dir = "testdata"
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// parse reads lines of the envelope.
func parse(t *testing.T, lines []byte) documents {
	t.Helper()
	all := documents{}
	decode(t, lines, all.add)
	return all
}

// decode calls f for each line of the envelope.
func decode(t *testing.T, lines []byte, f func(document) error) {
	t.Helper()
	for line := range bytes.Lines(lines) {
		var d document
		if err := json.Unmarshal(line, &d); err != nil {
			t.Fatalf("%v: %.200s", err, line)
		}
		if err := f(d); err != nil {
			t.Fatal(err)
		}
	}
}

// same fails unless both hold the same documents, byte for byte.
func same(t *testing.T, what string, got, want documents) {
	t.Helper()
	bad := 0
	for k, w := range want {
		if g, ok := got[k]; !ok || g != w {
			if bad++; bad < 4 {
				t.Errorf("%s: %s is %.300q, want %.300q", what, k, g, w)
			}
		}
	}
	if len(got) != len(want) || bad > 0 {
		t.Fatalf("%s: %d documents, want %d; %d differ or are missing", what, len(got), len(want), bad)
	}
}
