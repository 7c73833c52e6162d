package keys_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/internal/keys"
	"sluice/internal/kind"
	"sluice/pipeline"
)

func parse(t *testing.T, text string, style keys.Style) *keys.Template {
	t.Helper()
	tmpl, err := keys.Parse(text, style)
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

var values = keys.Values{Index: "logs-1", Lane: "logs-1-0", Sequence: 7, Pass: 3, Date: time.Date(2026, 2, 3, 4, 5, 6, 0, time.FixedZone("", 7200)), Key: "a/b/app.log.gz", Version: "v1"}

func TestEveryFieldStandsForItsValue(t *testing.T) {
	for text, want := range map[string]string{
		"archive/{index}_s_{sequence}.json.gz":       "archive/logs-1_s_7.json.gz",
		"logs/{index}/{lane}/{pass}-{sequence:6}.gz": "logs/logs-1/logs-1-0/3-000007.gz",
		"{pass:3}/{date:2006/01/02-150405}/{key}":    "003/2026/02/03-020506/a/b/app.log.gz",
		"{stem}.v2{ext}":  "a/b/app.log.v2.gz",
		"{key}@{version}": "a/b/app.log.gz@v1",
	} {
		got, err := parse(t, text, keys.Files).Render(values)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestStemAndExtMeetAtTheLastDot(t *testing.T) {
	for key, want := range map[string]string{
		"a.b.c": "a.b|.c", "a.d/b": "a.d/b|", ".bashrc": ".bashrc|", "x/.b": "x/.b|", "a.": "a|.", "x/.b.c": "x/.b|.c",
	} {
		got, err := parse(t, "{stem}|{ext}", keys.Objects).Render(keys.Values{Key: key})
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", key, got, err, want)
		}
	}
}

func TestAnErrorSaysWhatIsWrongAndWhere(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "empty",
		"a/{indx}":             "at byte 3: unknown field {indx}",
		"a{key":                "at byte 2: { without }",
		"ab}":                  "at byte 3: } without {",
		"{key:3}":              "write {key}",
		"{sequence:x}":         "number of digits",
		"{sequence:0}":         "number of digits",
		"{date}":               "write the date as 2006/01/02",
		"{date:Jan 2}":         "write the date as 2006/01/02",
		"/tmp/{key}":           "relative",
		"a//{key}":             "empty segment",
		"../{key}":             "no segment ..",
		"a/./{key}":            "no segment .",
		"{key}/":               "empty segment",
		"a\x00{key}":           "control byte",
		"{key}/{date:2006//}x": "empty segment",
	} {
		_, err := keys.Parse(text, keys.Files)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	if _, err := keys.Parse("/a//{key}", keys.Objects); err != nil {
		t.Errorf("a bucket has no directories: %v", err)
	}
}

func TestATemplateThatIsNotInjectiveIsRefused(t *testing.T) {
	for _, c := range []struct {
		text  string
		every bool
		want  string // "": accepted
	}{
		{"{index}_s_{sequence}.json.gz", false, ""},
		{"logs/{index}/{lane}/{pass}-{sequence}.json.gz", true, ""},
		{"{index}/{index}_s_{sequence}", false, ""},
		{"{index}/{lane}-{pass}/{sequence}", true, ""},
		{"{pass}/{lane}_{sequence:4}.gz", true, ""},
		{"{date:2006/01/02}/{lane}/{sequence}", false, ""},
		{"{key}", true, ""},
		{"{key}.gz", true, ""},
		{"{stem}.new{ext}", false, ""},
		{"{lane}/{key}", false, ""},
		{"{date:2006}{key}", false, ""},
		{"{index}/{lane}-{pass}/{key}", true, ""},
		{"{sequence}.gz", false, "add {lane} or {index}"},
		{"{lane}-{sequence}", true, "add {pass}"},
		{"{date:2006-01-02}/{lane}-{sequence}", true, "add {pass}"},
		{"{index}", false, "add {key}"},
		{"{stem}.gz", false, "add {key}"},
		{"{stem}/{index}/{ext}", false, "add {key}"},
		{"{ext}{stem}", false, "add {key}"},
		{"{key}-{sequence}", false, "several items"},
		{"{lane}{sequence}", false, "where one field ends"},
		{"{lane}1{sequence}", false, "where one field ends"},
		{"{pass}{date:2006}-{lane}-{sequence}", false, "where one field ends"},
		{"{index}-{lane}-{sequence}", false, "where one field ends"},
		{"{pass}1{key}", false, "where one field ends"},
		{"{index}-{lane}/{key}", false, "where one field ends"},
		{"{pass}{key}", false, "where one field ends"},
		{"{index}{key}", false, "where one field ends"},
		{"{key}/{stem}", false, "where one field ends"},
		{"{key}/{lane}/{index}", false, ""},
	} {
		got := parse(t, c.text, keys.Files).Problems(kind.Env{Every: c.every})
		switch {
		case c.want == "" && len(got) > 0:
			t.Errorf("%s: got %v, want none", c.text, got)
		case c.want != "" && (len(got) != 1 || got[0].Option != "key" || !strings.Contains(got[0].Message, c.want)):
			t.Errorf("%s: got %v, want %q", c.text, got, c.want)
		}
	}
}

func TestItemsThatShareAKeyWantTheirVersionInTheTemplate(t *testing.T) {
	for text, want := range map[string]string{
		"{key}": "add {version}", "{version}/{key}": "", "{stem}.{version}/{ext}": "add {key}", "{lane}/{sequence}": "", "{key}-{version}": "where one field ends",
	} {
		got := parse(t, text, keys.Objects).Problems(kind.Env{Repeats: true})
		if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !strings.Contains(got[0].Message, want)) {
			t.Errorf("%s: got %v, want %q", text, got, want)
		}
	}
	if _, err := parse(t, "{version}/{key}", keys.Objects).Render(keys.Values{Key: "k"}); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("an item without a version: got %v", err)
	}
}

