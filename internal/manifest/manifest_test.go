package manifest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	yaml "go.yaml.in/yaml/v3"

	"sluice/internal/manifest"
)

var fields = []string{"status", "metadata.uid", "metadata.managedFields", "metadata.annotations.kubectl.kubernetes.io/last-applied-configuration", "spec.deep.er"}

// head makes what follows a manifest.
const head = "apiVersion: v1\nkind: Pod\n"

func TestFieldsAreCutAndTheRestStaysByteForByte(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"nothing to cut":                       {"a: 1\nb: [x, 'y']\n", "a: 1\nb: [x, 'y']\n"},
		"a scalar":                             {"status: ok\na: 1\n", "a: 1\n"},
		"the last":                             {"a: 1\nstatus: ok", "a: 1\n"},
		"a mapping":                            {"status:\n  a: 1\n  b:\n    - x\n    - y: 1\n      z: 2\na: 1\n", "a: 1\n"},
		"a list in its column":                 {"status:\n- a: 1\n  b: 2\n- c\na: 1\n", "a: 1\n"},
		"null":                                 {"status:\na: 1\n", "a: 1\n"},
		"inside":                               {"metadata:\n  name: x\n  uid: 1-2\n  labels: {a: b}\n", "metadata:\n  name: x\n  labels: {a: b}\n"},
		"a key with dots":                      {"metadata:\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: |\n      {\"a\":1}\n    b: c\n", "metadata:\n  annotations:\n    b: c\n"},
		"the key of what would be empty":       {"metadata:\n  name: x\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: |\n      {\"a\":1}\nspec: 1\n", "metadata:\n  name: x\nspec: 1\n"},
		"a name that is a path by itself":      {"spec.deep:\n  er: 1\n  b: 2\nspec:\n  deep.er: 1\n  c: 2\n", "spec.deep:\n  b: 2\nspec:\n  c: 2\n"},
		"the same name elsewhere":              {"spec:\n  status: 1\n  uid: 2\nuid: 3\n", "spec:\n  status: 1\n  uid: 2\nuid: 3\n"},
		"a longer name":                        {"statusx: 1\nmetadata:\n  uidx: 2\n", "statusx: 1\nmetadata:\n  uidx: 2\n"},
		"quoted keys":                          {"\"status\": 1\n'metadata' : \n  \"uid\": 2\n  a: b\n", "'metadata' : \n  a: b\n"},
		"in lists":                             {"spec:\n- deep:\n  - er: 1\n    b: 2\n  - b: 3\n    er: 4\n", "spec:\n- deep:\n  - b: 2\n  - b: 3\n"},
		"first ones behind a dash":             {"spec:\n- deep.er: 1\n  deep:\n    er: 2\n  # c\n  b: 2\n", "spec:\n- b: 2\n"},
		"comments":                             {"# top\nstatus: # of status\n  # inside\n  a: 1 # a\n# between\na: 1 # one\n# end\n", "# top\n# between\na: 1 # one\n# end\n"},
		"empty lines":                          {"a: 1\n\nstatus: 1\n\nb: 2\n", "a: 1\n\n\nb: 2\n"},
		"lines that a block scalar would take": {"a: |\n  text\nstatus:\n  b: c\n    # text?\n    \n# no text\nb: 2\n", "a: |\n  text\n# no text\nb: 2\n"},
		"empty lines behind |+":                {"a: |+\n  text\n\nstatus: 1\n\n\nb: 2\n", "a: |+\n  text\n\nb: 2\n"},
		"block scalars that look like more":    {"a: |\n  status: 1\n\n  b\nb: >-\n  metadata:\n    uid: 2\nstatus: |2\n    x\n  y\nc: 1\n", "a: |\n  status: 1\n\n  b\nb: >-\n  metadata:\n    uid: 2\nc: 1\n"},
		"quoted scalars of several lines":      {"a: \"x\n\n  status: 1\\\"\nstatus: 2\"\nb: 'it''s\n  status: 3'\nstatus: \"a\n\n  b\"\n", "a: \"x\n\n  status: 1\\\"\nstatus: 2\"\nb: 'it''s\n  status: 3'\n"},
		"plain scalars of several lines":       {"status: a\n  b\n\n  c\na: b\n  - status\n  'c\nb: c#d\n", "a: b\n  - status\n  'c\nb: c#d\n"},
		"flow":                                 {"metadata: {uid: 1, name: x, annotations: {kubectl.kubernetes.io/last-applied-configuration: 'a, b'}}\nstatus: {a: [1, {b: c}]}\n", "metadata: {name: x}\n"},
		"flow on several lines":                {"metadata: {\n  name: x, # the name\n  uid: \"a}b\",\n  labels: {}\n}\nstatus: [\n]\n", "metadata: {\n  name: x, # the name\n  labels: {}\n}\n"},
		"the last of a flow":                   {"metadata: {name: x, uid: 1, managedFields: [a]}\na: 1\n", "metadata: {name: x}\na: 1\n"},
		"a comma at the end of a flow":         {"metadata: {name: x, uid: 1,}\n", "metadata: {name: x,}\n"},
		"empty collections stay":               {"metadata: {}\nspec:\n  deep: {}\n", "metadata: {}\nspec:\n  deep: {}\n"},
		"anchors and tags":                     {"a: &x !!map\n  b: 1\nc: *x\nstatus: &y\n  d: 1\n", "a: &x !!map\n  b: 1\nc: *x\n"},
		"CRLF":                                 {"status:\r\n  a: 1\r\n\r\na: 1\r\n", "\r\na: 1\r\n"},
		"tabs between tokens":                  {"a:\t1\t# x\nstatus:\t2\n", "a:\t1\t# x\n"},
		"several documents":                    {"status: 1\n---\n# no manifest\nstatus: 2\n--- # x\n" + head + "status: 3\na: 1\n...\n---\n", "---\n# no manifest\nstatus: 2\n--- # x\n" + head + "a: 1\n...\n---\n"},
		"JSON":                                 {"---\n{\n  \"apiVersion\": \"v1\", \"kind\": \"Pod\",\n  \"metadata\": {\n    \"uid\": \"1\",\n    \"name\": \"x\"\n  },\n  \"spec\":{\"a\":\"}\"},\n  \"status\": {}\n}\n", "---\n{\n  \"apiVersion\": \"v1\", \"kind\": \"Pod\",\n  \"metadata\": {\n    \"name\": \"x\"\n  },\n  \"spec\":{\"a\":\"}\"}\n}\n"},
		"a list of manifests":                  {"items:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    uid: 1\n    name: x\n  status: 2\n- status: 3\n  items:\n  - status: 4\nstatus: 5\n", "items:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: x\n- items:\n  - status: 4\n"},
		"items that are no list":               {"items:\n  status: 1\n", "items:\n  status: 1\n"},
		"a byte order mark":                    {"\ufeffstatus: 1\na: 2\n", "\ufeffa: 2\n"},
	} {
		in, want := tc.in, tc.want
		if name == "a byte order mark" {
			in, want = strings.Replace(in, "a: 2\n", "a: 2\n"+head, 1), strings.Replace(want, "a: 2\n", "a: 2\n"+head, 1)
		} else {
			in, want = head+in, head+want
		}
		got, err := manifest.Cut([]byte(in), fields)
		if err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s", name, err, cmp.Diff(want, string(got)))
		}
		if again, err := manifest.Cut(bytes.Clone(got), fields); err != nil || string(again) != want {
			t.Errorf("%s: what is left is cut again: %v\n%s", name, err, cmp.Diff(want, string(again)))
		}
		if why := wrong(strings.TrimPrefix(in, "\ufeff"), strings.TrimPrefix(want, "\ufeff")); why != "" {
			t.Errorf("%s: the test is wrong: %s", name, why)
		}
	}
}

