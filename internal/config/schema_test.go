package config_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"sluice/internal/config"
)

// schema is one as JSON gives it.
type schema = map[string]any

// invalid says how a value does not fit a schema, or "".
func invalid(s schema, v any, path string) string {
	for _, keyword := range slices.Sorted(maps.Keys(s)) {
		if wrong := violates(keyword, s, v, path); wrong != "" {
			return wrong
		}
	}
	return ""
}

// violates checks one keyword. It knows those that Schema uses, and no other.
func violates(keyword string, s schema, v any, path string) string {
	want := s[keyword]
	members, _ := v.(map[string]any)
	list, _ := v.([]any)
	text, isText := v.(string)
	ok := true
	switch keyword {
	case "$schema", "title", "description", "default":
	case "type":
		types, several := want.([]any)
		ok = want == typeOf(v) || several && slices.Contains(types, any(typeOf(v)))
	case "properties", "additionalProperties":
		return properties(s, members, path)
	case "required":
		for _, name := range want.([]any) {
			_, given := members[name.(string)]
			ok = ok && given
		}
	case "anyOf":
		return anyOf(want.([]any), v, path)
	case "oneOf":
		fit := 0
		for _, one := range want.([]any) {
			if invalid(one.(schema), v, path) == "" {
				fit++
			}
		}
		ok = fit == 1
	case "items":
		for i, item := range list {
			if wrong := invalid(want.(schema), item, fmt.Sprint(path, ".", i)); wrong != "" {
				return wrong
			}
		}
	case "propertyNames":
		for name := range members {
			if wrong := invalid(want.(schema), name, path); wrong != "" {
				return wrong
			}
		}
	case "enum":
		ok = slices.Contains(want.([]any), v)
	case "const":
		ok = number(v) == want
	case "pattern":
		ok = !isText || regexp.MustCompile(want.(string)).MatchString(text)
	case "minimum":
		ok = typeOf(v) != "integer" || number(v) >= want.(float64)
	case "maximum":
		ok = typeOf(v) != "integer" || number(v) <= want.(float64)
	case "maxLength":
		ok = float64(len(text)) <= want.(float64)
	case "minProperties":
		ok = members == nil || float64(len(members)) >= want.(float64)
	case "maxProperties":
		ok = float64(len(members)) <= want.(float64)
	default:
		return "unknown keyword " + keyword
	}
	if ok {
		return ""
	}
	return fmt.Sprintf("%s: %v: %s %v", path, v, keyword, want)
}

// properties checks members by name; those without a schema of their own by
// additionalProperties.
func properties(s schema, members map[string]any, path string) string {
	known, _ := s["properties"].(schema)
	for name, value := range members {
		one, ok := known[name].(schema)
		if !ok {
			one, ok = s["additionalProperties"].(schema)
		}
		if !ok {
			return path + ": unknown " + name
		}
		if wrong := invalid(one, value, path+"."+name); wrong != "" {
			return wrong
		}
	}
	return ""
}

func anyOf(schemas []any, v any, path string) string {
	var all []string
	for _, one := range schemas {
		wrong := invalid(one.(schema), v, path)
		if wrong == "" {
			return ""
		}
		all = append(all, wrong)
	}
	return strings.Join(all, ", and ")
}

func number(v any) float64 {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case uint64:
		return float64(n)
	}
	return -1
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case int64, uint64:
		return "integer"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "number"
}

// bySchema says what the schema of Sluice has against a text.
func bySchema(t *testing.T, text string) string {
	t.Helper()
	var s schema
	if err := json.Unmarshal(config.Schema(), &s); err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return invalid(s, v, "")
}

func TestTheSchemaTakesTheReference(t *testing.T) {
	asItIs, allGiven := reference(t)
	for _, text := range []string{asItIs, allGiven} {
		if wrong := bySchema(t, text); wrong != "" {
			t.Errorf("got %s, want a schema that takes the reference", wrong)
		}
	}
}

func TestTheSchemaFindsWhatAnEditorShouldShow(t *testing.T) {
	const ok = `
memory: 1GiB
pipelines:
  a:
    source: {s3: {bucket: b, secret_key_file: f, path_style: true}}
    transforms: [gunzip, {lines: }, {gzip: {level: "${LEVEL}"}}]
    sink: {s3: {bucket: b, key: k, roll: {bytes: 1000, every: 1h30m}, overwrite: own}}
    lanes: 3
  b:
    source: {opensearch: {url: u, index: i, query_file: f, ignore: [closed, missing]}}
    sink: {file: {path: p}}
  c:
    source: generate
    sinks: {one: {file: {path: p}}, two: {s3: {bucket: b, key: k}}}
`
	if wrong := bySchema(t, ok); wrong != "" {
		t.Fatalf("got %s, want none", wrong)
	}
	for _, change := range [][2]string{
		{"memory: 1GiB", "memory: 1Gig"},
		{"memory: 1GiB", "memory: true"},
		{"memory: 1GiB", "memroy: 1GiB"},
		{"  a:", "  A b:"},
		{"lanes: 3", "lanes: many"},
		{"lanes: 3", "lanes: 0"},
		{"lanes: 3", "modus: new"},
		{"lanes: 3", "every: 5"},
		{"lanes: 3", "on_error: ignore"},
		{"bucket: b, secret", "bucket: 2024, secret"},
		{"bucket: b, secret", "secret"},
		{"bucket: b, secret", "bukket: b, secret"},
		{"path_style: true", "path_style: yes"},
		{"secret_key_file: f", "bucket_file: f"},
		{"query_file: f", "index_file: f"},
		{"[closed, missing]", "[closed, red]"},
		{"[gunzip, ", "[gunzipp, "},
		{"{lines: }", "{lines: , gzip: }"},
		{"{lines: }", "{lines: {size: 3}}"},
		{"{lines: }", "{}"},
		{`"${LEVEL}"`, "10"},
		{"overwrite: own", "overwrite: ours"},
		{"bytes: 1000", "bites: 1000"},
		{"every: 1h30m", "every: 90"},
		{"sink: {s3", "sink: {s4"},
		{"sink: {s3", "sinks: {s3"},
		{"sink: {file: {path: p}}", "grace: 1s"},
		{"sink: {file: {path: p}}", "sinks: {}"},
		{"sink: {file: {path: p}}", "sinks: {A: {file: {path: p}}}"},
		{"sink: {file: {path: p}}", "sinks: {a: {file: {}}}"},
		{"sink: {file: {path: p}}", "sink: {file: {path: p}}\n    sinks: {a: {file: {path: q}}}"},
	} {
		text := strings.Replace(ok, change[0], change[1], 1)
		if text == ok {
			t.Fatalf("%q changes nothing", change[0])
		}
		if bySchema(t, text) == "" {
			t.Errorf("got no error with %q instead of %q", change[1], change[0])
		}
		if _, err := config.Parse("x", []byte(text), sluice(true)); err == nil {
			t.Errorf("the parser takes %q instead of %q", change[1], change[0])
		}
	}
}