func TestAnAcceptedTemplateIsInjective(t *testing.T) {
	part := rapid.SampledFrom([]string{"{index}", "{lane}", "{sequence}", "{sequence:3}", "{pass}", "{pass:2}", "{date:2006/01}",
		"{date:01}", "{key}", "{stem}", "{ext}", "{stem}{ext}", "{stem}.a{ext}", "{version}", "/", "-", "a/", "/a", "1", "a", "_s_", ".", "-1/1-"})
	word := rapid.StringMatching(`[a1._-]{1,4}`)
	path := rapid.StringMatching(`[a1.]{1,3}(/[a1.]{1,3}){0,2}`)
	draw := func(r *rapid.T, tmpl *keys.Template) (v keys.Values, shown string) {
		v = keys.Values{Index: word.Draw(r, "index"), Lane: word.Draw(r, "lane"), Key: path.Draw(r, "key"), Version: word.Draw(r, "version"),
			Sequence: rapid.Int64Range(0, 1200).Draw(r, "sequence"), Pass: rapid.Int64Range(1, 120).Draw(r, "pass")}
		for field, value := range map[string]any{"index": v.Index, "lane": v.Lane, "key": v.Key, "stem": v.Key, "version": v.Version, "sequence": v.Sequence, "pass": v.Pass} {
			if tmpl.Has(field) {
				shown += fmt.Sprintf("%s=%v ", field, value)
			}
		}
		return v, shown
	}
	accepted, compared := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		tmpl, err := keys.Parse(strings.Join(rapid.SliceOfN(part, 1, 6).Draw(r, "parts"), ""), rapid.SampledFrom([]keys.Style{keys.Files, keys.Objects}).Draw(r, "style"))
		if err != nil || len(tmpl.Problems(kind.Env{})) > 0 {
			return
		}
		accepted++
		seen := map[string]string{}
		for range 200 {
			v, shown := draw(r, tmpl)
			key, err := tmpl.Render(v)
			if err != nil {
				continue
			}
			compared++
			if !strings.HasPrefix(key, tmpl.Prefix(keys.Values{Pass: v.Pass})) {
				r.Fatalf("%s: %q leaves %q", tmpl, key, tmpl.Prefix(keys.Values{Pass: v.Pass}))
			}
			shown = canonical(shown)
			if other, twice := seen[key]; twice && other != shown {
				r.Fatalf("%s: %q stands for %s and for %s", tmpl, key, other, shown)
			}
			seen[key] = shown
			match, err := tmpl.Matcher(keys.Values{Lane: v.Lane, Pass: v.Pass, Date: v.Date})
			if err != nil {
				r.Fatal(err)
			}
			if n, ok := match(key); !ok || tmpl.Rolled() && strings.Count(tmpl.String(), "{sequence") == 1 && n != v.Sequence {
				r.Fatalf("%s: %q does not match: %d, %v", tmpl, key, n, ok)
			}
		}
	})
	t.Logf("%d templates, %d keys", accepted, compared)
	if accepted == 0 {
		t.Error("no template was accepted")
	}
}