func TestWhatIsNotUnderstoodStaysAsItIs(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "no manifest",
		"# only a comment\n":                  "no manifest",
		"a: 1\nstatus: 2\n":                   "no manifest",
		"kind: Pod\nstatus: 2\n":              "no manifest",
		"spec:\n  apiVersion: 1\n  kind: x\n": "no manifest",
		"- apiVersion: 1\n  kind: x\n":        "no manifest",
		"# A title\n\nSome text: and more\nstatus: it is text\n": "no manifest",
		"\x00":                                                             "U+0000",
		"a: \xff":                                                          "UTF-8",
		head + "a: b\rstatus: c\n":                                         "U+000D",
		head + "a: b\u2028status: c\n":                                     "U+2028",
		head + "? a\n: b\nstatus: 1\n":                                     "complex key",
		head + "a: b: c\nstatus: 1\n":                                      "line 3: a key inside",
		head + "a: b\n  c: d\nstatus: 1\n":                                 "a key inside",
		head + "a:\n\tb: c\nstatus: 1\n":                                   "tab",
		head + "a: - b\nstatus: 1\n":                                       "not understood",
		head + "a: \"b\nstatus: 1\n":                                       "without an end",
		head + "a: {b\nstatus: 1\n":                                        "flow collection",
		head + "a: 'b'c\nstatus: 1\n":                                      "not understood",
		head + "a: [b: c]\nstatus: 1\n":                                    "without a mapping",
		head + "&x a: b\nstatus: 1\n":                                      "key",
		head + "\"st\\u0061tus\": 1\n":                                     "escapes",
		head + "status: &x 1\na: *x\n":                                     "referred to",
		head + "b: 1\n  a: 2\nstatus: 1\n":                                 "key",
		head + "  a: 2\nstatus: 1\n":                                       "key inside",
		head + "b:\n    c: 1\n  a: 2\nstatus: 1\n":                         "not understood",
		head + "status: 1\n---\n%x: {\n":                                   "not understood",
		head + "spec:\n- deep.er: 1\n":                                     "nothing would be left",
		head + "{{ if .x }}\nstatus: 1\n":                                  "key",
		head + "a: " + strings.Repeat("[", 300) + strings.Repeat("]", 300): "inside each other",
		head + "a:\n" + strings.Repeat("- ", 300) + "x\n":                  "inside each other",
		"--- a: 1\nb: 2\n":                                                 "behind ---",
	} {
		text := []byte(in)
		got, err := manifest.Cut(text, fields)
		if err == nil || !strings.Contains(err.Error(), want) || string(got) != in || string(text) != in {
			t.Errorf("%q: got %q, %v, want it unchanged and an error that says %q", in, got, err, want)
		}
		if errors.Is(err, manifest.ErrNone) != (want == "no manifest") {
			t.Errorf("%q: %v is the wrong error", in, err)
		}
	}
}

