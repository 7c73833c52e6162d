package search_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/unit"
	"sluice/pipeline"
)

func TestWhatTheClusterWillNeverTakeIsADeadLetter(t *testing.T) {
	for _, o := range []outcome{
		{400, mapping, `failed to parse field [n] of type "long"` + "\n"}, {400, "document_parsing_exception", "[1:6] failed"},
		{400, "strict_dynamic_mapping_exception", "strict"}, {400, "illegal_argument_exception", "limit of total fields"},
		{400, "routing_missing_exception", "routing"}, {400, "invalid_index_name_exception", "index"}, {409, "version_conflict_engine_exception", "conflict"},
	} {
		c := newCluster(t)
		c.item = func(_ int, op op) outcome {
			if op.ID == "1" {
				return o
			}
			return outcome{}
		}
		l := newLoading(some(5, 3), some(0, 5))
		l.complete(t, config(c.URL), 1)
		c.expect(t, some(5, 3), some(0, 1), some(2, 3))
		got := l.letters.list[0]
		want := pipeline.Letter{Pass: 1, Lane: "a", Stage: "sink", From: pipeline.Position{Token: "1"}, Line: 1, Key: "logs", Reason: got.Reason,
			Refusal: &pipeline.Refusal{Status: o.status, Type: o.kind, Reason: o.reason, Attempts: 1}, Record: []byte(some(1, 1)[0])}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("letter (-want +got):\n%s", diff)
		}
	}
}

func TestRecordsOfABlockAreRefusedWhileOthersOfItAreStillCopied(t *testing.T) {
	c := newCluster(t)
	c.item = func(_ int, o op) outcome {
		if strings.HasSuffix(o.ID, "1") {
			return outcome{400, mapping, "failed to parse"}
		}
		return outcome{}
	}
	l := newLoading(long(0, 10_000))
	l.complete(t, config(c.URL), 1000)
	if len(c.bulks) < 3 {
		t.Errorf("%d requests, want several", len(c.bulks))
	}
}

func TestWithoutDeadLettersARefusedRecordIsAnError(t *testing.T) {
	c := newCluster(t)
	c.item = func(_ int, o op) outcome {
		if o.ID == "3" {
			return outcome{400, mapping, "failed to parse"}
		}
		return outcome{}
	}
	l := newLoading(some(0, 5))
	l.letters = nil
	l.fails(t, config(c.URL), "sink: lane a: logs: record 3: 400 mapper_parsing_exception: failed to parse")
}

func TestWhatIsWrongWithAnIndexIsAnErrorAndNoLetter(t *testing.T) {
	for _, o := range []outcome{
		{400, "illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams"}, {400, "illegal_argument_exception", "pipeline with id [geoip] does not exist"}, {400, "index_closed_exception", "closed"},
		{404, "index_not_found_exception", "no such index [logs]"}, {403, "security_exception", "no permissions"}, {400, "validation_exception", "shards open"},
	} {
		c := newCluster(t)
		c.item = func(int, op) outcome { return o }
		l := newLoading(some(0, 5))
		l.fails(t, config(c.URL), "sink: lane a: ", `{"_index":"logs","_id":"0"}`, fmt.Sprintf("%d %s: %s", o.status, o.kind, o.reason))
		c.item = nil
		l.complete(t, config(c.URL), 0)
		c.expect(t, some(0, 5))
	}
}

func TestARequestThatIsRefusedAsAWholeIsHalvedDownToTheRecord(t *testing.T) {
	c := newCluster(t)
	poison := rec("logs", "poison", `{}`)
	c.whole = func(_ int, ops []op, _ int) *answer {
		if slices.ContainsFunc(ops, func(o op) bool { return o.ID == "poison" }) {
			return &answer{400, `{"error":{"type":"illegal_argument_exception","reason":"Malformed action"},"status":400}`}
		}
		return nil
	}
	l := newLoading(slices.Concat(some(0, 30), []string{poison}, some(30, 20)))
	l.complete(t, config(c.URL), 1)
	c.expect(t, some(0, 50))
	if got := l.letters.list[0]; string(got.Record) != poison || got.Line != 30 || got.Refusal.Reason != "Malformed action" {
		t.Errorf("letter %+v, want that of record 30", got)
	}
}

