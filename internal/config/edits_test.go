package config_test

import (
	"strings"
	"testing"

	"sluice/internal/config"
)

const following = `
pipelines:
  copy:
    source: {opensearch: {url: "https://a:9200", index: logs, deletes: reconcile}}
    transforms: [TRANSFORMS]
    sink: {opensearch: {url: "https://b:9200"}}
    mode: new
`

// What was moved would not be found at the source where the sink has it.
func TestDeletesAreNotReconciledBehindWhatMovesDocuments(t *testing.T) {
	for transforms, want := range map[string]string{
		``:                           ``,
		`redact: {fields: a}`:        ``,
		`jq: {expr: '._id = "1"'}`:   "deletes: jq may give documents another index or _id",
		`route: {rules: [index: x]}`: "deletes: route may give documents another index or _id",
	} {
		_, err := config.Parse("sluice.yaml", []byte(strings.Replace(following, "TRANSFORMS", transforms, 1)), sluice(false))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", transforms, err, want)
		}
	}
}

func TestEditsAreTheTransformsThatChangeRecords(t *testing.T) {
	const text = `
pipelines:
  edit:
    source: {file: {path: in}}
    transforms: [decompress, lines, {drop_fields: {fields: a}}, {jq: {expr: .}}, {jq: {expr: .b}}, gzip]
    sink: {file: {path: out, key: "{lane}-{sequence}"}}
`
	f, err := config.Parse("sluice.yaml", []byte(text), sluice(false))
	if err != nil {
		t.Fatal(err)
	}
	edits, before, err := f.Pipelines[0].Edits()
	var names []string
	for _, e := range edits {
		names = append(names, e.Stage)
	}
	if got := strings.Join(names, " "); err != nil || got != "drop_fields jq jq-2" || before != 2 {
		t.Errorf("got %q behind %d transforms, %v", got, before, err)
	}
}
