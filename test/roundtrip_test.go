package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestRealDocumentsComeBackByteForByte: objects go into indices and out again.
func TestRealDocumentsComeBackByteForByte(t *testing.T) {
	c, b := anyEngine(t), newBucket(t)
	want := map[string]documents{}
	for name, n := range map[string]int{"access-log": 9999, "nginx-status": 500} {
		lines := realLines(t, name+".ndjson.gz")
		if want[name] = parse(t, lines); len(want[name]) != n && os.Getenv("SLUICE_DATA") == "" {
			t.Fatalf("%s: %d documents, want %d", name, len(want[name]), n)
		}
		b.put(t, "in/"+name+".ndjson", lines)
	}
	for name, docs := range want {
		index := unique(t) + name
		c.index(t, index, 3, "")
		j := newJob(t, pipelines(
			load("load", b.stage(b.store.Endpoint, "prefix: in/"+name), searchStage(c.url, index)),
			dump("dump", searchStage(c.url, index), b.stage(b.store.Endpoint, `key: "out/{index}_s_{sequence}.json.gz"`)),
		))
		o := j.want(t, 0, "load")
		if r := o.Reports["load"]; r.Outcome != "complete" || r.Records.Written != int64(len(docs)) || r.Records.Read != r.Records.Written {
			t.Fatalf("load: %+v", r)
		}
		same(t, name+" in the index", c.documents(t, index), docs)

		j.want(t, 0, "dump")
		keys := b.keys(t, "out/"+index)
		named := regexp.MustCompile(`^out/` + regexp.QuoteMeta(index) + `_s_\d+\.json\.gz$`)
		for _, k := range keys {
			if !named.MatchString(k) {
				t.Errorf("key %s", k)
			}
		}
		lines := b.lines(t, "out/"+index)
		if n := int64(bytes.Count(lines, []byte{'\n'})); n != c.count(t, index) {
			t.Errorf("%d lines in %d objects, the index counts %d", n, len(keys), c.count(t, index))
		}
		same(t, name+" in the objects", parse(t, lines), docs)
		zcat(t, b.get(t, keys[0]))
	}
}

// zcat reads an object with the system's own program.
func zcat(t *testing.T, object []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "object.json.gz")
	if err := os.WriteFile(file, object, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("zcat", file).CombinedOutput(); err != nil {
		t.Errorf("zcat: %v: %.200s", err, out)
	}
}

// odd are sources that tools like to spoil.
var odd = []string{
	`{"a":1.0}`, `{"a":1e400}`, `{"a":9007199254740993}`, `{"a":0.10000000000000000001,"b":-0,"c":1E+2}`,
	"{\n  \"a\" : 1.0,\r\n\t\"b\" : [ 1,\n 2 ]\n}",
	"{\"a\":\"\u2028 and \u2029\"}", `{"a":"\u2028\/\ud83d\ude00\u0000\n\r\t\"\\"}`, `{"a":"}]{[\""}`,
	`{"_id":"inner","_source":{"_source":{}},"hits":{"hits":[]}}`, `{}`, `{"":""}`, `{"z":1,"a":2,"m":{"z":1,"a":[{},[],null,true,false]}}`,
	`{"a":"` + strings.Repeat("é😀", 20000) + `"}`,
}

func TestOddDocumentsKeepTheirBytes(t *testing.T) {
	c, b := anyEngine(t), newBucket(t)
	from, to := unique(t)+"-from", unique(t)+"-to"
	c.index(t, from, 2, `{"enabled":false}`)
	c.index(t, to, 3, `{"enabled":false}`)
	for i, source := range odd {
		path := fmt.Sprintf("/%s/_doc/odd%%20%%22%d%%C3%%A9", from, i)
		if i%3 == 0 {
			path += "?routing=r%20" + fmt.Sprint(i)
		}
		c.call(t, "PUT", path, source)
	}
	want := c.documents(t, from)
	if len(want) != len(odd) {
		t.Fatalf("%d documents, want %d", len(want), len(odd))
	}
	j := newJob(t, pipelines(
		dump("dump", searchStage(c.url, from), b.stage(b.store.Endpoint, `key: "one/{index}/{lane}-{sequence}.gz"`)),
		load("load", b.stage(b.store.Endpoint, "prefix: one/"), searchStage(c.url, to)),
		dump("again", searchStage(c.url, to), b.stage(b.store.Endpoint, `key: "two/{index}/{lane}-{sequence}.gz"`)),
	))
	for _, p := range []string{"dump", "load", "again"} {
		j.want(t, 0, p)
	}
	same(t, "first dump", parse(t, b.lines(t, "one/")), want)
	same(t, "second index", c.documents(t, to), want)
	same(t, "second dump", parse(t, b.lines(t, "two/")), want)
	for line := range bytes.Lines(b.lines(t, "two/")) {
		if !json.Valid(line) {
			t.Errorf("not one JSON value on a line: %.200q", line)
		}
	}
}

// TestAPatternOfIndicesIsDumpedAndLoadedBackByItsNames uses the _index of each record.
func TestAPatternOfIndicesIsDumpedAndLoadedBackByItsNames(t *testing.T) {
	c, b := anyEngine(t), newBucket(t)
	base := unique(t)
	want := map[string]documents{}
	for i := range 3 {
		index := fmt.Sprintf("%s-%d", base, i)
		c.index(t, index, i+1, "")
		c.put(t, index, generated(300*i, 200)) // the first is empty
		want[index] = c.documents(t, index)
	}
	j := newJob(t, pipelines(
		dump("dump", searchStage(c.url, base+"-*"), b.stage(b.store.Endpoint, `key: "{index}/{pass}/{lane}-{sequence}.gz"`)),
		load("load", b.stage(b.store.Endpoint), stage("opensearch", fmt.Sprintf("url: %q", c.url))),
	))
	j.want(t, 0, "dump")
	for _, index := range slices.Sorted(maps.Keys(want)) {
		c.call(t, "DELETE", "/"+index, "")
	}
	j.want(t, 0, "load")
	for index, docs := range want {
		if len(docs) == 0 {
			continue
		}
		same(t, index, c.documents(t, index), docs)
	}
}