func TestAClusterThatRefusesEverythingIsAnError(t *testing.T) {
	c := newCluster(t)
	c.whole = func(int, []op, int) *answer { return &answer{400, "this is no search cluster"} }
	l := newLoading(some(0, 1000))
	res, err := l.run(t, config(c.URL))
	if err == nil || res.Complete || !strings.Contains(err.Error(), "nothing is accepted") {
		t.Errorf("complete %v, %v, want an error", res.Complete, err)
	}
	if len(l.letters.list) > 20 {
		t.Errorf("%d letters, want a few at most", len(l.letters.list))
	}
}

func TestWrongCredentialsEndTheRunAtOnce(t *testing.T) {
	for _, status := range []int{401, 403, 404, 405} {
		c := newCluster(t)
		c.whole = func(int, []op, int) *answer {
			return &answer{status, `{"error":{"type":"security_exception","reason":"missing authentication credentials"},"status":401}`}
		}
		newLoading(some(0, 5)).fails(t, config(c.URL), "sink: lane a: POST ", "/_bulk: ", fmt.Sprint(status), "missing authentication")
		if len(c.bulks) != 1 {
			t.Errorf("%d: %d requests, want one", status, len(c.bulks))
		}
	}
}

func TestAReplyThatLeavesRecordsOutIsNoSuccess(t *testing.T) {
	drop := func(items []string) []string { return items[1:] }
	c := newCluster(t)
	c.items = func(n int, items []string) []string {
		if n == 0 {
			return drop(items)
		}
		return items
	}
	newLoading(some(0, 5)).complete(t, config(c.URL), 0)
	c.expect(t, some(0, 5))

	c.items = func(_ int, items []string) []string { return drop(items) }
	newLoading(some(0, 5)).fails(t, config(c.URL), "it speaks of 4 records, 5 were sent")

	c.items = func(_ int, items []string) []string { return append(items, items[0]) }
	newLoading(some(0, 5)).fails(t, config(c.URL), "it speaks of 6 records, 5 were sent")
}

func TestAReplyThatIsNoneIsAnError(t *testing.T) {
	for _, body := range []string{"", "{}", `{"errors":false}`, "<html>", `{"items":[{"index":{"status":201}}`, `{"items":[{"index":{}}]}`, `{"items":[{"index":{"status":201}}]}x`} {
		c := newCluster(t)
		c.whole = func(int, []op, int) *answer { return &answer{200, body} }
		cfg := config(c.URL)
		cfg.Retry = unit.Duration(1)
		newLoading(some(0, 1)).fails(t, cfg, "POST /_bulk: reply: ")
	}
}

