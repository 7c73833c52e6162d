package translate

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// mapping is a mapping of YAML, in the order in which it is written.
type mapping []entry

// entry is one key of a mapping. Its value is a string, a number, a bool, a
// list of strings, a reference, a mapping, or nil for none.
type entry struct {
	key   string
	value any
	about string // said above it
	off   bool   // it is written as a comment: an option that could be given
}

// reference is a value that is a variable of the environment.
type reference string

// set adds an option, unless it is the zero value of its type.
func (m *mapping) set(key string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case reference:
		if v == "" {
			return
		}
	case int:
		if v == 0 {
			return
		}
	case bool:
		if !v {
			return
		}
	case []string:
		if len(v) == 0 {
			return
		}
	case mapping:
		if len(v) == 0 {
			return
		}
	}
	*m = append(*m, entry{key: key, value: value})
}

// get is the value of an option that is given, or nil.
func (m mapping) get(key string) any {
	for _, e := range m {
		if e.key == key && !e.off {
			return e.value
		}
	}
	return nil
}

// hint adds an option that could be given, as a comment.
func (m *mapping) hint(key string, value any, about string) {
	*m = append(*m, entry{key: key, value: value, about: about, off: true})
}

// lines is the mapping as it is written. Without options that are given it is
// nothing but comments.
func (m mapping) lines() (list []string) {
	for _, e := range m {
		list = append(list, comment(e.about)...)
		lines := e.lines()
		if e.off {
			for i, l := range lines {
				blanks := len(l) - len(strings.TrimLeft(l, " "))
				if l[blanks] != '#' {
					lines[i] = l[:blanks] + "#" + l[blanks:]
				}
			}
		}
		list = append(list, lines...)
	}
	return list
}

func (e entry) lines() []string {
	switch v := e.value.(type) {
	case nil:
		return []string{e.key + ":"}
	case mapping:
		return append([]string{e.key + ":"}, indented(v.lines())...)
	case []mapping:
		list := []string{e.key + ":"}
		for _, m := range v {
			list = append(list, indented(item(m))...)
		}
		return list
	}
	return []string{e.key + ": " + inline(e.value)}
}

// item is a mapping as an item of a list; a stage without options is its name
// alone.
func item(m mapping) []string {
	options, stage := m[0].value.(mapping)
	var lines []string
	switch {
	case !stage || len(m) > 1:
		lines = m.lines()
	case slices.ContainsFunc(options, func(e entry) bool { return !e.off }):
		lines = append([]string{m[0].key + ":"}, indented(options.lines())...)
	default:
		lines = append([]string{m[0].key}, indented(options.lines())...)
	}
	lines = indented(lines)
	lines[0] = "- " + lines[0][2:]
	return lines
}

func indented(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = "  " + l
	}
	return out
}

// inline is a value on one line.
func inline(value any) string {
	switch v := value.(type) {
	case string:
		return text(v)
	case reference:
		return strconv.Quote("${" + string(v) + "}")
	case []string:
		if len(v) == 1 {
			return text(v[0])
		}
		all := make([]string, len(v))
		for i, s := range v {
			all[i] = text(s)
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	return fmt.Sprint(value)
}

// plain is text that needs no quotes anywhere in YAML, and is a text without
// them. words are not.
var (
	plain = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./*@:+=-]*[A-Za-z0-9_./*+=-]$|^[A-Za-z]$|^\.{0,2}/[A-Za-z0-9_./-]*$|^\.$|^[1-9][0-9]*(ms|s|m|h|d|%|B|KiB|MiB|GiB|TiB)$`)
	words = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|null|y|n)$`)
)

// text is a text as a value in YAML, in which a dollar begins a variable.
func text(s string) string {
	if plain.MatchString(s) && !words.MatchString(s) {
		return s
	}
	s = strings.ReplaceAll(s, "$", "$$")
	if strings.Contains(s, `"`) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return strconv.Quote(s)
}

// width is that of comments.
const width = 76

// comment is a text as comments, in lines that are not too long. A line of it
// that begins with blanks stays as it is.
func comment(text string) (lines []string) {
	if text == "" {
		return nil
	}
	for l := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(l, " ") || l == "" {
			lines = append(lines, strings.TrimRight("# "+l, " "))
			continue
		}
		lines = append(lines, wrapped("# ", "# ", l)...)
	}
	return lines
}

// wrapped is the words of a text in lines, which begin with first and then.
func wrapped(first, then, text string) (lines []string) {
	line, empty := first, true
	for w := range strings.FieldsSeq(text) {
		if !empty && len(line)+1+len(w) > width {
			lines, line, empty = append(lines, line), then, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+w, false
	}
	return append(lines, line)
}

// quoted is a text as JSON has it.
func quoted(s string) string {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.Encode(s) // a text cannot fail
	return strings.TrimSuffix(out.String(), "\n")
}
