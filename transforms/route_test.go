package transforms_test

import (
	"strings"
	"testing"

	"sluice/transforms"
)

func to(index string) *transforms.Route {
	return &transforms.Route{Rules: []transforms.Rule{{Index: index}}}
}

func TestRouteSetsTheIndexAndNothingElse(t *testing.T) {
	edits(t, to("new"), map[string]string{
		`{"_index":"old","_id":"1","_source":{"_index":"x","n":1.0}}`: `{"_index":"new","_id":"1","_source":{"_index":"x","n":1.0}}`,
		`{ "_id":"1","_source":{} , "\u005findex" : null }`:           `{ "_id":"1","_source":{} , "\u005findex" : "new" }`,
		`{"_id":"1","_source":{}}`:                                    `{"_index":"new","_id":"1","_source":{}}`,
		` {"n":1.0} `:                                                 `{"_index":"new","_source":{"n":1.0}}`,
		`{}`:                                                          `{"_index":"new","_source":{}}`,
		`{"index":{}} {"n":1}`:                                        `{"index":{"_index":"new"}} {"n":1}`,
		`{"create":{"_id":"1","_index":"old"}} {"n":1}`:               `{"create":{"_id":"1","_index":"new"}} {"n":1}`,
		`{"delete":{"_index":"old","_id":"1"}}`:                       `{"delete":{"_index":"new","_id":"1"}}`,
		`{"update":{"_id":"1"}} {"doc":{}}`:                           `(update of a _bulk file`,
		`{"_source":{}`:                                               `(not a JSON object`,
	})
}

func TestRouteFillsInFields(t *testing.T) {
	edits(t, to("{index}-{svc.name}-{@timestamp:2006.01.02}-{svc.name}"), map[string]string{
		`{"_index":"a","_source":{"svc":{"name":"\u00c4pi"},"@timestamp":"2026-02-03T23:30:00-02:00"}}`: `{"_index":"a-äpi-2026.02.04-äpi","_source":{"svc":{"name":"\u00c4pi"},"@timestamp":"2026-02-03T23:30:00-02:00"}}`,
		`{"_index":"a","_source":{"svc.name":7,"@timestamp":1770076800000}}`:                            `{"_index":"a-7-2026.02.03-7","_source":{"svc.name":7,"@timestamp":1770076800000}}`,
		`{"_index":"a","_source":{"svc.name":true,"@timestamp":"2026-02-03"}}`:                          `{"_index":"a-true-2026.02.03-true","_source":{"svc.name":true,"@timestamp":"2026-02-03"}}`,
		`{"_index":"a","_source":{"@timestamp":"2026-02-03"}}`:                                          `(no text or number as svc.name`,
		`{"_index":"a","_source":{"svc.name":["x"],"@timestamp":"2026-02-03"}}`:                         `(no text or number as svc.name`,
		`{"_index":"a","_source":{"svc.name":"x","@timestamp":"yesterday"}}`:                            `(no date as @timestamp`,
		`{"_source":{"svc.name":"x","@timestamp":"2026-02-03"}}`:                                        `(no text or number as index`,
	})
}

func TestRouteRefusesNamesThatAreNotOfOneIndex(t *testing.T) {
	for _, bad := range []string{`*`, `a,b`, `a/b`, `..`, `a\\b`, `a b`, `a\u0000b`, `a\u000a`, `a:b`, `<a>`, strings.Repeat("x", 300), `\ud83d`} {
		edits(t, to("{a}"), map[string]string{`{"a":"` + bad + `"}`: `(`})
		edits(t, to("x-{a}"), map[string]string{`{"a":"` + bad + `"}`: map[bool]string{true: `{"_index":"x-..","_source":{"a":".."}}`, false: `(`}[bad == ".."]})
	}
	for _, bad := range []string{`.kibana`, `-a`, `_all`, ``} {
		edits(t, to("{a}"), map[string]string{`{"a":"` + bad + `"}`: `(name of an index`})
	}
	for _, bad := range []string{"*", "{a", "a}", "{}", "{a..b}", "{a:}", "A", ".x", "a,b"} {
		if p := to(bad).Problems(env); len(p) != 1 || p[0].Option != "rules.0.index" {
			t.Errorf("%q: got %+v, want a problem of the name", bad, p)
		}
	}
}

func TestTheFirstRuleThatHoldsCounts(t *testing.T) {
	r := &transforms.Route{Rules: []transforms.Rule{
		{Where: []transforms.Condition{{Field: "level", Equals: []string{"ERROR"}}}, Index: "errors"},
		{Any: []transforms.Condition{{Field: "_index", Equals: []string{"a"}}, {Field: "b", Exists: true}}, Index: "{index}-new"},
	}}
	edits(t, r, map[string]string{
		`{"_index":"a","_source":{"level":"ERROR"}}`: `{"_index":"errors","_source":{"level":"ERROR"}}`,
		`{"_index":"a","_source":{"level":"INFO"}}`:  `{"_index":"a-new","_source":{"level":"INFO"}}`,
		`{"_index":"c","_source":{"level":"INFO"}}`:  `{"_index":"c","_source":{"level":"INFO"}}`,
		`{"delete":{"_index":"a","_id":"1"}}`:        `(no fields that say`,
	})
	r.Rules[0], r.Rules[1] = r.Rules[1], r.Rules[0]
	r.Rules[0].Any = nil
	if p := r.Problems(env); len(p) != 1 || !strings.Contains(p[0].Message, "put it last") {
		t.Errorf("a rule behind one without conditions: got %+v", p)
	}
}