func TestRecordsThatWouldCostTheRequestAreFoundBeforeItIsSent(t *testing.T) {
	long := strings.Repeat("é", 256)
	for line, want := range map[string]string{
		"no envelope":                 "not_a_record",
		"":                            "not_a_record",
		`{"message":"a document"}`:    "index_missing",
		`{"_index":"logs","_id":"1"}`: "not_a_record",
		`{"_index":"logs","_id":"1","_source":"text"}`:                             "not_an_envelope",
		`{"_index":"logs","_id":"1","_source":{"a":1}`:                             "not_a_record",
		`{"_index":"logs","_id":"1","_source":{"a":1}} {}`:                         "not_a_record",
		`{"_index":"logs","_id":"1","_id":"2","_source":{}}`:                       "not_an_envelope",
		`{"_index":"logs","\u005fid":"1","_source":{}}`:                            "not_an_envelope",
		`{"_index":"logs","_id":"` + long + `x","_source":{}}`:                     "invalid_id",
		`{"_index":"logs","_id":"a` + "\x01" + `b","_source":{}}`:                  "invalid_id",
		`{"_index":"logs","_id":"a` + "\xff" + `b","_source":{}}`:                  "invalid_id",
		`{"_index":"logs","_id":"\ud800","_source":{}}`:                            "invalid_id",
		`{"_index":"logs","_id":"\q","_source":{}}`:                                "invalid_id",
		`{"_index":"logs","_id":7,"_source":{}}`:                                   "invalid_id",
		`{"_index":"logs","_id":"1","_routing":{"a":1},"_source":{}}`:              "invalid_routing",
		`{"_index":"logs","_id":"1","_version":-1,"_source":{}}`:                   "invalid_version",
		`{"_index":"logs","_id":"1","_version":1.0,"_source":{}}`:                  "invalid_version",
		`{"_index":"logs","_id":"1","_version":1e3,"_source":{}}`:                  "invalid_version",
		`{"_index":"logs","_id":"1","_version":"7","_source":{}}`:                  "invalid_version",
		`{"_index":"logs","_id":"1","_version":007,"_source":{}}`:                  "invalid_version",
		`{"_index":"logs","_id":"1","_version":[7],"_source":{}}`:                  "invalid_version",
		`{"_index":"logs","_id":"1","_version":true,"_source":{}}`:                 "invalid_version",
		`{"_index":"logs","_id":"1","_version":9223372036854775808,"_source":{}}`:  "invalid_version",
		`{"_index":"logs","_id":"1","_version":10000000000000000000,"_source":{}}`: "invalid_version",
		`{"_index":"logs","_id":"1","_version":7,"_version":8,"_source":{}}`:       "not_an_envelope",
		`{"_id":"1","_source":{}}`:                                                 "index_missing",
		`{"_index":null,"_id":"1","_source":{}}`:                                   "index_missing",
		`{"_index":"lo*","_id":"1","_source":{}}`:                                  "invalid_index",
		`{"_index":"a,b","_id":"1","_source":{}}`:                                  "invalid_index",
		`{"_index":"<logs-{now/d}>","_id":"1","_source":{}}`:                       "invalid_index",
		`{"_index":"_all","_id":"1","_source":{}}`:                                 "invalid_index",
		`{"_index":["logs"],"_id":"1","_source":{}}`:                               "invalid_index",
		`{"_index":".opendistro_security","_id":"1","_source":{}}`:                 "system_index",
		`{"_index":"\u002eopendistro_security","_id":"1","_source":{}}`:            "system_index",
		`{"_index":"\u002a","_id":"1","_source":{}}`:                               "invalid_index",
		`{"_index":"logs","_id":"1","_routing":"\ud800","_source":{}}`:             "invalid_routing",
		`{"_index":"logs","_id":"1","_source":{"a":"}"}`:                           "not_a_record",
		`{"_index":"logs","_id":"1","_source":{},}`:                                "not_a_record",
		`{"_index":"logs","_id":"1" "_source":{}}`:                                 "not_a_record",
		`[{"_index":"logs","_id":"1","_source":{}}]`:                               "not_a_record",
		`{"_index":"logs","_id":"1","_source":{}` + strings.Repeat("]", 3):         "not_a_record",
	} {
		c := newCluster(t)
		block := slices.Concat(some(0, 2), []string{line + "\n"}, some(2, 2))
		l := newLoading(block)
		l.complete(t, config(c.URL), 1)
		c.expect(t, some(0, 4))
		if len(l.letters.list) != 1 || len(c.bulks) != 1 {
			t.Errorf("%s: %d letters, %d requests, want one each", line, len(l.letters.list), len(c.bulks))
			continue
		}
		if got := l.letters.list[0]; got.Refusal == nil || got.Refusal.Type != want || got.Line != 2 || string(got.Record) != line+"\n" {
			t.Errorf("%s: letter %+v with %+v, want %s of record 2", line, got, got.Refusal, want)
		}
	}
}

