package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAlteredDocumentsAreFound(t *testing.T) {
	indexed := map[string]string{
		"same": `{"a":1.0}`, "bytes": `{"a":1.0,"b":"\u00e9"}`, "number": `{"n":[9007199254740993]}`, "order": `{"b":1,"2":2}`, "null": `{"n":1e400}`,
	}
	path := filepath.Join(t.TempDir(), "dump")
	if err := os.WriteFile(path, []byte(strings.Join([]string{
		`{"_index":"i","_id":"same","_score":null,"_source":{"a":1.0}}`,
		`{"_index":"i","_id":"bytes","_source":{"a":1,"b":"é"}}`,
		`{"_index":"i","_id":"number","_source":{"n":[9007199254740992]}}`,
		`{"_index":"i","_id":"order","_source":{"2":2,"b":1}}`,
		`{"_index":"i","_id":"null","_source":{"n":null}}`,
		`{"_index":"i","_id":"stranger","_source":{}}`,
	}, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := compareFiles(path, func(id string) ([]byte, bool) {
		source, ok := indexed[id]
		return []byte(source), ok
	})
	if want := (compared{Documents: 5, Others: 1, Altered: 4, Values: 3}); got != want || err != nil {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}
