package transforms_test

import (
	"testing"

	"sluice/internal/kind"
	"sluice/transforms"
)

func where(c transforms.Condition) *transforms.Filter {
	return &transforms.Filter{Where: []transforms.Condition{c}}
}

// keeps compares which records a filter keeps, as they are.
func keeps(t *testing.T, k kind.Transform, records map[string]bool) {
	t.Helper()
	for rec, kept := range records {
		want := ""
		if kept {
			want = rec
		}
		if got := edited(t, k, rec); got != want {
			t.Errorf("%s of %s: got %q, want %q", k.Identity(), rec, got, want)
		}
	}
}

func TestAConditionComparesValuesByWhatTheyMean(t *testing.T) {
	keeps(t, where(transforms.Condition{Field: "a", Equals: []string{"x", "17", "true"}}), map[string]bool{
		`{"_source":{"a":"x"}}`: true, `{"_source":{"a":"\u0078"}}`: true, `{"a":17}`: true, `{"a":1.70e1}`: true, `{"a":"17"}`: true,
		`{"a":true}`: true, `{"a":["y",["x"]]}`: true, `{"a":[]}`: false, `{"a":null}`: false, `{"a":{}}`: false, `{"b":"x"}`: false,
		`{"a":"X"}`: false, `{"a":17.01}`: false, `{"a":"\ud83d"}`: false, `{"a.b":"x"}`: false, `{"x":{"a":"x"}}`: false,
	})
	keeps(t, where(transforms.Condition{Field: "n", GT: "9007199254740992", LTE: "1e17"}), map[string]bool{
		`{"n":9007199254740993}`: true, `{"n":9007199254740992}`: false, `{"n":100000000000000000}`: true, `{"n":100000000000000001}`: false,
		`{"n":"9007199254740993"}`: false, `{"n":[1,9007199254740993]}`: true, `{"n":true}`: false, `{}`: false,
	})
	keeps(t, where(transforms.Condition{Field: "@timestamp", GTE: "2026-02-01", LT: "2026-03"}), map[string]bool{
		`{"@timestamp":"2026-02-01"}`: true, `{"@timestamp":"2026-02-28T23:59:59Z"}`: true, `{"@timestamp":"2026-03-01"}`: false, `{"@timestamp":20260201}`: false,
	})
	keeps(t, where(transforms.Condition{Field: "m", Matches: `^GET "\S+"\n?$`}), map[string]bool{
		`{"m":"GET \"/\"\n"}`: true, `{"m":"a GET \"/\""}`: false, `{"m":7}`: false,
	})
	keeps(t, where(transforms.Condition{Field: "u.id", Exists: true}), map[string]bool{
		`{"u":{"id":{}}}`: true, `{"u.id":0}`: true, `{"u":[{"x":1},{"id":""}]}`: true, `{"u":{"id.x":1}}`: true, `{"u":{"id":null}}`: false, `{"u":{"id":[null]}}`: false, `{"u":1}`: false,
	})
	keeps(t, where(transforms.Condition{Field: "a", Equals: []string{"x"}, Not: true}), map[string]bool{
		`{"a":"x"}`: false, `{"a":"y"}`: true, `{}`: true, `{"a":["y","x"]}`: false,
	})
}

func TestConditionsHoldTogether(t *testing.T) {
	f := &transforms.Filter{
		Where: []transforms.Condition{{Field: "_index", Equals: []string{"i"}}, {Field: "u", Exists: true}, {Field: "u.id", GT: "1"}},
		Any:   []transforms.Condition{{Field: "a", Equals: []string{"x"}}, {Field: "_routing", Exists: true}, {Field: "u.id", Equals: []string{"7"}}},
	}
	keeps(t, f, map[string]bool{
		`{"_index":"i","_source":{"u":{"id":2},"a":"x"}}`:            true,
		`{"_source":{"u":{"id":2},"a":"x"},"_index":"i"}`:            true,
		`{"_index":"i","_routing":"r","_source":{"u":{"id":2}}}`:     true,
		`{"_index":"i","_source":{"u.id":7}}`:                        true,
		`{"_index":"i","_source":{"u":{"id":2}}}`:                    false,
		`{"_index":"i","_source":{"u":{"id":1},"a":"x"}}`:            false,
		`{"_index":"j","_source":{"u":{"id":2},"a":"x"}}`:            false,
		`{"u":{"id":2},"a":"x"}`:                                     false,
		`{"index":{"_index":"i","_id":"1"}} {"u":{"id":2},"a":"x"}`:  true,
		`{"index":{"_index":"j","_id":"1"}} {"u":{"id":2},"a":"x"}`:  false,
		`{"index":{"_index":"i"}} {"_index":"j","u.id":2,"a":["x"]}`: true,
	})
}

// What a delete deletes may have been kept: without the delete it stays.
func TestAFilterKeepsDeletes(t *testing.T) {
	for _, f := range []*transforms.Filter{where(transforms.Condition{Field: "a", Exists: true}), {JQ: `false`}} {
		keeps(t, f, map[string]bool{`{"delete":{"_index":"i","_id":"1"}}`: true, `{"b":1}`: false})
	}
}

func TestAFilterByJQSeesTheWholeRecord(t *testing.T) {
	keeps(t, &transforms.Filter{Where: []transforms.Condition{{Field: "n", Exists: true}}, JQ: `._index == "i" and ._source.n % 2 == 1`}, map[string]bool{
		`{"_index":"i","_source":{"n":9007199254740993}}`: true, `{"_index":"i","_source":{"n":9007199254740992}}`: false,
		`{"_index":"j","_source":{"n":1}}`: false,
	})
	keeps(t, &transforms.Filter{JQ: `empty`}, map[string]bool{`{"a":1}`: false})
	keeps(t, &transforms.Filter{JQ: `.a`}, map[string]bool{`{"a":0}`: true, `{"a":null}`: false, `{}`: false})
}

func TestWhatAFilterCannotReadIsADeadLetter(t *testing.T) {
	edits(t, where(transforms.Condition{Field: "a", Exists: true}), map[string]string{
		`{"a":1`: `(not a JSON object`, `{"update":{"_id":"1"}} {"doc":{"a":1}}`: `(update of a _bulk file`, `{"_source":{"a":1},"_source":{}}`: `(more than one _source`, `{"_source":{"a":1} x}`: `(not a JSON object`,
	})
	edits(t, &transforms.Filter{JQ: `.a.b`}, map[string]string{`{"a":1}`: `(jq: expected an object but got: number (1)`})
}