func TestEnvelopesComeInAnyOrderAndWithAnyBlanks(t *testing.T) {
	c := newCluster(t)
	long := strings.Repeat("é", 256) // 512 bytes
	newLoading([]string{
		`{"_index":"logs","_id":"1","_routing":"r","_source":{"a":1.0,"b":1e400}}` + "\n",
		` { "_source" : {"a" : [ {"}":"\\"} , "\"" ] } , "_id" : "2" , "_index" : "logs" , "_version" : 3, "_seq_no":4, "x":[{"_id":"no"}] } ` + "\r\n",
		`{"_source":{},"_routing":null,"_index":"logs","_id":"` + long + `"}` + "\n",
		`{"_index":"caf\u00e9","_id":"\u0031\ud83d\ude00\/","_source":{"_id":"inner","_index":".x"}}` + "\n",
	}).complete(t, config(c.URL), 0)
	want := [][]op{{
		{"index", "logs", "1", "r", `{"a":1.0,"b":1e400}`, ""}, {"index", "logs", "2", "", `{"a" : [ {"}":"\\"} , "\"" ] }`, "3"},
		{"index", "logs", long, "", `{}`, ""}, {"index", "café", "1😀/", "", `{"_id":"inner","_index":".x"}`, ""},
	}}
	if diff := cmp.Diff(want, c.bulks); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestTheOptionIndexOverridesThatOfTheRecords(t *testing.T) {
	c := newCluster(t)
	cfg := config(c.URL)
	cfg.Index = "other"
	c.item = func(_ int, o op) outcome {
		if o.ID == "1" {
			return outcome{400, mapping, "no"}
		}
		return outcome{}
	}
	l := newLoading([]string{rec("logs", "0", `{}`), rec("logs", "1", `{}`), rec(".kibana", "2", `{}`), `{"_id":"3","_source":{}}` + "\n"})
	l.complete(t, cfg, 1)
	c.expect(t, []string{rec("other", "0", `{}`), rec("other", "2", `{}`), rec("other", "3", `{}`)})
	if got := string(l.letters.list[0].Record); got != rec("logs", "1", `{}`) {
		t.Errorf("letter of %q, want the record as it was read", got)
	}
	if !slices.Contains(c.paths, "POST /other/_refresh") || len(c.paths) != 1 {
		t.Errorf("requests %q, want a refresh of other", c.paths)
	}
}

func TestCreateLeavesDocumentsThatAreThere(t *testing.T) {
	c := newCluster(t)
	c.docs["logs/1"] = `{"old":true}`
	cfg := config(c.URL)
	cfg.Action = "create"
	newLoading(some(0, 3)).complete(t, cfg, 0)
	c.expect(t, some(0, 1), some(2, 1), []string{rec("logs", "1", `{"old":true}`)})
}

func TestRecordsWithoutIDAreSentOnlyAgainIfTheyFailed(t *testing.T) {
	c := newCluster(t)
	first := true
	c.item = func(_ int, o op) outcome {
		if o.Source == `{"n":1}` && first {
			first = false
			return outcome{429, "es_rejected_execution_exception", "queue is full"}
		}
		return outcome{}
	}
	newLoading([]string{`{"_index":"logs","_source":{"n":0}}` + "\n", `{"_index":"logs","_source":{"n":1}}` + "\n", `{"_index":"logs","_source":{"n":2}}` + "\n"}).complete(t, config(c.URL), 0)
	if len(c.docs) != 3 {
		t.Errorf("documents %v, want 3", c.docs)
	}
}

func TestLettersAreOfTheRecordAlsoAfterARetryMovedIt(t *testing.T) {
	c := newCluster(t)
	c.item = func(n int, o op) outcome {
		switch {
		case n == 0:
			return outcome{429, "es_rejected_execution_exception", "queue is full"}
		case n == 1 && (o.ID == "2" || o.ID == "7"):
			return outcome{503, "unavailable_shards_exception", ""}
		case n == 2 && o.ID == "7":
			return outcome{400, mapping, "no"}
		}
		return outcome{}
	}
	l := newLoading(slices.Concat([]string{"bad\n"}, some(0, 9)))
	l.complete(t, config(c.URL), 2)
	c.expect(t, some(0, 7), some(8, 1))
	got := l.letters.list[1]
	if string(got.Record) != some(7, 1)[0] || got.Line != 8 || got.Refusal.Attempts != 3 {
		t.Errorf("letter %+v of %q, want that of record 8 after 3 attempts", got, got.Record)
	}
}