// wrong says why out is not what a parser makes of in, without fields.
func wrong(in, out string) string {
	before, err := decode(in)
	if err != nil {
		return ""
	}
	after, err := decode(out)
	if err != nil {
		return fmt.Sprintf("cannot be parsed any more: %v", err)
	}
	for i, d := range before {
		if m, ok := d.(map[string]any); ok && m["apiVersion"] != nil && m["kind"] != nil {
			before[i], _ = less(m, fields, true)
		}
	}
	if !reflect.DeepEqual(before, after) {
		return cmp.Diff(before, after)
	}
	return ""
}

func decode(text string) (all []any, err error) {
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		var v any
		if err := d.Decode(&v); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if v != nil {
			all = append(all, named(v))
		}
	}
}

// named is a value whose keys are all text.
func named(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = named(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = named(v[key])
		}
	case map[any]any:
		all := map[string]any{}
		for key, value := range v {
			text, ok := key.(string)
			if !ok {
				text = fmt.Sprintf("%T %v", key, key)
			}
			all[text] = named(value)
		}
		return all
	}
	return v
}

// less is a value without fields; none: nothing is left of it.
func less(v any, fields []string, root bool) (out any, none bool) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i], _ = less(v[i], fields, false)
		}
	case map[string]any:
		some := len(v) > 0
		for key, value := range v {
			var inside []string
			for _, f := range fields {
				if f == key {
					delete(v, key)
				}
				if rest, ok := strings.CutPrefix(f, key+"."); ok {
					inside = append(inside, rest)
				}
			}
			if _, list := value.([]any); list && root && key == "items" {
				inside = append(inside, fields...)
			}
			if _, none := less(value, inside, false); none {
				delete(v, key)
			}
		}
		return v, some && len(v) == 0
	}
	return v, false
}

func FuzzCut(f *testing.F) {
	for _, s := range []string{
		"status:\n  a: 1\nmetadata:\n  uid: 1\n  name: x\n", "a: |\n  text\nstatus:\n  b: c\n    # text?\nb: 2\n", "spec:\n- deep:\n  - er: 1\n    b: 2\n  - b: >+\n      x\n\n",
		"metadata: {\n  name: 'it''s', # c\n  uid: \"a}b\\\"\",\n}\nstatus: [\n]\n", "status: a\n  b\n\n  c\na: b\n  - status\n---\nx\n", "items:\n- status: 3\n  a: &x [1]\n- *x\n", "metadata:\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: |\n      {}\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = head + text
		out, err := manifest.Cut([]byte(text), fields)
		if err != nil {
			if string(out) != text {
				t.Errorf("%v, but the text has changed", err)
			}
			return
		}
		if why := wrong(text, string(out)); why != "" {
			t.Errorf("%q became %q: %s", text, out, why)
		}
		if again, err := manifest.Cut(bytes.Clone(out), fields); err != nil || !bytes.Equal(again, out) {
			t.Errorf("%q became %q, and that %q, %v", text, out, again, err)
		}
	})
}
