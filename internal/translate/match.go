package translate

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// exactly is a pattern that matches one name alone.
func exactly(name string) string {
	if !strings.ContainsAny(name, `*?[\`) && !strings.HasPrefix(name, "re:") {
		return name
	}
	return "re:^" + regexp.QuoteMeta(name) + "$"
}

// The ends of a text in what a regular expression becomes.
const begin, finish = "\x01", "\x02"

// most is how many wildcards may be made of one expression.
const most = 64

// wildcards gives patterns of indices (* stands for anything) that match what a
// regular expression matches somewhere in a name, if there are such.
func wildcards(expr string) ([]string, bool) {
	re, err := syntax.Parse(strings.ToLower(expr), syntax.Perl)
	if err != nil {
		return nil, false
	}
	all, ok := alternatives(re)
	if !ok {
		return nil, false
	}
	var out []string
	for _, a := range all {
		a, anchored := strings.CutPrefix(a, begin)
		if !anchored {
			a = "*" + a
		}
		if a, anchored = strings.CutSuffix(a, finish); !anchored {
			a += "*"
		}
		if strings.ContainsAny(a, begin+finish) || a == "" {
			return nil, false
		}
		for strings.Contains(a, "**") {
			a = strings.ReplaceAll(a, "**", "*")
		}
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out, true
}

// alternatives are the wildcards of an expression, with its anchors.
func alternatives(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpBeginText, syntax.OpBeginLine:
		return []string{begin}, true
	case syntax.OpEndText, syntax.OpEndLine:
		return []string{finish}, true
	case syntax.OpLiteral:
		return []string{string(re.Rune)}, !strings.ContainsAny(string(re.Rune), "*,")
	case syntax.OpCapture:
		return alternatives(re.Sub[0])
	case syntax.OpStar:
		any := re.Sub[0].Op == syntax.OpAnyChar || re.Sub[0].Op == syntax.OpAnyCharNotNL
		return []string{"*"}, any
	case syntax.OpCharClass:
		return class(re.Rune)
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			some, ok := alternatives(sub)
			if !ok {
				return nil, false
			}
			all = append(all, some...)
		}
		return all, len(all) <= most
	case syntax.OpConcat:
		return sequence(re.Sub)
	}
	return nil, false
}

// class is one character out of few.
func class(ranges []rune) (all []string, ok bool) {
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if all = append(all, string(r)); len(all) > most {
				return nil, false
			}
		}
	}
	return all, !slices.Contains(all, "*") && !slices.Contains(all, ",")
}

// sequence is expressions one behind the other.
func sequence(subs []*syntax.Regexp) ([]string, bool) {
	all := []string{""}
	for _, sub := range subs {
		some, ok := alternatives(sub)
		if !ok || len(all)*len(some) > most {
			return nil, false
		}
		var next []string
		for _, a := range all {
			for _, s := range some {
				next = append(next, a+s)
			}
		}
		all = next
	}
	return all, true
}
