package search_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"sluice/sources/search"
)

func TestDocumentsHaveTheirKeysInOrderAndTheirValuesAsTheyWere(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1.50,"a":[ 3, {"z":1e400,"y":-0} ],"":{}}`:       "{\n  \"\": {},\n  \"a\": [\n    3,\n    {\n      \"y\": -0,\n      \"z\": 1e400\n    }\n  ],\n  \"b\": 1.50\n}",
		`{"a b":"\u00e9\/é\ud83d\ude00\\\"}","a":[],"é":null}`: "{\n  \"a\": [],\n  \"a b\": \"\\u00e9\\/é\\ud83d\\ude00\\\\\\\"}\",\n  \"é\": null\n}",
		` 9007199254740993 `: `9007199254740993`,
		`"x"`:                `"x"`,
		`[true,false]`:       "[\n  true,\n  false\n]",
	} {
		if got := string(search.Sorted([]byte(in))); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", in, got, want)
		}
	}
}

func TestOfThingsAtTheClusterIsTakenWhatMakesThemAgain(t *testing.T) {
	for _, c := range []struct{ file, reply, want string }{
		{"_index.json", `{"x":{"settings":{"index.uuid":"u","index.number_of_shards":"3","index.sort.field":["b","a"]},"data_stream":"d","mappings":{"b":{},"a":1},"aliases":{}}}`,
			"{\n  \"aliases\": {},\n  \"mappings\": {\n    \"a\": 1,\n    \"b\": {}\n  },\n  \"settings\": {\n    \"index.number_of_shards\": \"3\",\n    \"index.sort.field\": [\n      \"b\",\n      \"a\"\n    ]\n  }\n}"},
		{"_data_stream.json", `{"data_streams":[{"name":"y"},{"name":"x","status":"RED","generation":2,"indices":[{"index_name":".ds-x-1","index_uuid":"u"},{"index_uuid":"v","index_name":".ds-x-2"}],"ilm_policy":"p"}]}`,
			"{\n  \"generation\": 2,\n  \"indices\": [\n    \".ds-x-1\",\n    \".ds-x-2\"\n  ],\n  \"name\": \"x\"\n}"},
		{"_index_template.json", `{"index_templates":[{"name":"x","index_template":{"priority":1,"created_date_millis":1,"modified_date":"d","index_patterns":["a"]}}]}`,
			"{\n  \"index_patterns\": [\n    \"a\"\n  ],\n  \"priority\": 1\n}"},
		{"_component_template.json", `{"component_templates":[{"name":"x","component_template":{"version":1,"modified_date_millis":1}}]}`, "{\n  \"version\": 1\n}"},
		{"_template.json", `{"x":{"order":1}}`, "{\n  \"order\": 1\n}"},
		{"_ingest_pipeline.json", `{"x":{"processors":[],"created_date":"d"}}`, "{\n  \"processors\": []\n}"},
	} {
		if got, ok := search.Document(c.file, []byte(c.reply), "x"); !ok || got != c.want {
			t.Errorf("%s: got %v\n%s\nwant\n%s", c.file, ok, got, c.want)
		}
		for _, other := range []string{`{}`, `[]`, `1`, `{"index_templates":[],"z":{}}`, `{"data_streams":[{"name":"y"}]}`} {
			if got, ok := search.Document(c.file, []byte(other), "x"); ok {
				t.Errorf("%s of %s: got %s, want nothing", c.file, other, got)
			}
		}
	}
}

func TestSettingsAreKeptByList(t *testing.T) {
	for setting, want := range map[string]bool{
		"index.number_of_shards": true, "index.analysis.analyzer.a.type": true, "index.mapping.total_fields.limit": true,
		"index.sort.field": true, "index.refresh_interval": true, "index.default_pipeline": true, "index.codec": true,
		"index.uuid": false, "index.version.created": false, "index.provided_name": false, "index.creation_date": false,
		"index.resize.source.name": false, "index.routing.allocation.include._tier_preference": false, "index.replication.type": false,
		"index.blocks.write": false, "index.codecs": false, "index.analysis": false, "index.lifecycle.name": false, "": false,
	} {
		if got := search.Keeps(setting); got != want {
			t.Errorf("%s: got %v, want %v", setting, got, want)
		}
	}
}

func FuzzSorted(f *testing.F) {
	for _, s := range []string{`{"b":[1,{"a":"}\\\""}],"a":{"":-1.5e3}}`, `[[],{},[{}]]`, `"\u00e9"`, " {\t\"a\" :\n1 , \"a\":2}\r\n", `0`, `{"é":"\\"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if !json.Valid(in) {
			return
		}
		got := search.Sorted(in)
		var a, b any
		if err := decode(in, &a); err != nil {
			return // nested deeper than the library goes
		}
		if err := decode(got, &b); err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%q: got %q, %v, want the same value", in, got, err)
		}
		if again := search.Sorted(got); !bytes.Equal(again, got) {
			t.Errorf("%q: got %q, and of that %q", in, got, again)
		}
	})
}

func decode(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(into)
}
