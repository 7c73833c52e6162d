package transforms_test

import (
	"strings"
	"testing"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/transforms"
)

// edited is what an edit makes of a record, without its last newline: "" if it
// drops it, and the reason in () if it makes it a dead letter.
func edited(t testing.TB, k kind.Transform, rec string) string {
	t.Helper()
	if problems := k.Problems(env); len(problems) > 0 {
		t.Fatalf("%s: %+v", k.Identity(), problems)
	}
	edit, err := k.(kind.Editor).Edit(env)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pipeline.NewQuota(1).Block(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	b.Write([]byte("before\n"))
	verdict, err := edit(t.Context(), []byte(rec+"\n"), b)
	got, kept := strings.CutPrefix(string(b.B()), "before\n")
	switch {
	case !kept:
		t.Fatalf("%s of %s: touched what stood before: %q", k.Identity(), rec, b.B())
	case verdict == pipeline.Dead:
		return "(" + err.Error() + ")"
	case err != nil:
		t.Fatalf("%s of %s: %v", k.Identity(), rec, err)
	case verdict == pipeline.Drop:
		return ""
	case !strings.HasSuffix(got, "\n"):
		t.Fatalf("%s of %s: got %q, want whole lines", k.Identity(), rec, got)
	}
	return strings.TrimSuffix(got, "\n")
}

// edits compares what an edit makes of records. A want that begins with (
// is a part of the reason of a dead letter.
func edits(t *testing.T, k kind.Transform, records map[string]string) {
	t.Helper()
	for rec, want := range records {
		got := edited(t, k, rec)
		if got != want && (want == "" || want[0] != '(' || !strings.Contains(got, want[1:])) {
			t.Errorf("%s of %s:\n got %s\nwant %s", k.Identity(), rec, got, want)
		}
	}
}

func TestDropFieldsLeavesOutEveryFormOfAField(t *testing.T) {
	edits(t, &transforms.DropFields{Fields: []string{"a", "u.mail", "q"}}, map[string]string{
		`{"_index":"i","_id":"1","_source":{"a":1,"b":1.0}}`:                           `{"_index":"i","_id":"1","_source":{"b":1.0}}`,
		`{"_id":"1","_source":{"b":9007199254740993,"a":{"x":[1,"]"]},"c":"ä\u00e4"}}`: `{"_id":"1","_source":{"b":9007199254740993,"c":"ä\u00e4"}}`,
		`{"_source":{"a":1,"q":2}, "_routing":"r" }`:                                   `{"_source":{}, "_routing":"r" }`,
		`{"_source":{ "a" : 1 , "b" : 2 , "q":3 , "c" : 4 } }`:                         `{"_source":{"b" : 2 , "c" : 4 } }`,
		`{"_source":{"b":1,"a":2,"q":3}}`:                                              `{"_source":{"b":1}}`,
		`{"_source":{"u":{"mail":1,"id":2}}}`:                                          `{"_source":{"u":{"id":2}}}`,
		`{"_source":{"u":[{"mail":1},{"id":2,"mail":3},[{"mail":4}],5]}}`:              `{"_source":{"u":[{},{"id":2},[{}],5]}}`,
		`{"_source":{"u.mail":1,"u.mail.x":2,"u.id":3}}`:                               `{"_source":{"u.id":3}}`,
		`{"_source":{"\u0061":1,"u":{"m\u0061il":2},"u\u002email":3,"b":4}}`:           `{"_source":{"u":{},"b":4}}`,
		`{"_source":{"a":1,"b":2,"a":3,"u":{"mail":1},"u":{"mail":2}}}`:                `{"_source":{"b":2,"u":{},"u":{}}}`,
		`{"_source":{"u":null,"x":{"a":1}}}`:                                           `{"_source":{"u":null,"x":{"a":1}}}`,
		`{"a":1,"b":2}`:                                                                `{"b":2}`,
		`  {"b":2,"a":1}  `:                                                            `  {"b":2}  `,
		`{"index":{"_index":"i"}} {"a":1,"b":2}`:                                       `{"index":{"_index":"i"}} {"b":2}`,
		`{"create":{"_id":"a"}}{"b":2,"a":2}`:                                          `{"create":{"_id":"a"}}{"b":2}`,
		`{"delete":{"_index":"i","_id":"1"}}`:                                          `{"delete":{"_index":"i","_id":"1"}}`,
		`{"delete":{"a":1},"a":2}`:                                                     `{"delete":{"a":1}}`,
		`{"index":{"a":1}}`:                                                            `{"index":{"a":1}}`,
		`{"update":{"_id":"1"}} {"doc":{"a":1}}`:                                       `(update of a _bulk file`,
		`{"_source":{"a":1},"_source":{"a":2}}`:                                        `(more than one _source`,
		`{"_source":{"a":1},"_\u0073ource":{"a":2}}`:                                   `(more than one _source`,
		`{"_\u0073ource":{"a":1}}`:                                                     `{"_\u0073ource":{}}`,
		`{"_source":[{"a":1}]}`:                                                        `(_source of the record is not an object`,
		`{"_source":{"a":1}`:                                                           `(not a JSON object`,
		`{"_source":{"a":1}}}`:                                                         `(not a JSON object`,
		`{"a":1} {"a":1}`:                                                              `(not a JSON object`,
		`[{"a":1}]`:                                                                    `(not a JSON object`,
		`"a"`:                                                                          `(not a JSON object`,
		``:                                                                             `(not a JSON object`,
		`{"u":` + strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20) + `}`:        `(nested too deep`,
		`{"x":` + strings.Repeat("[", 1<<12) + strings.Repeat("]", 1<<12) + `,"a":1}`:       `{"x":` + strings.Repeat("[", 1<<12) + strings.Repeat("]", 1<<12) + `}`,
		`{"_source":{"u":{"mail":1,"x":{"y":[{"z":1}]}},"b":"\\","a":"\"}"},"_version":17}`: `{"_source":{"u":{"x":{"y":[{"z":1}]}},"b":"\\"},"_version":17}`,
	})
}

