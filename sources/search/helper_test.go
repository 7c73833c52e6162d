package search_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sources/search"
	"sluice/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(closing{m}) }

// closing closes the connections of the tests themselves at their end.
type closing struct{ *testing.M }

func (c closing) Run() int {
	defer http.DefaultClient.CloseIdleConnections()
	return c.M.Run()
}

// index is an index of a test on a real cluster.
type index struct {
	engine    servers.Engine
	url, name string
	docs      map[string]string // id and routing to source
}

// newIndex makes an index that goes with the test.
func newIndex(t *testing.T, suffix string, shards int, settings string) *index {
	t.Helper()
	c := servers.Search(t)
	i := &index{engine: c.Engine, url: c.URL, name: fmt.Sprintf("source-search-%08x%s", rand.Uint32(), suffix), docs: map[string]string{}}
	i.create(t, shards, settings)
	t.Cleanup(func() { i.call(t, "DELETE", "?ignore_unavailable=true", "") })
	return i
}

// newPITIndex is newIndex for a test of points in time, which some engines do
// not have.
func newPITIndex(t *testing.T, shards int, settings string) *index {
	t.Helper()
	i := newIndex(t, "", shards, settings)
	if i.engine.PointInTime() == "" {
		t.Skipf("%s has no points in time", i.engine)
	}
	return i
}

// snapshots is the ways in which the engine can be read as it is at a moment.
func snapshots(t *testing.T) []string {
	t.Helper()
	switch e := servers.Search(t).Engine; {
	case e.PointInTime() == "":
		return []string{"scroll"}
	case e.Name == "opensearch-2": // has no _shard_doc
		return []string{"pit", "scroll"}
	}
	return []string{"pit", "shared", "scroll"}
}

// ways is how the engine can be read.
func ways(t *testing.T) []string { return append(snapshots(t), "sequence") }

func (i *index) create(t *testing.T, shards int, more string) {
	t.Helper()
	i.call(t, "PUT", "", fmt.Sprintf(`{"settings":{"number_of_shards":%d,"number_of_replicas":0,"refresh_interval":-1}%s}`, shards, more))
}

// call asks the cluster, about the index.
func (i *index) call(t *testing.T, method, path, body string) []byte {
	t.Helper()
	req, err := http.NewRequest(method, i.url+"/"+i.name+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s%s: %s %v: %.300s", method, i.name, path, resp.Status, err, b)
	}
	return b
}

// fill indexes n documents of about size bytes.
func (i *index) fill(t *testing.T, n, size int) {
	t.Helper()
	var b bytes.Buffer
	for k := range n {
		id := fmt.Sprintf("%d", len(i.docs))
		source := fmt.Sprintf(`{"n":%d,"text":%q}`, k, strings.Repeat(string(rune('a'+k%26)), max(1, size-20-k%7)))
		fmt.Fprintf(&b, "{\"index\":{\"_id\":%q}}\n%s\n", id, source)
		i.docs[id+"/"] = source
		if b.Len() > 4<<20 || k == n-1 {
			i.bulk(t, b.String())
			b.Reset()
		}
	}
	i.call(t, "POST", "/_refresh", "")
}

// remove deletes the documents whose ids are numbers from one up to another.
func (i *index) remove(t *testing.T, from, to int) {
	t.Helper()
	var b strings.Builder
	for id := from; id < to; id++ {
		fmt.Fprintf(&b, "{\"delete\":{\"_id\":\"%d\"}}\n", id)
	}
	i.bulk(t, b.String())
	i.call(t, "POST", "/_refresh", "")
}

func (i *index) bulk(t *testing.T, body string) {
	t.Helper()
	var reply struct {
		Errors bool
		Items  json.RawMessage
	}
	if err := json.Unmarshal(i.call(t, "POST", "/_bulk", body), &reply); err != nil || reply.Errors {
		t.Fatalf("bulk: %v: %.500s", err, reply.Items)
	}
}

