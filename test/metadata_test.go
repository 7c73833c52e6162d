package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnIndexIsDumpedWithItsMetadataAndMadeAgain: the whole prefix is loaded
// back into the index that was made from its document.
func TestAnIndexIsDumpedWithItsMetadataAndMadeAgain(t *testing.T) {
	c, b := anyEngine(t), newBucket(t)
	index := unique(t)
	c.index(t, index, 3, `{"properties":{"message":{"type":"text","fields":{"raw":{"type":"keyword"}}}},"dynamic":true}`)
	c.call(t, "PUT", "/"+index+"/_alias/"+index+"-all", `{"filter":{"match_all":{}}}`)
	c.put(t, index, generated(500, 300))
	want, before := c.documents(t, index), c.described(t, index)
	source := searchStage(c.url, index, "take: [data, indices]")
	j := newJob(t, pipelines(
		dump("dump", source, b.stage(b.store.Endpoint, `key: "logs/{index}/{lane}-{sequence}.json.gz"`)),
		load("load", b.stage(b.store.Endpoint, "prefix: logs/"), stage("opensearch", fmt.Sprintf("url: %q", c.url))),
		entry("files", source, "[]", stage("file", "path: ./out", `key: "logs/{index}/{lane}-{sequence}.json"`)),
		entry("mirror", b.stage(b.store.Endpoint, "prefix: logs/"), "[]", b.stage(b.store.Endpoint, "key: \"copy/{key}\"")),
	))
	o := j.want(t, 0, "dump")
	if r := o.Reports["dump"]; r.Outcome != "complete" || r.Records.Read != 500 || r.Records.Written != 500 || r.Objects.Written != int64(len(b.keys(t, ""))) {
		t.Errorf("dump: %+v, %d objects", r, len(b.keys(t, "")))
	}
	key := "logs/" + index + "/_index.json"
	doc := string(b.get(t, key))
	if !json.Valid([]byte(doc)) || !strings.HasSuffix(doc, "\n}\n") {
		t.Fatalf("%s: %.300q, want JSON that is not compressed", key, doc)
	}
	c.call(t, "DELETE", "/"+index, "")
	c.call(t, "PUT", "/"+index, doc)
	o = j.want(t, 0, "load")
	if r := o.Reports["load"]; r.Outcome != "complete" || r.Objects.Skipped != 1 || r.Records.Written != 500 {
		t.Errorf("load: %+v, want the document skipped", r)
	}
	o.says(t, "metadata holds no records")
	same(t, "the index that was made again", c.documents(t, index), want)
	if after := c.described(t, index); after != before {
		t.Errorf("the index that was made again:\n%s\nwant\n%s", after, before)
	}
	j.want(t, 0, "files")
	if got, err := os.ReadFile(filepath.Join(j.dir, "out", key)); err != nil || string(got) != doc {
		t.Errorf("files: got %.100q, %v, want the same document as in the bucket", got, err)
	}
	j.want(t, 0, "mirror")
	if got := string(b.get(t, "copy/"+key)); got != doc {
		t.Errorf("objects that are copied as they are: got %.100q of the document", got)
	}
}

// described is settings, mappings and aliases, as the cluster tells them.
func (c cluster) described(t *testing.T, index string) string {
	t.Helper()
	var all map[string]map[string]any
	if err := json.Unmarshal(c.call(t, "GET", "/"+index+"?flat_settings=true", ""), &all); err != nil {
		t.Fatal(err)
	}
	settings := all[index]["settings"].(map[string]any)
	for _, name := range []string{"uuid", "creation_date", "provided_name", "version.created"} {
		delete(settings, "index."+name)
	}
	text, err := json.MarshalIndent(all[index], "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMetadataIntoAnIndexIsRefused(t *testing.T) {
	for _, take := range []string{"[data, indices]", "templates"} {
		j := newJob(t, pipelines(entry("p", searchStage("http://127.0.0.1:1", "a", "take: "+take), "[]", searchStage("http://127.0.0.1:1", "b"))))
		o := j.want(t, 2, "p")
		o.says(t, "sink.opensearch: it makes no index from metadata", "take: data", "sluice.yaml:6")
	}
}