func TestKeepFieldsLeavesOutAllElse(t *testing.T) {
	edits(t, &transforms.KeepFields{Fields: []string{"a", "u.id", "l.x"}}, map[string]string{
		`{"_index":"i","_source":{"b":1,"a":{"y":1.0},"c":2},"_version":1}`:    `{"_index":"i","_source":{"a":{"y":1.0}},"_version":1}`,
		`{"_source":{"u":{"mail":1,"id":2},"a":1}}`:                            `{"_source":{"u":{"id":2},"a":1}}`,
		`{"_source":{"u":{"mail":1},"z":5}}`:                                   `{"_source":{}}`,
		`{"_source":{"z":5,"u":{"mail":1},"a":1}}`:                             `{"_source":{"a":1}}`,
		`{"_source":{"u":7,"a":1}}`:                                            `{"_source":{"a":1}}`,
		`{"_source":{"l":[{"x":1,"y":2},3,{"y":4},{"x":5}],"u.id":6,"u.z":7}}`: `{"_source":{"l":[{"x":1},{"x":5}],"u.id":6}}`,
		`{"_source":{"a.b":1,"\u0061":2,"b":3}}`:                               `{"_source":{"a.b":1,"\u0061":2}}`,
		`{"b":1,"a":2}`:                                                        `{"a":2}`,
		`{}`:                                                                   `{}`,
		`{"delete":{"_id":"1"}}`:                                               `{"delete":{"_id":"1"}}`,
	})
}

func TestRedactHidesEveryFormOfAField(t *testing.T) {
	edits(t, &transforms.Redact{Fields: []string{"a", "u.mail"}, With: `*"*`}, map[string]string{
		`{"_source":{"a":1, "b" : 1.0,"u":{"mail":["x","y"],"n":{}}}}`: `{"_source":{"a":"*\"*", "b" : 1.0,"u":{"mail":"*\"*","n":{}}}}`,
		`{"_source":{"u":[{"mail":1},{"mail":null}]}}`:                 `{"_source":{"u":[{"mail":"*\"*"},{"mail":"*\"*"}]}}`,
		`{"\u0061":{"x":1},"a":2,"u.mail":3,"u.mail.at":4}`:            `{"\u0061":"*\"*","a":"*\"*","u.mail":"*\"*","u.mail.at":"*\"*"}`,
		`{"u":"x"}`: `{"u":"x"}`,
	})
	zero := " [ 0 ] "
	edits(t, &transforms.Redact{Fields: []string{"a"}, JSON: &zero}, map[string]string{`{"a":1}`: `{"a":[0]}`})
}

