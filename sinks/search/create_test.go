package search_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/pipeline"
	"sluice/sinks/search"
)

func metadata(cfg *search.Config) { cfg.Create.Metadata = true }

// TestAnIndexIsMadeOfItsDocumentBeforeItsFirstRecord: two lanes wait for the
// document, which comes late, as an object and as a block.
func TestAnIndexIsMadeOfItsDocumentBeforeItsFirstRecord(t *testing.T) {
	object := bodies("dump/logs/_index.json", `{"settings": {"index.codec":"best_compression"}, "mappings": {"x": 1.0}}`)
	for name, object := range map[string]map[string]pipeline.Body{"object": object, "block": nil} {
		w := newTown(t)
		w.put("there")
		d := &describing{loading: newLoading(append(some(0, 3), rec("there", "1", "{}"))), slow: 50 * time.Millisecond, twice: true,
			keys: []string{"dump/.system/_index.json", "dump/empty/_index.json", "dump/logs/_index.json", "dump/there/_index.json", "dump/x/_ingest_pipeline.json"}, bodies: object}
		res, err := d.runWith(t.Context(), t, d, w.config(metadata))
		if err != nil || !res.Complete || res.Counts.Written != 8 {
			t.Fatalf("%s: %+v, %v", name, res, err)
		}
		want := []string{
			`PUT empty {"aliases":{"a":{}},"mappings":{"_meta":{"of":"dump/empty/_index.json"}}}`,
			`PUT logs {"aliases":{"a":{}},"mappings":{"_meta":{"of":"dump/logs/_index.json"}}}`, "bulk", "POST logs/_refresh", "POST there/_refresh",
		}
		if object != nil {
			want[1] = `PUT logs {"mappings":{"x":1.0},"settings":{"index.codec":"best_compression"}}`
		}
		if diff := cmp.Diff(want, w.trace); diff != "" {
			t.Errorf("%s: requests (-want +got):\n%s", name, diff)
		}
	}
}

func TestAnIndexUnderAnotherNameIsMadeWithoutAliases(t *testing.T) {
	for name, change := range map[string]func(*search.Config){
		"copy": func(cfg *search.Config) { cfg.Create.Metadata, cfg.Index = true, "copy" },
		"logs": func(cfg *search.Config) { cfg.Create.Metadata, cfg.Alias = true, "b" },
	} {
		w := newTown(t)
		d := &describing{loading: newLoading(some(0, 3)), keys: []string{"logs/_index.json"}}
		if res, err := d.runWith(t.Context(), t, d, w.config(change)); err != nil || !res.Complete {
			t.Fatalf("%+v, %v", res, err)
		}
		if want := `{"mappings":{"_meta":{"of":"logs/_index.json"}}}`; w.indices[name].body != want {
			t.Errorf("%s is made of %s, want %s", name, w.indices[name].body, want)
		}
	}
}

func TestAnIndexWithoutADocumentIsAnErrorAndNotMadeByTheEngine(t *testing.T) {
	why := errors.New("cut off")
	for _, c := range []struct {
		keys    []string
		failure error
		want    string
	}{
		{[]string{"other/_index.json"}, nil, "index logs: it does not exist, and the pass has no logs/_index.json to make it from"},
		{nil, why, "index logs: its metadata was not read: source: lane _metadata: cut off"},
	} {
		w := newTown(t)
		d := &describing{loading: newLoading(some(0, 3)), keys: c.keys, failure: c.failure}
		res, err := d.runWith(t.Context(), t, d, w.config(metadata))
		if err == nil || res.Complete || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", err, c.want)
		}
		if len(w.docs) > 0 || w.indices["logs"] != nil {
			t.Error("it was written to")
		}
	}
}

func TestAStopWhileARecordWaitsForItsIndexIsNoFailure(t *testing.T) {
	w := newTown(t)
	d := &describing{loading: newLoading(some(0, 3)), keys: []string{"logs/_index.json"}, slow: time.Hour}
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if res, err := d.runWith(ctx, t, d, w.config(metadata)); err != nil || res.Complete {
		t.Fatalf("%+v, %v, want a run that was stopped", res, err)
	}
	d.slow = 0
	if res, err := d.runWith(t.Context(), t, d, w.config(metadata)); err != nil || !res.Complete || len(w.docs) != 3 {
		t.Fatalf("%+v, %v, %d documents", res, err, len(w.docs))
	}
}

func TestARunThatGoesOnHasTheMetadataOfTheOneBefore(t *testing.T) {
	w := newTown(t)
	d := &describing{loading: newLoading(some(0, 3), some(3, 3)), keys: []string{"logs/_index.json"}}
	broken := true
	w.item = func(int, op) outcome {
		if broken {
			return outcome{403, "security_exception", "no"}
		}
		return outcome{}
	}
	if _, err := d.runWith(t.Context(), t, d, w.config(metadata)); err == nil {
		t.Fatal("the first run does not fail")
	}
	broken = false
	delete(w.indices, "logs") // by somebody
	if _, err := d.runWith(t.Context(), t, d, w.config(metadata)); err == nil || !strings.Contains(err.Error(), "no logs/_index.json") {
		t.Errorf("got %v, want an error: the lane of metadata has ended", err)
	}
	w.put("logs")
	if res, err := d.runWith(t.Context(), t, d, w.config(metadata)); err != nil || !res.Complete {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestIndicesAreMadeOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "index.json")
	from := func(cfg *search.Config) { cfg.Create.File = file }
	for text, want := range map[string]string{
		`{"settings": {"number_of_shards": 3}}`:  "",
		`{"settings": `:                          "create: " + file + ": this is not the JSON of an index",
		`{"logs": {"settings": {}}}`:             `there is "logs" in it`,
		`{"mappings": {"n": 9007199254740993 }}`: "",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w := newTown(t)
		l := newLoading(some(0, 3))
		if want != "" {
			l.letters = nil
			l.fails(t, w.config(from), want)
			continue
		}
		l.complete(t, w.config(from), 0)
		if got, want := w.trace[0], "PUT logs "+strings.ReplaceAll(text, " ", ""); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
