// Package glob reads the patterns by which objects and files are chosen.
//
// A pattern is a glob, which is all of a key or path: * stands for anything
// without a slash, ** for anything, ? for one character and [a-z] for one of
// several, [!a-z] for one of the others; a backslash takes its meaning from what
// follows. Or it is re: and a regular expression, which matches any part unless
// it says ^ and $.
package glob

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Match says whether one of the patterns matches.
func Match(patterns []*regexp.Regexp, path string) bool {
	return slices.ContainsFunc(patterns, func(re *regexp.Regexp) bool { return re.MatchString(path) })
}

// Compile makes a regular expression of each pattern.
func Compile(patterns []string) (all []*regexp.Regexp, err error) {
	for _, p := range patterns {
		text, isRegexp := strings.CutPrefix(p, "re:")
		if !isRegexp {
			if text, err = translate(p); err != nil {
				return nil, fmt.Errorf("%q: %w", p, err)
			}
		}
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", p, err)
		}
		all = append(all, re)
	}
	return all, nil
}

// translate makes a regular expression of a glob, which is all of a key. Directories
// may be none: **/a is a, too.
func translate(p string) (string, error) {
	if p == "" {
		return "", errors.New("an empty pattern matches nothing")
	}
	var re strings.Builder
	re.WriteString(`(?s)\A`)
	for begin := true; p != ""; {
		n, text, err := piece(p, begin)
		if err != nil {
			return "", err
		}
		re.WriteString(text)
		begin = p[n-1] == '/'
		p = p[n:]
	}
	return re.String() + `\z`, nil
}

// piece translates the first n bytes of a glob.
func piece(p string, begin bool) (n int, text string, err error) {
	switch {
	case begin && strings.HasPrefix(p, "**/"):
		return 3, `(?:.*/)?`, nil
	case strings.HasPrefix(p, "**"):
		return 2, `.*`, nil
	case p[0] == '*':
		return 1, `[^/]*`, nil
	case p[0] == '?':
		return 1, `[^/]`, nil
	case p[0] == '[':
		end := strings.IndexByte(p[1:], ']') + 1
		if end < 2 {
			return 0, "", errors.New("[ without characters and ]")
		}
		class := strings.ReplaceAll(p[1:end], `\`, `\\`)
		if class[0] == '!' || class[0] == '^' {
			class = "^/" + class[1:]
		}
		return end + 1, "[" + class + "]", nil
	case p[0] == '\\' && len(p) > 1:
		return 2, regexp.QuoteMeta(p[1:2]), nil
	}
	return 1, regexp.QuoteMeta(p[:1]), nil
}