func TestSetReplacesOrAdds(t *testing.T) {
	x, n := "x", "9007199254740993"
	edits(t, &transforms.Set{Fields: []transforms.SetField{{Field: "a", Value: &x}, {Field: "u.id", JSON: &n}, {Field: "u.name", Value: &x}}}, map[string]string{
		`{"_source":{}}`:                          `{"_source":{"a":"x","u":{"id":9007199254740993,"name":"x"}}}`,
		`{"_source":{"b":1.0 } }`:                 `{"_source":{"b":1.0,"a":"x","u":{"id":9007199254740993,"name":"x"} } }`,
		`{"_source":{"a":{"y":1},"u":{"id":0}}}`:  `{"_source":{"a":"x","u":{"id":9007199254740993,"name":"x"}}}`,
		`{"u":{ },"a":null}`:                      `{"u":{"id":9007199254740993,"name":"x" },"a":"x"}`,
		`{"u.id":1,"a":1}`:                        `{"u.id":9007199254740993,"a":"x","u":{"name":"x"}}`,
		`{"u":null}`:                              `(u is not an object`,
		`{"u":[{"id":1}]}`:                        `(u.id cannot be set: u is not an object`,
		`{"u":"s"}`:                               `(u is not an object`,
		`{"a.b":1}`:                               `(a is not one value`,
		`{"index":{"_index":"i"}} {"u":{"id":1}}`: `{"index":{"_index":"i"}} {"u":{"id":9007199254740993,"name":"x"},"a":"x"}`,
	})
}

func TestRenameKeepsValuesAsTheyAre(t *testing.T) {
	edits(t, &transforms.Rename{Fields: []transforms.RenameField{{From: "a", To: "b"}, {From: "u.name", To: "u.full"}, {From: "m", To: "log.m"}, {From: "x.y", To: "z"}}}, map[string]string{
		`{"_source":{"a":1.0,"c":2}}`:                     `{"_source":{"b":1.0,"c":2}}`,
		`{"_source":{"u":[{"name":1,"i":2},{"name":3}]}}`: `{"_source":{"u":[{"full":1,"i":2},{"full":3}]}}`,
		`{"_source":{"u.name" : 1,"\u0061":2}}`:           `{"_source":{"u.full" : 1,"b":2}}`,
		`{"_source":{"m":"\u00e4","c":1}}`:                `{"_source":{"c":1,"log":{"m":"\u00e4"}}}`,
		`{"log":{"k":1},"m":null}`:                        `{"log":{"k":1,"m":null}}`,
		`{"x":{"y":[1]},"m":2}`:                           `{"x":{},"log":{"m":2},"z":[1]}`,
		`{"c":1}`:                                         `{"c":1}`,
		`{"b":1}`:                                         `{"b":1}`,
		`{"a":1,"b":2}`:                                   `(a cannot be renamed: there is a b already`,
		`{"b":1,"a":2}`:                                   `(a cannot be renamed`,
		`{"m":1,"log":{"m":2}}`:                           `(m cannot be renamed: there is a log.m already`,
		`{"u":[{"name":1},{"full":2}]}`:                   `{"u":[{"full":1},{"full":2}]}`,
		`{"u":[{"name":1,"full":2}]}`:                     `(u.name cannot be renamed`,
		`{"m":1,"log":[1]}`:                               `(log.m cannot be set: log is not an object`,
		`{"m":1,"m":2}`:                                   `(m is there more than once`,
		`{"x":[{"y":1}]}`:                                 `(x.y is in a list`,
		`{"a.b":1}`:                                       `(a is not one value`,
		`{"delete":{"_id":"1"}}`:                          `{"delete":{"_id":"1"}}`,
	})
}
