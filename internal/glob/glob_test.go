package glob_test

import (
	"strings"
	"testing"

	"sluice/internal/glob"
)

func matcher(pattern string) (func(path string) bool, error) {
	all, err := glob.Compile([]string{pattern})
	return func(path string) bool { return glob.Match(all, path) }, err
}

func TestGlobsMatchWholeKeys(t *testing.T) {
	for _, tc := range []struct{ pattern, yes, no string }{
		{"*.gz", "a.gz|.gz", "a/b.gz|a.gzz|a.gz\n"},
		{"**.gz", "a.gz|a/b.gz|a/b/c.gz", "gz"},
		{"**/x", "x|a/x|a/b/x", "ax|a/xb"},
		{"a/**/x", "a/x|a/b/x|a/b/c/x", "ax|a/bx"},
		{"a/**", "a/|a/b|a/b/c", "a|b/a/"},
		{"2024-0?-*/[a-c].*", "2024-01-/a.x|2024-09-30/c.", "2024-10-/a.x|2024-01-/d.x|2024-0/-/a.x"},
		{"[!a]", "b|é|\n", "a|/|bb"},
		{`\*.[\]`, "*.\\", "a.\\"},
		{`\*`, "*", "a"},
		{"a.b(c)+$", "a.b(c)+$", "aXb(c)+$"},
		{"é*日", "é日|éx日", "e日"},
		{"re:^a[0-9]+$", "a1|a22", "a|ba1"},
		{"re:b", "abc|b", "ac"},
	} {
		match, err := matcher(tc.pattern)
		if err != nil {
			t.Errorf("%s: %v", tc.pattern, err)
			continue
		}
		for _, key := range strings.Split(tc.yes, "|") {
			if !match(key) {
				t.Errorf("%s does not match %q", tc.pattern, key)
			}
		}
		for _, key := range strings.Split(tc.no, "|") {
			if match(key) {
				t.Errorf("%s matches %q", tc.pattern, key)
			}
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("**/*.[a-z]?", "a/b.cd")
	f.Add("[", "")
	f.Fuzz(func(t *testing.T, pattern, key string) {
		match, err := matcher(pattern)
		if err != nil {
			return
		}
		match(key)
		if !strings.ContainsAny(pattern, `*?[\`) && !strings.HasPrefix(pattern, "re:") && match(key) != (key == pattern) {
			t.Errorf("%q matches %q", pattern, key)
		}
	})
}