// canonical sorts what a map gave.
func canonical(shown string) string {
	f := strings.Fields(shown)
	for i := range f {
		for j := i; j > 0 && f[j] < f[j-1]; j-- {
			f[j], f[j-1] = f[j-1], f[j]
		}
	}
	return strings.Join(f, " ")
}

func TestAValueCannotLeaveThePrefix(t *testing.T) {
	rolled, item := parse(t, "p/{index}/{lane}/{sequence}", keys.Files), parse(t, "p/{key}", keys.Files)
	dotted := parse(t, "p/{stem}.{ext}x", keys.Files)
	for _, c := range []struct {
		tmpl *keys.Template
		v    keys.Values
		want string
	}{
		{rolled, keys.Values{Index: "..", Lane: "l"}, `index ".." cannot`},
		{rolled, keys.Values{Index: "i", Lane: "a/b"}, `lane "a/b" cannot`},
		{rolled, keys.Values{Index: "i\n", Lane: "l"}, `index "i\n" cannot`},
		{rolled, keys.Values{Lane: "l"}, "have no index"},
		{item, keys.Values{Key: "../x"}, `item "../x": a path has no segment ..`},
		{item, keys.Values{Key: "a//b"}, `item "a//b"`},
		{item, keys.Values{Key: "/etc/passwd"}, `item "/etc/passwd"`},
		{item, keys.Values{Key: "a/"}, `item "a/"`},
		{item, keys.Values{Key: "a\x00b"}, `item "a\x00b": a control byte`},
		{item, keys.Values{}, "no key"},
		{dotted, keys.Values{Key: "a/b.c"}, ""},
	} {
		got, err := c.tmpl.Render(c.v)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s of %+v: got %q, %v, want %q", c.tmpl, c.v, got, err, c.want)
		}
	}
	for _, key := range []string{"a//b", "../x", "/", "a/./b", "\x01"} {
		got, err := parse(t, "p/{key}", keys.Objects).Render(keys.Values{Key: key})
		if err != nil || got != "p/"+key {
			t.Errorf("keys of a bucket are kept: got %q, %v, want %q", got, err, "p/"+key)
		}
	}
}

func TestLanesOfAnIndexShareTheNumbers(t *testing.T) {
	lane := pipeline.Lane{Part: 2, Parts: 3}
	if got := parse(t, "{index}/{sequence}", keys.Files).Sequence(lane, 4); got != 14 {
		t.Errorf("without lane: got %d, want 14", got)
	}
	if got := parse(t, "{lane}/{sequence}", keys.Files).Sequence(lane, 4); got != 4 {
		t.Errorf("with lane: got %d, want 4", got)
	}
	if got := parse(t, "{index}/{sequence}", keys.Files).Sequence(pipeline.Lane{}, 4); got != 4 {
		t.Errorf("a lane of its own: got %d, want 4", got)
	}
}

func TestPrefixEndsBeforeWhatVaries(t *testing.T) {
	tmpl := parse(t, "a/{pass}/{lane}/{index}-{sequence}", keys.Files)
	for _, c := range []struct {
		v    keys.Values
		want string
	}{
		{keys.Values{}, "a/0/"},
		{keys.Values{Pass: 2, Lane: "l"}, "a/2/l/"},
		{values, "a/3/logs-1-0/logs-1-"},
	} {
		if got := tmpl.Prefix(c.v); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.v, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"{key}", "{index}_s_{sequence}.gz", "{date:2006/01/02}/{stem}{ext}", "{", "}", "{a:b}", "x{lane}-{pass:3}"} {
		f.Add(s, "k/e.y")
	}
	f.Fuzz(func(t *testing.T, text, key string) {
		tmpl, err := keys.Parse(text, keys.Files)
		if err != nil {
			return
		}
		tmpl.Problems(kind.Env{})
		v := values
		v.Key = key
		got, err := tmpl.Render(v)
		if err != nil {
			return
		}
		for s := range strings.SplitSeq(got, "/") {
			if s == "" || s == "." || s == ".." {
				t.Errorf("%q of %q: %q", text, key, got)
			}
		}
	})
}

func TestKeysAreSharedOutWhateverTheyLookLike(t *testing.T) {
	for _, format := range []string{"%02d", "logs/%02d/app-%02[1]d.gz", "a/%05d/part-%05[1]d.json.gz", "2026-01-01T%02d"} {
		for n := 1; n <= 8; n++ {
			got := make([]int, n)
			for i := range 100 * n {
				got[keys.Part(fmt.Sprintf(format, i), n)]++
			}
			if slices.Min(got) < 60 || slices.Max(got) > 140 {
				t.Errorf("%s: lanes have %v, want about 100 each", format, got)
			}
		}
	}
}
