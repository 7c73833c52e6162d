package raw_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"sluice/internal/raw"
)

// count reads all members and elements of a text, and gives how many.
func count(text []byte, i int) (n, end int) {
	l := raw.At(text, i)
	for l.Next() {
		if c := text[l.Value]; c == '{' || c == '[' {
			var inside int
			inside, l.End = count(text, l.Value)
			n += inside
		} else {
			l.Skip()
		}
		n++
	}
	return n, l.Close()
}

// wanted counts members and elements by the standard library.
func wanted(t *testing.T, text []byte) (n int) {
	t.Helper()
	type level struct{ object, key bool }
	var open []level
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.Token()
		if err != nil {
			return n
		}
		top := len(open) - 1
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			open = open[:top]
			continue
		}
		if top >= 0 && open[top].object && open[top].key {
			open[top].key = false
			continue
		}
		if top >= 0 {
			n++
			open[top].key = true
		}
		if delim, ok := token.(json.Delim); ok {
			open = append(open, level{delim == '{', true})
		}
	}
}

func FuzzListsAreReadAsTheStandardLibraryReadsThem(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":{"c":[1,2,{"d":"}\\\""}]}} `, `[]`, ` {}`, `{"a":1,}`, `{"a" 1}`, `[1 2]`, `{"a":[}`, `{"a":`, `[,1]`, `{"":"\u00e4"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		begin := raw.Blanks(text, 0)
		n, end := count(text, begin)
		if !json.Valid(text) || text[begin] != '{' && text[begin] != '[' {
			return
		}
		if raw.Blanks(text, end) != len(text) || raw.Blanks(text, raw.Skip(text, begin)) != len(text) {
			t.Fatalf("%q: ends at %d and %d, want %d", text, end, raw.Skip(text, begin), len(text))
		}
		if want := wanted(t, text); n != want {
			t.Fatalf("%q: got %d members and elements, want %d", text, n, want)
		}
	})
}

func TestWhatIsNotJSONIsNotRead(t *testing.T) {
	for _, s := range []string{``, ` `, `1`, `{`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{"a":1 "b":2}`, `{a:1}`, `{"a":,}`, `[1,]`, `[1`, `["`, `["\"]`, `[[]`, `{"a":[1}`, `{"a":"`, `[:]`} {
		if _, end := count([]byte(s), 0); end >= 0 {
			t.Errorf("%q: got an end at %d", s, end)
		}
	}
}

func FuzzStringsMeanWhatTheStandardLibrarySays(f *testing.F) {
	for _, s := range []string{`"a"`, `"\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00"`, `"\ud83d"`, `"\ude00"`, `"\x"`, `"\u12"`, `"`, `5`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := raw.Unquoted(nil, text)
		var want string
		if !utf8.Valid(text) || json.Unmarshal(text, &want) != nil || text[0] != '"' || text[len(text)-1] != '"' {
			return
		}
		if half := strings.ContainsRune(want, utf8.RuneError); !ok && half {
			return // a half of a pair: the standard library takes U+FFFD for it
		}
		if !ok || string(got) != want || !raw.Escapes(text) {
			t.Fatalf("%q: got %q, %v, want %q", text, got, ok, want)
		}
		var again string
		if err := json.Unmarshal(raw.AppendQuoted(nil, got), &again); err != nil || again != want {
			t.Fatalf("%q: written as %q, %v", text, again, err)
		}
	})
}

func TestHalfOfASurrogatePairIsNoText(t *testing.T) {
	for _, s := range []string{`"\ud83d"`, `"\ude00"`, `"\ud83d\u0041"`, `"\ud83dx"`} {
		if got, ok := raw.Unquoted(nil, []byte(s)); ok || raw.Escapes([]byte(s)) {
			t.Errorf("%s: got %q", s, got)
		}
	}
}

func FuzzNumbersAreComparedExactly(f *testing.F) {
	for _, s := range [][2]string{{"1", "1.0"}, {"9007199254740993", "9007199254740992"}, {"-0.0", "0e9"}, {"1e3", "999.9"}, {"-10", "-9.5"}, {"0.001", "1e-3"}, {"100", "1e2"}, {"01", "1"}, {"1.", "1"}, {"", "-"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 40 || len(b) > 40 {
			return
		}
		got, ok := raw.Compare([]byte(a), []byte(b))
		x, okX := number(a)
		y, okY := number(b)
		if okX == nil || okY == nil {
			return // an exponent too large to be worked out
		}
		if ok != (*okX && *okY) || ok && got != x.Cmp(y) {
			t.Fatalf("%q and %q: got %d, %v, want %v, %v", a, b, got, ok, x, y)
		}
	})
}

// number reads a number by the standard library; valid is nil if it is too large.
func number(s string) (n *big.Rat, valid *bool) {
	ok := json.Valid([]byte(s)) && strings.Trim(s, " \t\r\n") == s && s != "" && strings.IndexByte("-0123456789", s[0]) >= 0
	if _, e, found := strings.Cut(strings.ToLower(s), "e"); ok && found && len(strings.TrimLeft(e, "+-0")) > 3 {
		return nil, nil
	}
	if !ok {
		return nil, &ok
	}
	n, _ = new(big.Rat).SetString(s)
	return n, &ok
}

func TestNumbersOfAnySizeHaveAnOrder(t *testing.T) {
	sorted := []string{"-1e400", "-1.5", "-1", "0", "1e-400", "0.5", "9007199254740992", "9007199254740993", "1e400", "1e99999999999"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got, ok := raw.Compare([]byte(a), []byte(b)); !ok || (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%s and %s: got %d, %v", a, b, got, ok)
			}
		}
	}
}

func FuzzTextSizesAreThoseOfTheStandardLibrary(f *testing.F) {
	for _, s := range []string{`"a"`, `"\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00"`, `"\ud83d"`, `"ä€😀"`, "\"\x01\"", `"\x"`, `"`, `5`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := raw.TextSize(text)
		var want string
		if len(text) == 0 || text[0] != '"' || !utf8.Valid(text) || json.Unmarshal(text, &want) != nil || text[len(text)-1] != '"' {
			return
		}
		if half := strings.ContainsRune(want, utf8.RuneError); got != len(want) && !(got < 0 && half) {
			t.Fatalf("%q: got %d, want %d", text, got, len(want))
		}
	})
}
