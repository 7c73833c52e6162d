package search_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/internal/check"
	"sluice/internal/kind"
	"sluice/sinks/search"
)

// sent gives what a line becomes in a request, or the type of its letter.
func sent(t *testing.T, cfg search.Config, line string) string {
	t.Helper()
	body, fault := search.Body(cfg, []byte(line))
	if fault != "" {
		return fault
	}
	return strings.TrimSuffix(string(body), "\n")
}

func TestRecordsAreToldByTheirKeys(t *testing.T) {
	for line, want := range map[string]string{
		// envelopes
		`{"_index":"i","_id":"1","_source":{"a":1}}`:                                                            `{"index":{"_index":"i","_id":"1"}}` + "\n" + `{"a":1}`,
		`{"_index":"i","_type":"_doc","_id":"1","_score":1.5,"sort":[3],"routing":"r","_source":{"a":1}}`:       `{"index":{"_index":"i","_id":"1","routing":"r"}}` + "\n" + `{"a":1}`,
		`{"_index":"i","_id":"1","_version":7,"_seq_no":3,"_primary_term":1,"_routing":"r","_source":{"a":{}}}`: `{"index":{"version":7,"version_type":"external_gte","_index":"i","_id":"1","routing":"r"}}` + "\n" + `{"a":{}}`,
		`{"_source":{"index":{"_id":"no"}},"_index":"i"}`:                                                       `{"index":{"_index":"i"}}` + "\n" + `{"index":{"_id":"no"}}`,
		`{"_index":"i","_id":"1","routing":"r","_routing":"s","_source":{}}`:                                    "not_an_envelope",
		// actions and their sources
		`{"index":{"_index":"i","_id":"1"}} {"a":1}`:                                                     `{"index":{"_index":"i","_id":"1"}}` + "\n" + `{"a":1}`,
		` { "create" : { "_id" : "1" , "_index" : "i" } } { "a" : [ 1 ] } `:                              `{"create":{"_index":"i","_id":"1"}}` + "\n" + `{ "a" : [ 1 ] }`,
		`{"index":{"_index":"i"}}{"a":1}`:                                                                `{"index":{"_index":"i"}}` + "\n" + `{"a":1}`,
		`{"index":{"_index":"i","_id":7,"routing":8}} {}`:                                                `{"index":{"_index":"i","_id":"7","routing":"8"}}` + "\n" + `{}`,
		`{"index":{"_index":"i","_id":"1","_type":"t","version":3,"version_type":"external"}} {}`:        `{"index":{"version":3,"version_type":"external_gte","_index":"i","_id":"1"}}` + "\n" + `{}`,
		`{"index":{"_index":"i","pipeline":"p","require_alias":true,"_id":"1"}} {}`:                      `{"index":{"pipeline":"p","require_alias":true,"_index":"i","_id":"1"}}` + "\n" + `{}`,
		`{"update":{"_index":"i","_id":"1","retry_on_conflict":3}} {"doc":{"a":1},"doc_as_upsert":true}`: `{"update":{"retry_on_conflict":3,"_index":"i","_id":"1"}}` + "\n" + `{"doc":{"a":1},"doc_as_upsert":true}`,
		`{"update":{"_index":"i","_id":"1","version":3}} {"script":{"source":"x"}}`:                      `{"update":{"_index":"i","_id":"1"}}` + "\n" + `{"script":{"source":"x"}}`,
		`{"delete":{"_index":"i","_id":"1","routing":"r"}}`:                                              `{"delete":{"_index":"i","_id":"1","routing":"r"}}`,
		`{"delete":{"_index":"i","_id":"1","version":9,"version_type":"external"}} `:                     `{"delete":{"version":9,"version_type":"external_gte","_index":"i","_id":"1"}}`,
		`{"index":{"_index":"i","_id":"1"}}`:                                                             "source_missing",
		`{"update":{"_index":"i","_id":"1"}} `:                                                           "source_missing",
		`{"index":{}}`:                                                                                   "source_missing",
		`{"delete":{"_index":"i","_id":"1"}} {"a":1}`:                                                    "not_an_action",
		`{"index":{"_index":"i","_id":"1"}} {"a":1} {"b":1}`:                                             "not_an_action",
		`{"index":{"_index":"i","_id":"1"}} 7`:                                                           "not_an_action",
		`{"index":{"_index":"i","_id":"1"}} {"a":1`:                                                      "not_an_action",
		`{"index":{"_index":"i","_id":"1","if_seq_no":3,"if_primary_term":1}} {}`:                        "invalid_action",
		`{"index":{"_index":"i","_id":"1","_id":"2"}} {}`:                                                "invalid_action",
		`{"index":{"_index":"i","\u005fid":"2"}} {}`:                                                     "invalid_action",
		`{"index":{"_index":"i","pipeline":7}} {}`:                                                       "invalid_action",
		`{"index":{"_index":"i","require_alias":"true"}} {}`:                                             "invalid_action",
		`{"update":{"_index":"i","_id":"1","retry_on_conflict":"3"}} {}`:                                 "invalid_action",
		`{"index":{"_index":"i","_source":{}}} {}`:                                                       "invalid_action",
		`{"index":{"_index":"i","_id":{"a":1}}} {}`:                                                      "invalid_id",
		`{"index":{"_index":"i","_id":true}} {}`:                                                         "invalid_id",
		`{"index":{"_id":"1"}} {}`:                                                                       "index_missing",
		`{"index":{"_index":"i*","_id":"1"}} {}`:                                                         "invalid_index",
		`{"update":{"_index":"i"}} {"doc":{}}`:                                                           "id_missing",
		`{"delete":{"_index":"i"}}`:                                                                      "id_missing",
		`{"upsert":{"_index":"i","_id":"1"}} {}`:                                                         "not_a_record",
		`{"a":1} {"b":1}`:                                                                                "not_a_record",
		// documents
		`{"a":1}`: "index_missing",
		`{"index":{"status":"a document with a field of that name"}}`: "index_missing",
		`{"delete":{"_id":"1","by":"a user"}}`:                        "index_missing",
		`{"_id":"1","a":1}`:                                           "not_a_record",
		`{"_index":"i","a":1}`:                                        "not_a_record",
		`7`:                                                           "not_a_record",
		`[{}]`:                                                        "not_a_record",
		`null`:                                                        "not_a_record",
	} {
		if got := sent(t, search.Config{Format: "auto", Action: "auto", ID: "keep", Versions: true}, line); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func TestAFormatThatIsSetIsEnforced(t *testing.T) {
	const envelope, document, pair = `{"_index":"i","_id":"1","_source":{"a":1}}`, ` {"a":1, "_id" : 7} `, `{"index":{"_index":"i","_id":"1"}} {"a":1}`
	for _, c := range [][3]string{
		{"envelope", envelope, `{"index":{"_index":"x","_id":"1"}}` + "\n" + `{"a":1}`}, {"envelope", document, "not_an_envelope"}, {"envelope", pair, "not_an_envelope"},
		{"document", envelope, `{"index":{"_index":"x"}}` + "\n" + envelope}, {"document", document, `{"index":{"_index":"x"}}` + "\n" + `{"a":1, "_id" : 7}`},
		{"document", pair, "not_a_document"}, {"document", `{"delete":{"_id":"1"}}`, `{"index":{"_index":"x"}}` + "\n" + `{"delete":{"_id":"1"}}`},
		{"document", `{}`, `{"index":{"_index":"x"}}` + "\n{}"}, {"document", `{"caf\u00e9":1,"a":1,"a":2}`, `{"index":{"_index":"x"}}` + "\n" + `{"caf\u00e9":1,"a":1,"a":2}`},
		{"bulk", envelope, "not_an_action"}, {"bulk", document, "not_an_action"}, {"bulk", pair, `{"index":{"_index":"x","_id":"1"}}` + "\n" + `{"a":1}`},
		{"bulk", `{"index":{"other":1}}`, "invalid_action"}, {"bulk", `{"delete":{"_id":"1"}}`, `{"delete":{"_index":"x","_id":"1"}}`},
	} {
		if got := sent(t, search.Config{Format: c[0], Action: "auto", ID: "keep", Index: "x"}, c[1]); got != c[2] {
			t.Errorf("%s: %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

func TestTheActionThatIsSetIsDone(t *testing.T) {
	const envelope, index, create = `{"_index":"i","_id":"1","_version":3,"_source":{"a":1}}`, `{"index":{"_index":"i","_id":"1"}} {"a":1}`, `{"create":{"_index":"i","_id":"1"}} {"a":1}`
	const update, remove = `{"update":{"_index":"i","_id":"1"}} {"doc":{"a":1}}`, `{"delete":{"_index":"i","_id":"1"}}`
	at := func(verb, source string) string { return fmt.Sprintf(`{%q:{"_index":"i","_id":"1"}}`, verb) + source }
	for _, c := range []struct {
		action, line, want string
		upsert             bool
	}{
		{"index", envelope, `{"index":{"version":3,"version_type":"external_gte","_index":"i","_id":"1"}}` + "\n" + `{"a":1}`, false},
		{"index", create, at("index", "\n"+`{"a":1}`), false}, {"index", update, "other_action", false}, {"index", remove, "other_action", false},
		{"create", envelope, at("create", "\n"+`{"a":1}`), false}, {"create", index, at("create", "\n"+`{"a":1}`), false},
		{"create", update, "other_action", false}, {"create", remove, "other_action", false},
		{"update", envelope, at("update", "\n"+`{"doc":{"a":1}}`), false}, {"update", index, at("update", "\n"+`{"doc":{"a":1}}`), false},
		{"update", envelope, at("update", "\n"+`{"doc":{"a":1},"doc_as_upsert":true}`), true}, {"update", update, at("update", "\n"+`{"doc":{"a":1}}`), true},
		{"update", remove, "other_action", false}, {"update", `{"_index":"i","_source":{}}`, "id_missing", false},
		{"delete", envelope, `{"delete":{"version":3,"version_type":"external_gte","_index":"i","_id":"1"}}`, false}, {"delete", index, at("delete", ""), false},
		{"delete", update, at("delete", ""), false}, {"delete", remove, at("delete", ""), false}, {"delete", `{"_index":"i","_source":{}}`, "id_missing", false},
	} {
		cfg := search.Config{Format: "auto", Action: c.action, ID: "keep", Versions: true, Upsert: c.upsert}
		if got := sent(t, cfg, c.line); got != c.want {
			t.Errorf("%s: %s: %s, want %s", c.action, c.line, got, c.want)
		}
	}
}

func TestIDsAndRoutingComeFromWhereOptionsSay(t *testing.T) {
	const source = `{"user":{"name":"ann","n":7,"a.b":{"c":"deep"}},"user.id":"flat","x":null,"list":[1],"f":-1.50}`
	line := `{"_index":"i","_id":"1","_routing":"r","_version":3,"_source":` + source + `}`
	action := func(id string) string { return `{"index":{"_index":"i"` + id + `}}` + "\n" + source }
	for name, c := range map[string]struct {
		cfg  search.Config
		line string
		want string
	}{
		"kept":           {search.Config{}, line, `{"index":{"version":3,"version_type":"external_gte","_index":"i","_id":"1","routing":"r"}}` + "\n" + source},
		"generated":      {search.Config{ID: "generate"}, line, action(`,"routing":"r"`)},
		"hash":           {search.Config{ID: "hash"}, `{"_index":"i","_source":{}}`, `{"index":{"_index":"i","_id":"RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o"}}` + "\n{}"},
		"field":          {search.Config{IDField: "user.name"}, line, action(`,"_id":"ann","routing":"r"`)},
		"number":         {search.Config{IDField: "user.n"}, line, action(`,"_id":"7","routing":"r"`)},
		"as written":     {search.Config{IDField: "f"}, line, action(`,"_id":"-1.50","routing":"r"`)},
		"flat":           {search.Config{IDField: "user.id"}, line, action(`,"_id":"flat","routing":"r"`)},
		"half flat":      {search.Config{IDField: "user.a.b.c"}, line, action(`,"_id":"deep","routing":"r"`)},
		"missing":        {search.Config{IDField: "user.mail"}, line, "field_missing"},
		"null":           {search.Config{IDField: "x"}, line, "field_missing"},
		"object":         {search.Config{IDField: "user"}, line, "field_missing"},
		"list":           {search.Config{IDField: "list"}, line, "field_missing"},
		"long":           {search.Config{IDField: "a"}, `{"_index":"i","_source":{"a":"` + strings.Repeat("x", 513) + `"}}`, "invalid_id"},
		"routing":        {search.Config{RoutingField: "user.n"}, line, `{"index":{"version":3,"version_type":"external_gte","_index":"i","_id":"1","routing":"7"}}` + "\n" + source},
		"no routing":     {search.Config{RoutingField: "y"}, line, "field_missing"},
		"both":           {search.Config{IDField: "f", RoutingField: "user.n"}, line, action(`,"_id":"-1.50","routing":"7"`)},
		"of a pair":      {search.Config{IDField: "a"}, `{"index":{"_index":"i","_id":"1"}} {"a":"b"}`, `{"index":{"_index":"i","_id":"b"}}` + "\n" + `{"a":"b"}`},
		"of a delete":    {search.Config{IDField: "a", RoutingField: "a"}, `{"delete":{"_index":"i","_id":"1"}}`, `{"delete":{"_index":"i","_id":"1"}}`},
		"deleted by":     {search.Config{IDField: "a", Action: "delete"}, `{"_index":"i","_source":{"a":"b"}}`, `{"delete":{"_index":"i","_id":"b"}}`},
		"no id to make":  {search.Config{ID: "generate"}, `{"update":{"_index":"i","_id":"1"}} {"doc":{}}`, "id_missing"},
		"create by hash": {search.Config{ID: "hash", Action: "create"}, `{"_index":"i","_id":"1","_source":{}}`, `{"create":{"_index":"i","_id":"RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o"}}` + "\n{}"},
	} {
		c.cfg.Format, c.cfg.Versions = "auto", true
		if c.cfg.ID == "" {
			c.cfg.ID = "keep"
		}
		if c.cfg.Action == "" {
			c.cfg.Action = "auto"
		}
		if got := sent(t, c.cfg, c.line); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestIndicesAreNamedByTemplateAndRenamed(t *testing.T) {
	for _, c := range [][3]string{
		{"", "a", "a"}, {"", "old", "new"}, {"", `\u006fld`, "new"}, {"", ".system", "fine"}, {"", ".other", "system_index"},
		{"restored-{index}", "a", "restored-a"}, {"{index}-2", "old", "new-2"}, {"x-{index}-2", ".other", "x-.other-2"}, {"x-{index}", "a*", "invalid_index"}, {"x-{index}", "a b", "invalid_index"},
	} {
		cfg := search.Config{Format: "auto", Action: "auto", ID: "keep", Index: c[0], Rename: []search.Renamed{{From: "old", To: "new"}, {From: ".system", To: "fine"}}}
		want := c[2]
		if !strings.Contains(want, "_") {
			want = fmt.Sprintf(`{"index":{"_index":%q,"_id":"1"}}`, want) + "\n{}"
		}
		if got := sent(t, cfg, `{"_index":"`+c[1]+`","_id":"1","_source":{}}`); got != want {
			t.Errorf("%s of %s: %s, want %s", c[0], c[1], got, want)
		}
		if !strings.Contains(c[2], "_") && !strings.Contains(c[1], `\`) {
			if got := cfg.Target(c[1]); got != c[2] {
				t.Errorf("target of %s in %s: %s, want %s", c[1], c[0], got, c[2])
			}
		}
	}
}

func TestIndicesThatAlternateAreNamedWell(t *testing.T) {
	c := newCluster(t)
	cfg := config(c.URL)
	cfg.Index = "x-{index}"
	l := newLoading([]string{rec("a", "1", `{}`), rec("b", "1", `{}`), rec("*", "1", `{}`), rec("a", "2", `{}`), rec("*", "2", `{}`), rec("b", "2", `{}`)})
	l.complete(t, cfg, 2)
	c.expect(t, []string{rec("x-a", "1", `{}`), rec("x-b", "1", `{}`), rec("x-a", "2", `{}`), rec("x-b", "2", `{}`)})
	if !slices.Equal(c.paths, []string{"POST /x-a/_refresh", "POST /x-b/_refresh"}) {
		t.Errorf("requests %q, want refreshes of both", c.paths)
	}
}

func TestPipelineAndAliasAreSaidOfEachRequest(t *testing.T) {
	c := newCluster(t)
	cfg := config(c.URL)
	cfg.Pipeline, cfg.RequireAlias = "p q", true
	newLoading(some(0, 1)).complete(t, cfg, 0)
	if !strings.HasSuffix(c.query, "&pipeline=p+q&require_alias=true") {
		t.Errorf("query %q, want both", c.query)
	}
	newLoading(some(0, 1)).complete(t, config(c.URL), 0)
	if strings.Contains(c.query, "p") && !strings.HasPrefix(c.query, "filter_path=") || strings.Contains(c.query, "&") {
		t.Errorf("query %q, want neither", c.query)
	}
}

func TestLinesOfABulkBodyAreCarriedOut(t *testing.T) {
	c := newCluster(t)
	c.docs["logs/b"], c.docs["logs/c"] = `{"old":true}`, `{}`
	l := newLoading([]string{
		`{"index":{"_index":"logs","_id":"a"}} {"n":1}` + "\n", `{"create":{"_index":"logs","_id":"b"}} {"n":2}` + "\n", `{"delete":{"_index":"logs","_id":"c"}}` + "\n",
		`{"delete":{"_index":"logs","_id":"never there"}}` + "\n", `{"update":{"_index":"logs","_id":"a"}} {"doc":{"m":1}}` + "\n",
		`{"update":{"_index":"logs","_id":"missing"}} {"doc":{"m":1}}` + "\n",
	})
	l.complete(t, config(c.URL), 1)
	c.expect(t, []string{rec("logs", "a", `{"m":1,"n":1}`), rec("logs", "b", `{"old":true}`)})
	got := l.letters.list[0]
	if string(got.Record) != `{"update":{"_index":"logs","_id":"missing"}} {"doc":{"m":1}}`+"\n" || got.Refusal.Type != "document_missing_exception" {
		t.Errorf("letter %+v of %s, want that of what is missing", got, got.Record)
	}
}

func TestADeleteThatIsARecordIsALetterIfItIsRefused(t *testing.T) {
	c := newCluster(t)
	c.item = func(_ int, o op) outcome {
		if o.Verb == "delete" {
			return outcome{400, "routing_missing_exception", "routing is required"}
		}
		return outcome{}
	}
	line := ` {"delete":{"_index":"logs","_id":"x"}} ` + "\n"
	l := newLoading([]string{line}, some(0, 2))
	l.complete(t, config(c.URL), 1)
	if got := string(l.letters.list[0].Record); got != line {
		t.Errorf("letter of %q, want %q", got, line)
	}
}

// What an earlier write of a request makes is there for the later ones, though
// it had to be sent again.
func TestAWriteAfterARejectedOneIsJudgedOnlyBehindIt(t *testing.T) {
	for name, c := range map[string]struct {
		block []string
		want  string
	}{
		"update of what was not there yet":  {[]string{rec("logs", "x", `{"v":1}`), `{"update":{"_index":"logs","_id":"x"}} {"doc":{"w":2}}` + "\n"}, `{"v":1,"w":2}`},
		"create after a delete":             {[]string{`{"delete":{"_index":"logs","_id":"old"}}` + "\n", `{"create":{"_index":"logs","_id":"old"}} {"v":2}` + "\n"}, `{"v":2}`},
		"create after a create":             {[]string{`{"create":{"_index":"logs","_id":"x"}} {"v":1}` + "\n", `{"create":{"_index":"logs","_id":"x"}} {"v":2}` + "\n"}, `{"v":1}`},
		"create after a create, in escapes": {[]string{`{"create":{"_index":"logs","_id":"x"}} {"v":1}` + "\n", `{"create":{"_id":"\u0078","_index":"logs"}} {"v":2}` + "\n"}, `{"v":1}`},
		"index after a create":              {[]string{`{"create":{"_index":"logs","_id":"x"}} {"v":1}` + "\n", rec("logs", "x", `{"v":2}`)}, `{"v":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newCluster(t)
			fake.docs["logs/old"] = `{"v":0}`
			first := true
			fake.item = func(int, op) outcome {
				if first {
					first = false
					return queueFull
				}
				return outcome{}
			}
			newLoading(c.block).complete(t, config(fake.URL), 0)
			if got := fake.docs["logs/x"] + fake.docs["logs/old"]; got != c.want && got != c.want+`{"v":0}` {
				t.Errorf("the documents are %s, want %s", got, c.want)
			}
		})
	}
}

func TestAnUpdateThatMeetsAnotherWriteIsTriedAgain(t *testing.T) {
	c := newCluster(t)
	c.docs["logs/0"] = `{}`
	c.item = func(n int, _ op) outcome {
		if n == 0 {
			return outcome{409, "version_conflict_engine_exception", "required seqNo [3], current document has seqNo [4]"}
		}
		return outcome{}
	}
	cfg := config(c.URL)
	cfg.Action = "update"
	newLoading(some(0, 1)).complete(t, cfg, 0)
	c.expect(t, some(0, 1))
}

func TestADataStreamThatWantsCreateIsAnErrorThatSaysSo(t *testing.T) {
	c := newCluster(t)
	c.item = func(int, op) outcome {
		return outcome{400, "illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams"}
	}
	newLoading(some(0, 5)).fails(t, config(c.URL), `{"index":{"_index":"logs","_id":"0"}}`, "allowed in data streams: set action: create")
}

func TestDeletesAreRefusedWhereTheirIDIsNotKnown(t *testing.T) {
	for _, id := range []string{"hash", "generate"} {
		c := newCluster(t)
		cfg := config(c.URL)
		cfg.ID = id
		newLoading(del("x", "")).fails(t, cfg, "delete x: documents have another _id here; use id: keep")
		if cfg.Versioned() {
			t.Errorf("id %s: versions count, want none", id)
		}
	}
}

func TestRecordsWithoutIDAreWarnedOf(t *testing.T) {
	c := newCluster(t)
	cfg := config(c.URL)
	cfg.ID = "generate"
	l, log := logged(some(0, 3))
	l.complete(t, cfg, 0)
	if n := strings.Count(log.String(), "records have no _id: one that is sent again"); n != 1 {
		t.Errorf("log %q, want one warning", log)
	}
	cfg.ID = "hash"
	l, log = logged(some(0, 3), some(0, 3))
	l.complete(t, cfg, 0)
	if len(c.docs) != 6 || strings.Contains(log.String(), "no _id") {
		t.Errorf("%d documents, log %q, want three more and no warning", len(c.docs), log)
	}
}

func TestCheckProposesOneLaneWhereTheOrderCounts(t *testing.T) {
	for want, env := range map[bool]kind.Env{true: {Scattered: true, Lanes: 4}, false: {Scattered: true, Lanes: 1}} {
		c := newCluster(t)
		cfg := config(c.URL)
		cfg.Index = "x-{index}"
		s, err := cfg.Build(env)
		if err != nil {
			t.Fatal(err)
		}
		var rep check.Report
		err = s.(*search.Sink).Check(t.Context(), &rep)
		list := rep.Lines()
		if err != nil || strings.Contains(strings.Join(list, "\n"), "with lanes: 1, the last one does") != want {
			t.Errorf("%+v: %q, %v, want it to propose one lane: %v", env, list, err, want)
		}
		if last := rep.Found[len(rep.Found)-1]; last != "records are written to x-{index}, where {index} is the one that each of them names" {
			t.Errorf("%q, want it to say where records go", last)
		}
	}
}

// FuzzRecord checks what is told by keys against encoding/json.
func FuzzRecord(f *testing.F) {
	for _, s := range []string{
		`{"index":{"_index":"i","_id":"1"}} {"a":[1,{"b":"}\"\\"}]}`, `{"delete":{"_id":"1"}}`, `{"create":{}} {}`, `{"a":1}`, `{"update":{"_id":7}} {"doc":{}} `,
		`{"index":{"_id":"\ud83d\ude00"}}{}`, `{"index":{"a":1}}`, `{"_index":"i","_source":{}}`, `{"index":{"_id":"1","_id":"2"}} {}`, `{"index":[]} {}`,
	} {
		f.Add([]byte(s))
	}
	cfg := search.Config{Format: "auto", Action: "auto", ID: "keep", Index: "x", Versions: true}
	f.Fuzz(func(t *testing.T, line []byte) {
		if slices.Contains(line, '\n') {
			return
		}
		body, fault := search.Body(cfg, line)
		if fault != "" {
			return
		}
		lines := strings.SplitAfter(string(body), "\n")
		var action map[string]map[string]any
		if json.Unmarshal([]byte(lines[0]), &action) != nil || len(action) != 1 {
			if decodes(line) { // what is no JSON is for the engine to judge
				t.Fatalf("%q makes the action line %q", line, lines[0])
			}
			return
		}
		for verb := range action {
			if want := map[bool]int{true: 2, false: 3}[verb == "delete"]; len(lines) != want || lines[want-1] != "" {
				t.Fatalf("%q makes %q, want %d lines", line, body, want-1)
			}
			if verb != "delete" && !strings.Contains(string(line), strings.TrimSuffix(lines[1], "\n")) {
				t.Errorf("%q: source %q, want a piece of the line", line, lines[1])
			}
		}
	})
}

// decodes reports whether a line is JSON values.
func decodes(line []byte) bool {
	d := json.NewDecoder(strings.NewReader(string(line)))
	for d.More() {
		var v any
		if d.Decode(&v) != nil {
			return false
		}
	}
	return true
}
