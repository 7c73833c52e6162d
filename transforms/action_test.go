package transforms_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/transforms"
)

// index is a sink that is one.
type index struct{}

func (index) Target(index string) string { return index }
func (index) List(context.Context, string, func(id, routing []byte, version int64) error) error {
	return nil
}

// pair is what lines toward an index make of two lines.
func pair(t testing.TB, c *transforms.Lines, target kind.Lister) func([]byte) bool {
	t.Helper()
	e := env
	e.Target = target
	tr, err := c.Build(e)
	if err != nil {
		t.Fatal(err)
	}
	return tr.(pipeline.Lines).Pair
}

func TestActionsWithASourceAreToldFromDocuments(t *testing.T) {
	isAction := pair(t, &transforms.Lines{}, index{})
	for line, want := range map[string]bool{
		`{"index":{}}`:                       true,
		`{"index":{"_index":"i","_id":"1"}}`: true,
		` { "create" : { "_id" : "a\"}b" , "routing":"r"} }` + " \r":                                                                true,
		`{"update":{"_id":"1","_type":"_doc","_source":["a","b}"],"retry_on_conflict":3}}`:                                          true,
		`{"index":{"_id":null,"version":7,"version_type":"external","require_alias":true,"dynamic_templates":{"a":"b","c":["}"]}}}`: true,
		`{"index":{"_routing":"r","_version":1,"_parent":"p"}}`:                                                                     true,

		`{"delete":{"_id":"1"}}`:                          false, // has no source
		`{"_index":"i","_id":"1","_source":{"index":{}}}`: false,
		`{"index":{"name":"x"}}`:                          false, // a document: engines refuse such an action
		`{"update":{"table":"t","_id":"1"}}`:              false,
		`{"index":{},"other":1}`:                          false,
		`{"other":1,"index":{}}`:                          false,
		`{"index":{}} {"a":1}`:                            false, // a pair that is one line already
		`{"index":"logs"}`:                                false,
		`{"index":{"_id":"1"}`:                            false,
		`{"index":{"_id":}}`:                              false,
		`{"index":{"_id" "1"}}`:                           false,
		`{"index":{"_id":"1",}}`:                          false,
		`{"index":{,"_id":"1"}}`:                          false,
		`{"index":{"_id":"1"`:                             false,
		`{"index":{"_id":"1`:                              false,
		`{"index`:                                         false,
		`{"indexes":{}}`:                                  false,
		`["index"]`:                                       false,
		`index`:                                           false,
		``:                                                false,
	} {
		if got := isAction([]byte(line + "\n")); got != want {
			t.Errorf("%s: got %v, want %v", line, got, want)
		}
	}
}

func TestPairsAreMadeTowardAnIndexOnly(t *testing.T) {
	for pairs, want := range map[string][2]bool{"auto": {true, false}, "": {true, false}, "no": {false, false}} {
		c := &transforms.Lines{Pairs: pairs}
		if got := [2]bool{pair(t, c, index{}) != nil, pair(t, c, nil) != nil}; got != want {
			t.Errorf("pairs: %q: got %v, want %v (to an index, elsewhere)", pairs, got, want)
		}
		if got := strings.Contains(c.Identity(), "pairs"); got != (pairs == "no") {
			t.Errorf("pairs: %q: got identity %q", pairs, c.Identity())
		}
	}
}

// FuzzIsAction: a line that is JSON is an action exactly if a decoder finds it
// to be one; whatever it is, nothing breaks.
func FuzzIsAction(f *testing.F) {
	for _, line := range []string{`{"index":{"_id":"1"}}`, `{"update":{"_source":[1,{"a":"}"}]}}`, `{"create":{"x":1}}`, `{"index":{}}x`, "\xff", `{"index":{"_id":"\u0031"}}`} {
		f.Add([]byte(line))
	}
	isAction := pair(f, &transforms.Lines{}, index{})
	f.Fuzz(func(t *testing.T, line []byte) {
		got := isAction(line)
		if !json.Valid(line) {
			return
		}
		if want := decodedAction(line); got && !want {
			t.Errorf("%q: got an action, want none", line)
		}
	})
}

// decodedAction decodes an action.
func decodedAction(line []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(line, &members) != nil || len(members) != 1 {
		return false
	}
	for _, name := range []string{"index", "create", "update"} {
		var metadata map[string]any
		if value, ok := members[name]; ok && json.Unmarshal(value, &metadata) == nil && metadata != nil {
			return true
		}
	}
	return false
}

func TestLookingForActionsAllocatesNothing(t *testing.T) {
	isAction := pair(t, &transforms.Lines{}, index{})
	lines := [][]byte{[]byte(`{"index":{"_index":"i","_id":"1","routing":"r"}}` + "\n"), []byte(`{"_index":"i","_id":"1","_source":{}}` + "\n")}
	if n := testing.AllocsPerRun(100, func() {
		for _, line := range lines {
			isAction(line)
		}
	}); n > 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}
