package transforms

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"sluice/internal/kind"
	"sluice/internal/raw"
)

// Condition is the options of one condition on a record. It holds if one value
// of the field, or of its lists, passes each test that is given.
type Condition struct {
	Field   string   `yaml:"field" required:"true" doc:"Path of the field inside of the document, as user.name; or _index, _id or _routing."`
	Equals  []string `yaml:"equals" doc:"Its value is one of these: a text, or a number, true or false, in quotes."`
	Matches string   `yaml:"matches" doc:"A part of its text matches this regular expression (RE2; ^ and $ stand for the ends)."`
	GTE     string   `yaml:"gte" doc:"Its value is this or more. A number is compared with numbers, any other text with texts, byte by byte, as dates are written."`
	GT      string   `yaml:"gt" doc:"Its value is more than this."`
	LTE     string   `yaml:"lte" doc:"Its value is this or less."`
	LT      string   `yaml:"lt" doc:"Its value is less than this."`
	Exists  bool     `yaml:"exists" default:"false" doc:"It is there and not null; for a condition without another test."`
	Not     bool     `yaml:"not" default:"false" doc:"The condition holds where it would not."`
}

// String gives the condition for an identity.
func (c *Condition) String() string {
	var b strings.Builder
	if c.Not {
		b.WriteString("not ")
	}
	b.WriteString(c.Field)
	if len(c.Equals) > 0 {
		fmt.Fprintf(&b, " = %s", strings.Join(c.Equals, "|"))
	}
	for _, t := range []struct{ sign, text string }{{"~", c.Matches}, {">=", c.GTE}, {">", c.GT}, {"<=", c.LTE}, {"<", c.LT}} {
		if t.text != "" {
			fmt.Fprintf(&b, " %s %s", t.sign, t.text)
		}
	}
	return b.String()
}

func (c *Condition) problems(at string) (all []kind.Problem) {
	tests := len(c.Equals) > 0 || c.Matches+c.GTE+c.GT+c.LTE+c.LT != ""
	switch {
	case !tests && !c.Exists:
		all = append(all, kind.Problem{Option: at, Message: "there is no test: give it equals, matches, gte, gt, lte, lt or exists"})
	case tests && c.Exists:
		all = append(all, kind.Problem{Option: at + ".exists", Message: "a field that passes the other tests exists; leave it out"})
	}
	if slices.Contains(strings.Split(c.Field, "."), "") {
		all = append(all, kind.Problem{Option: at + ".field", Message: fmt.Sprintf("%q is no path of a field, such as user.name", c.Field)})
	}
	if _, err := regexp.Compile(c.Matches); err != nil {
		all = append(all, kind.Problem{Option: at + ".matches", Message: err.Error()})
	}
	return all
}

// conditionProblems are those of lists of conditions.
func conditionProblems(option string, list []Condition) (all []kind.Problem) {
	for i := range list {
		all = append(all, list[i].problems(fmt.Sprintf("%s.%d", option, i))...)
	}
	return all
}

// conditions are some conditions of which all must hold, and some of which one
// must.
type conditions struct {
	document, beside *fields // by paths in the document, and beside it
	of               [][]int // by field: the tests
	tests            []test
	all, any, not    uint64 // bits of the tests
}

// newConditions makes conditions of options without problems.
func newConditions(where, any []Condition) (*conditions, error) {
	if n := len(where) + len(any); n > maxFields {
		return nil, fmt.Errorf("there are %d conditions; there may be %d", n, maxFields)
	}
	c := &conditions{}
	var inside, beside []string
	for i, o := range slices.Concat(where, any) {
		t, err := newTest(o)
		if err != nil {
			return nil, err
		}
		c.tests = append(c.tests, t)
		bit := uint64(1) << i
		if i < len(where) {
			c.all |= bit
		} else {
			c.any |= bit
		}
		if o.Not {
			c.not |= bit
		}
		field := slices.Index(inside, o.Field)
		if isBeside(o.Field) {
			field = slices.Index(beside, o.Field)
		}
		if field < 0 {
			field = len(c.of)
			in, out := o.Field, ""
			if isBeside(o.Field) {
				in, out = out, in
			}
			inside, beside, c.of = append(inside, in), append(beside, out), append(c.of, nil)
		}
		c.of[field] = append(c.of[field], i)
	}
	c.document, c.beside = newFields(inside...), newFields(beside...)
	return c, nil
}

