package transforms_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/transforms"
)

func jq(expr string) *transforms.JQ { return &transforms.JQ{Expr: expr, MaxRecord: 1 << 20} }

func TestJQLeavesNumbersAsTheyAreWritten(t *testing.T) {
	edits(t, jq(`.n.z = .n.a`), map[string]string{
		`{"n":{"a":9007199254740993,"b":1.0,"c":1e400,"d":0.10,"e":-0,"f":123456789012345678901234567890}}`: `{"n":{"a":9007199254740993,"b":1.0,"c":1e400,"d":0.10,"e":-0,"f":123456789012345678901234567890,"z":9007199254740993}}`,
	})
	edits(t, jq(`.n += 1`), map[string]string{
		`{"n":9007199254740993}`: `{"n":9007199254740994}`, `{"n":9223372036854775807}`: `{"n":9223372036854775808}`, `{"n":1.0}`: `{"n":2}`,
		`{"n":1e400}`: `(a number that JSON has not`, `{"n":"x"}`: `(jq: cannot add: string ("x") and number (1)`,
	})
	edits(t, jq(`.n = [{a: (nan, infinite)}]`), map[string]string{`{}`: `(a number that JSON has not`})
}

func TestJQGivesAnyNumberOfRecords(t *testing.T) {
	edits(t, jq(`.items[]? | {id: .}`), map[string]string{
		`{"items":[1,2,"<&>"]}`: `{"id":1}` + "\n" + `{"id":2}` + "\n" + `{"id":"<&>"}`, `{"items":[]}`: ``, `{}`: ``,
	})
	edits(t, jq(`.a, 1`), map[string]string{`{"a":{}}`: `(jq gives number, and a record is an object`, `{}`: `(jq gives null`})
	edits(t, jq(`repeat(.)`), map[string]string{`{"a":1}`: `(more than max_record`})
	edits(t, jq(`error("no")`), map[string]string{`{"a":1}`: `(no`})
	edits(t, jq(`halt`), map[string]string{`{"a":1}`: `(jq:`})
}

func TestJQTakesNothingThatItWouldChangeUnasked(t *testing.T) {
	edits(t, jq(`.`), map[string]string{
		`{"b":"\u00e4\n\/","a":1}`: `{"a":1,"b":"ä\n/"}`,
		"{\"a\":\"\xff\"}":         `(not UTF-8`,
		`{"a":"\ud83d"}`:           `(half of a surrogate pair`,
		`{"a":1} {"b":1}`:          `(more than one JSON value`,
		`{"a":01}`:                 `(not JSON`,
		`{"a":"` + strings.Repeat("x", 1<<20) + `"}`: `(longer than jq may have it (1MiB)`,
	})
}

func TestExpressionsThatCannotBeUsedAreProblems(t *testing.T) {
	for expr, want := range map[string]string{
		`.a |`: "unexpected EOF", `foo`: "function not defined: foo/0", `$x`: "variable not defined", `input`: "input",
		`.a = now`: "now is not for records", `def f: [.[] | {a: (try now catch .)}]; f`: "now is not for records", `.a | localtime`: "localtime is not",
	} {
		for _, k := range []kind.Transform{jq(expr), &transforms.Filter{JQ: expr}} {
			if p := k.Problems(env); len(p) != 1 || !strings.Contains(p[0].Message, want) {
				t.Errorf("%s: got %+v, want %s", k.Identity(), p, want)
			}
		}
	}
	if p := jq(`.now = "now"`).Problems(env); len(p) > 0 {
		t.Errorf("a field that is called now: got %+v", p)
	}
}

func TestAnExpressionWithoutAnEndIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Never a result. The clock of the bubble stands still while it computes,
		// so what ends it here is the lane.
		ctx, cancel := context.WithCancelCause(t.Context())
		edit, err := jq(`last(range(1; infinite))`).Edit(env)
		if err != nil {
			t.Fatal(err)
		}
		stopped := errors.New("stopped")
		go cancel(stopped)
		b, _ := pipeline.NewQuota(1).Block(ctx)
		defer b.Release()
		if verdict, err := edit(ctx, []byte("{}\n"), b); verdict == pipeline.Dead || err != stopped {
			t.Errorf("got %v, %v, want the cause and no dead letter", verdict, err)
		}
	})
}
