package keys

import (
	"fmt"
	"slices"
	"strings"

	"sluice/internal/kind"
)

// Problems says why two objects could get one key, if they could. Their Option
// is "key".
func (t *Template) Problems(env kind.Env) (problems []kind.Problem) {
	add := func(format string, args ...any) {
		problems = append(problems, kind.Problem{Option: "key", Message: fmt.Sprintf("%q: ", t.text) + fmt.Sprintf(format, args...)})
	}
	item := t.Has("key") || t.Has("stem") || t.Has("ext") || t.Has("version")
	switch {
	case t.Rolled() && item:
		add("an object of several items has no {key}, {stem}, {ext} or {version}: leave out either them or {sequence}")
	case t.Rolled() && !t.Has("lane") && !t.Has("index"):
		add("objects of different lanes would get one key: add {lane} or {index}")
	case t.Rolled() && env.Every && !t.Has("pass"):
		add("each pass would write the keys of the last one: add {pass}")
	case !t.Rolled() && !t.Has("key") && !t.whole():
		add("different items would get one key: add {key}, or {stem} and {ext} with only text between them, or {sequence} for objects of several items")
	case !t.Rolled() && env.Repeats && !t.Has("version"):
		add("the source gives items of different versions that share a key: add {version}")
	case !splits(t.joined()):
		add("different objects could get one key, because it does not say where one field ends and the next begins: put a slash between names, and text between numbers")
	}
	return problems
}

// whole says whether {stem} and {ext} stand for the key together: one of
// each, with only text between them. Then no two keys look alike: were
// S·X and S'·X·.w the same text, then S would end in a dot and a part of w,
// which would be its ext.
func (t *Template) whole() bool {
	p := t.joined()
	return slices.ContainsFunc(p, func(p part) bool { return p.field == "key" }) && !slices.ContainsFunc(p, func(p part) bool { return p.field == "stem" || p.field == "ext" })
}

// joined is the parts with each {stem}text{ext} as one {key}.
func (t *Template) joined() (out []part) {
	for i := 0; i < len(t.parts); i++ {
		out = append(out, t.parts[i])
		if t.parts[i].field != "stem" {
			continue
		}
		end := i + 1
		if end < len(t.parts) && t.parts[end].field == "" {
			end++
		}
		if end < len(t.parts) && t.parts[end].field == "ext" {
			out[len(out)-1] = part{field: "key"}
			i = end
		}
	}
	return out
}

// splits says whether a key tells the values of all fields. It takes away what
// can be told from the left or the right end; one field that is left is what
// remains of the key.
func splits(parts []part) bool {
	for {
		parts = trim(parts)
		if fields(parts) <= 1 {
			return true
		}
		rest := trimNumber(parts)
		if len(rest) == len(parts) {
			rest = trimSegments(parts)
		}
		if len(rest) == len(parts) {
			return false
		}
		parts = rest
	}
}

// trim takes away what has a known length.
func trim(parts []part) []part {
	known := func(p part) bool { return p.field == "" || p.field == "date" }
	for len(parts) > 0 && known(parts[0]) {
		parts = parts[1:]
	}
	for len(parts) > 0 && known(parts[len(parts)-1]) {
		parts = parts[:len(parts)-1]
	}
	return parts
}

// fields counts the fields of unknown length.
func fields(parts []part) (n int) {
	for _, p := range parts {
		if p.field != "" && p.field != "date" {
			n++
		}
	}
	return n
}

func number(p part) bool { return p.field == "sequence" || p.field == "pass" }

const digits = "0123456789"

// trimNumber takes away a number at an end: it reaches to the text beside it,
// if that begins with anything but a digit.
func trimNumber(parts []part) []part {
	if next := parts[1].text; number(parts[0]) && parts[1].field == "" && !strings.Contains(digits, next[:1]) {
		return parts[1:]
	}
	last := len(parts) - 1
	if before := parts[last-1].text; number(parts[last]) && parts[last-1].field == "" && !strings.Contains(digits, before[len(before)-1:]) {
		return parts[:last]
	}
	return parts
}

// trimSegments takes away fields at an end that hold no slash, if a slash in
// the text beside them says how far they reach, and they can be told apart.
func trimSegments(parts []part) []part {
	slash := func(p part) bool { return p.field == "" && strings.Contains(p.text, "/") }
	flat := func(parts []part) bool {
		return !slices.ContainsFunc(parts, func(p part) bool {
			return p.field == "key" || p.field == "stem" || p.field == "date" && strings.Contains(p.text, "/")
		})
	}
	first := slices.IndexFunc(parts, slash)
	if first < 0 {
		return parts
	}
	if head, _, _ := strings.Cut(parts[first].text, "/"); flat(parts[:first]) && splits(append(slices.Clone(parts[:first]), part{text: head})) {
		return parts[first+1:]
	}
	last := len(parts) - 1
	for !slash(parts[last]) {
		last--
	}
	tail := parts[last].text[strings.LastIndexByte(parts[last].text, '/')+1:]
	if flat(parts[last+1:]) && splits(append([]part{{text: tail}}, parts[last+1:]...)) {
		return parts[:last]
	}
	return parts
}
