package transforms_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"sluice/internal/kind"
	"sluice/transforms"
)

// fuzzed are the fields that the fuzzed edits are about.
var fuzzed = []string{"a", "b.c", "b.d.e"}

// lies says how a path lies to the fuzzed fields.
func lies(path string) (in, above bool) {
	for _, f := range fuzzed {
		in = in || path == f || strings.HasPrefix(path, f+".")
		above = above || strings.HasPrefix(f, path+".")
	}
	return in, above
}

// expected does to a decoded value at a path what an edit does to its text.
func expected(v any, path string, what string) (result any, some bool) {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			in, above := lies(path + key)
			kept := what != "keep_fields"
			switch {
			case in && what == "drop_fields":
				continue
			case in && what == "redact":
				value = "***"
			case in:
				kept = true
			case above:
				var inside bool
				value, inside = expected(value, path+key+".", what)
				kept = kept || inside
			}
			if kept {
				out[key] = value
				some = true
			}
		}
		return out, some
	case []any:
		out := []any{}
		for _, e := range v {
			e, inside := expected(e, path, what)
			if inside || what != "keep_fields" {
				out = append(out, e)
				some = true
			}
		}
		return out, some
	}
	return v, false
}

func decoded1(text string) (v any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return v, d.Decode(&v)
}

func FuzzEditsDoToATextWhatTheyWouldDoToItsValue(f *testing.F) {
	for _, s := range []string{
		`{"a":1,"b":{"c":2,"d":{"e":3,"f":[4]}}}`, `{"_source":{"b.c":1,"b.d":{"e":{}},"z":[{"a":1}]},"_id":"a"}`, `{"b":[{"c":1,"x":2},[{"d":{"e":1}}],3]}`,
		`{"\u0061":"}","b":{"d.e":"\"","\u0063":"\\"}}`, `{"a":1,"a":2,"b":{"c":1},"b":{"c":2}}`, `{"index":{"_id":"1"}} {"a":1}`, ` { "x" : 1 , "a" : 2 } `, `{"a":}`, `{"b":{"c":1`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rec string) {
		if strings.ContainsAny(rec, "\n") {
			return
		}
		for what, k := range map[string]kind.Transform{
			"drop_fields": &transforms.DropFields{Fields: fuzzed}, "keep_fields": &transforms.KeepFields{Fields: fuzzed}, "redact": &transforms.Redact{Fields: fuzzed, With: "***"},
		} {
			got := edited(t, k, rec)
			in, err := decoded1(rec)
			if err != nil || !json.Valid([]byte(rec)) || strings.HasPrefix(got, "(the record has more than one _source") || strings.HasPrefix(got, "(the _source") {
				continue // nothing else than that it does not panic
			}
			object, ok := in.(map[string]any)
			if !ok {
				continue
			}
			var want any
			if source, ok := object["_source"].(map[string]any); ok {
				object["_source"], _ = expected(source, "", what)
				want = object
			} else {
				want, _ = expected(object, "", what)
			}
			if action, ok := object["delete"].(map[string]any); ok && len(object) == 1 && action["_id"] != nil {
				want = object
			}
			out, err := decoded1(got)
			if err != nil || !reflect.DeepEqual(out, want) {
				t.Fatalf("%s of %s: got %s, %v, want %v", what, rec, got, err, want)
			}
		}
	})
}

// What conditions and routes say of a record is not checked here, but that they
// read it to its end, and write JSON for JSON.
func FuzzEditsWriteJSONForJSON(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":{"c":"x"}}`, `{"_index":"i","_source":{"b.c":"x"}}`, `{"b":{"c":["x",{"y":1}]},"log":{}}`, `{"_source":{}`, `{"_index":1,"_source":{"a":"x"}}`, `{"create":{}} {"a":"y"}`, `{"delete":{"_id":"1"}}`} {
		f.Add(s)
	}
	x := "x"
	all := []kind.Transform{
		&transforms.Set{Fields: []transforms.SetField{{Field: "a", Value: &x}, {Field: "n.m", Value: &x}}},
		&transforms.Rename{Fields: []transforms.RenameField{{From: "a", To: "aa"}, {From: "b.c", To: "n.m"}, {From: "x.y", To: "x.z"}}},
		where(transforms.Condition{Field: "b.c", Matches: "x"}), where(transforms.Condition{Field: "a", LT: "2"}),
		to("i"), to("{a}"), jq(`select(.a)`),
	}
	f.Fuzz(func(t *testing.T, rec string) {
		if strings.ContainsAny(rec, "\n") {
			return
		}
		for _, k := range all {
			got := edited(t, k, rec)
			if got == "" || got[0] == '(' || !json.Valid([]byte(rec)) {
				continue
			}
			if !json.Valid([]byte(got)) {
				t.Fatalf("%s of %s: got %s", k.Identity(), rec, got)
			}
		}
	})
}