// config is the options of a source of these indices, through a proxy if url is one.
func config(url string, indices ...*index) *search.Config {
	c := &search.Config{Read: "auto", Page: 1 << 20, KeepAlive: unit.Duration(time.Minute)}
	c.URL, c.Retry = []string{url}, unit.Duration(10*time.Second)
	for _, i := range indices {
		c.Index = append(c.Index, i.name)
	}
	return c
}

// job is a pipeline from a source to objects in memory, and what it knows
// between runs.
type job struct {
	world  *pipelinetest.World
	config *search.Config
	env    kind.Env
	store  pipelinetest.Store
	sink   pipelinetest.Sink
	dead   *pipelinetest.Letters
	lanes  int
	log    *slog.Logger
	last   *pipeline.Pipeline
}

func newJob(c *search.Config) *job {
	w := &pipelinetest.World{}
	return &job{
		world: w, config: c, env: kind.Env{Pipeline: "p", Workers: 1, MaxRecord: 4 << 20}, lanes: 2, log: slog.New(slog.DiscardHandler),
		store: pipelinetest.Store{World: w}, sink: pipelinetest.Sink{World: w, Roll: 1, Objects: map[string]string{}},
	}
}

// run moves one pass, or the rest of it.
func (j *job) run(ctx context.Context, t *testing.T, stages ...pipeline.Stage) (pipeline.Result, error) {
	t.Helper()
	if list := j.config.Problems(j.env); len(list) > 0 {
		t.Fatalf("problems: %v", list)
	}
	source, err := j.config.Build(j.env)
	if err != nil {
		t.Fatal(err)
	}
	j.last = &pipeline.Pipeline{
		Name: "p", Source: source, Stages: stages, Sink: &j.sink, Store: &j.store, Lanes: j.lanes, Grace: 2 * time.Second,
		New: j.env.New, Log: j.log,
	}
	if j.dead != nil {
		j.last.Dead = j.dead
	}
	return j.last.Run(ctx)
}

// complete runs and wants the pass to be complete.
func (j *job) complete(t *testing.T, stages ...pipeline.Stage) pipeline.Result {
	t.Helper()
	res, err := j.run(t.Context(), t, stages...)
	if err != nil || !res.Complete {
		t.Fatalf("got %+v, %v, want a complete pass", res, err)
	}
	return res
}

// failing runs and wants an error that says all of want.
func (j *job) failing(t *testing.T, want ...string) {
	t.Helper()
	res, err := j.run(t.Context(), t)
	if err == nil {
		t.Fatalf("got %+v and no error, want one that says %q", res, want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got error %q, want it to say %q", err, w)
		}
	}
}

// docs is what the objects hold, and fails if something is there twice.
func (j *job) docs(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(j.sink.Objects)) {
		for line := range strings.Lines(j.sink.Objects[key]) {
			var rec struct {
				Index   string          `json:"_index"`
				ID      string          `json:"_id"`
				Routing string          `json:"_routing"`
				Source  json.RawMessage `json:"_source"`
			}
			if err := json.Unmarshal([]byte(line), &rec); err != nil {
				t.Fatalf("%s: %v: %.200s", key, err, line)
			}
			id := rec.ID + "/" + rec.Routing
			if _, twice := all[rec.Index+"/"+id]; twice {
				t.Fatalf("%s: %s/%s is there twice", key, rec.Index, id)
			}
			all[rec.Index+"/"+id] = string(rec.Source)
		}
	}
	return all
}

// wants compares the objects with what is in the indices.
func (j *job) wants(t *testing.T, indices ...*index) {
	t.Helper()
	want := map[string]string{}
	for _, i := range indices {
		for id, source := range i.docs {
			want[i.name+"/"+id] = strings.NewReplacer("\n", " ", "\r", " ").Replace(source)
		}
	}
	got := j.docs(t)
	if len(got) != len(want) {
		t.Errorf("got %d records, want %d", len(got), len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%.2000s", diff)
	}
}

func escape(s string) string { return url.PathEscape(s) }