// isBeside reports whether a path is that of something beside the document.
func isBeside(path string) bool { return path == "_index" || path == "_id" || path == "_routing" }

// hold reports whether the conditions hold for a record.
func (c *conditions) hold(rec []byte, d *document) (bool, error) {
	hits := uint64(0)
	found := func(field int, value []byte) {
		for _, i := range c.of[field] {
			if hits&(1<<i) == 0 && c.tests[i].passes(value, 0) {
				hits |= 1 << i
			}
		}
	}
	if d.shape != deletion {
		if err := d.rest(rec, c.document.visit(rec, d.at, 0, found)); err != nil {
			return false, err
		}
	}
	if c.beside.all != 0 {
		c.beside.visit(rec, d.meta, 0, found)
	}
	hits ^= c.not
	return hits&c.all == c.all && (c.any == 0 || hits&c.any != 0), nil
}

// test is what a value has to pass.
type test struct {
	equals []wanted
	re     *regexp.Regexp // nil: none
	bounds []bound
}

// wanted is a value to compare with.
type wanted struct {
	text   []byte
	number bool
}

// bound is one end of a range.
type bound struct {
	wanted
	sign int // of what is inside: 1 is more
	also bool
}

func newTest(o Condition) (t test, err error) {
	for _, text := range o.Equals {
		t.equals = append(t.equals, newWanted(text))
	}
	if o.Matches != "" {
		t.re, err = regexp.Compile(o.Matches)
	}
	for _, b := range []struct {
		text string
		sign int
		also bool
	}{{o.GTE, 1, true}, {o.GT, 1, false}, {o.LTE, -1, true}, {o.LT, -1, false}} {
		if b.text != "" {
			t.bounds = append(t.bounds, bound{newWanted(b.text), b.sign, b.also})
		}
	}
	return t, err
}

func newWanted(text string) wanted { return wanted{[]byte(text), raw.IsNumber([]byte(text))} }

// texts are buffers for what strings with escapes mean.
var texts = sync.Pool{New: func() any { return new([]byte) }}

// passes reports whether a value passes, or one in its lists.
func (t *test) passes(value []byte, depth int) bool {
	switch value[0] {
	case '[':
		for l := raw.At(value, 0); depth < maxNesting && l.Next(); l.Skip() {
			if end := raw.Skip(value, l.Value); end > 0 && t.passes(value[l.Value:end], depth+1) {
				return true
			}
		}
		return false
	case 'n':
		return false
	case '{':
		return len(t.equals) == 0 && t.re == nil && len(t.bounds) == 0
	case '"':
		buf := texts.Get().(*[]byte)
		defer texts.Put(buf)
		text, ok := unescaped(buf, value)
		return ok && t.holds(text, false)
	}
	return t.holds(value, raw.IsNumber(value))
}

// unescaped is what a string means; buf keeps what was allocated for it.
func unescaped(buf *[]byte, value []byte) (text []byte, ok bool) {
	text, ok = raw.Unquoted((*buf)[:0], value)
	if cap(text) > cap(*buf) && bytes.IndexByte(value, '\\') >= 0 {
		*buf = text
	}
	return text, ok
}

// holds reports whether a text, or a number or literal as it is written, passes.
func (t *test) holds(text []byte, number bool) bool {
	if len(t.equals) > 0 && !slices.ContainsFunc(t.equals, func(w wanted) bool {
		order, ok := w.compare(text, number)
		return ok && order == 0
	}) {
		return false
	}
	if t.re != nil && !t.re.Match(text) {
		return false
	}
	for _, b := range t.bounds {
		order, ok := b.compare(text, number)
		if !ok || order != b.sign && (order != 0 || !b.also) || b.number != number {
			return false
		}
	}
	return true
}

// compare compares a value with what is wanted.
func (w *wanted) compare(text []byte, number bool) (order int, ok bool) {
	if number {
		return raw.Compare(text, w.text)
	}
	return bytes.Compare(text, w.text), true
}
