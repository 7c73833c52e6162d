package keys_test

import (
	"strings"
	"testing"

	"sluice/internal/keys"
)

func TestWhatLiesBesideTheDataIsBelowTheTextBeforeTheFirstField(t *testing.T) {
	for text, want := range map[string]string{
		"logs/{index}/{lane}-{sequence}.json.gz": "logs/i/_index.json",
		"{index}/{lane}-{sequence}":              "i/_index.json",
		"all-{index}_s_{sequence}.json.gz":       "all-i/_index.json",
		"a/{key}":                                "a/i/_index.json",
	} {
		got, err := parse(t, text, keys.Files).Aside("i/_index.json")
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
	for item, want := range map[string]string{"../_index.json": "no segment ..", "": "no key", "a//b": "empty segment", "./b": "no segment ."} {
		if got, err := parse(t, "a/{key}", keys.Files).Aside(item); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, %v, want an error that says %q", item, got, err, want)
		}
	}
	if got, err := parse(t, "a.{key}", keys.Files).Aside("x"); err != nil || got != "a.x" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestMetadataIsKnownByTheLastSegmentOfItsKey(t *testing.T) {
	for key, want := range map[string]bool{
		"i/_index.json": true, "a/b/_index.json": true, "_index.json": true, "t/_index_template.json": true, "t/_template.json": true,
		"t/_component_template.json": true, "p/_ingest_pipeline.json": true, "d/_data_stream.json": true,
		"i/index.json": false, "i/_index.json.gz": false, "_index.json/a": false, "i/x_index.json": false, "": false,
	} {
		if got := keys.IsMetadata(key); got != want {
			t.Errorf("%q: got %v, want %v", key, got, want)
		}
	}
}
