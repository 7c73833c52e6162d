package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Error is one thing that is wrong in a configuration.
type Error struct {
	File      string
	Line, Col int    // from 1, Col in characters; 0 without a file
	Message   string // what is wrong and what to do; never a secret
	Excerpt   string // the source line and a caret under Col; secrets in it are ***
}

// Error gives file:line:column: message, and the excerpt in the lines below it.
func (e Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s\n%s", e.File, e.Line, e.Col, e.Message, e.Excerpt)
}

// Errors is everything that is wrong in a configuration, by position. There is
// at least one.
type Errors []Error

// shownErrors is how many errors are shown at once: nobody reads more.
const shownErrors = 50

// Error gives all errors, one below the other.
func (e Errors) Error() string {
	var b strings.Builder
	for i, one := range e {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == shownErrors {
			fmt.Fprintf(&b, "and %d more", len(e)-i)
			break
		}
		b.WriteString(one.Error())
	}
	return b.String()
}

// source is the text of a configuration, from which excerpts are cut.
type source struct {
	name   string
	hide   string // what paths begin with that nobody wrote
	lines  []string
	values []span         // of all scalar values
	noted  map[place]bool // they are in values
	shown  map[place]bool // those that may be shown; false: a secret, even if shown elsewhere
}

// span is where a scalar value stands.
type span struct {
	place
	width int // characters in its line; -1: it goes on
	more  int // whole lines that follow
}

func newSource(name, text string) *source {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	return &source{name: name, lines: lines, noted: map[place]bool{}, shown: map[place]bool{}}
}

// stands notes where a scalar value stands; it is not shown until show says so.
func (s *source) stands(v span) {
	if !s.noted[v.place] {
		s.noted[v.place] = true
		s.values = append(s.values, v)
	}
}

// show says that the value at a place is no secret, or is one.
func (s *source) show(at place, ok bool) {
	if old, known := s.shown[at]; known {
		ok = ok && old
	}
	s.shown[at] = ok
}

// finish sorts errors, drops repeated ones (of what several aliases stand for)
// and adds the excerpts.
func (s *source) finish(errs []Error) Errors {
	slices.SortStableFunc(errs, func(a, b Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	errs = slices.CompactFunc(errs, func(a, b Error) bool {
		return a.Line == b.Line && a.Col == b.Col && a.Message == b.Message
	})
	for i := range errs {
		e := &errs[i]
		e.File = s.name
		if e.Line > 0 && e.Line <= len(s.lines) && i < shownErrors {
			e.Excerpt = s.excerpt(e.Line, e.Col)
		}
	}
	return errs
}

const excerptWidth = 100

// excerpt gives a line, cut to what stands around col, and a caret below it.
func (s *source) excerpt(line, col int) string {
	text, at := s.masked(line, max(0, col-1))
	at = min(at, len(text))
	if from := at - excerptWidth*2/3; len(text) > excerptWidth && from > 0 {
		text, at = append([]rune("…"), text[from:]...), at-from+1
	}
	if len(text) > excerptWidth {
		text = append(slices.Clip(text[:excerptWidth]), '…')
	}
	under := slices.Clone(text[:at])
	for i, c := range text {
		if c != '\t' && !unicode.IsPrint(c) {
			text[i] = '?'
		}
		if i < at && c != '\t' {
			under[i] = ' '
		}
	}
	number := fmt.Sprintf("%4d | ", line)
	gap := strings.Repeat(" ", len(number)-2) + "| "
	return strings.TrimRight(number+string(text), " ") + "\n" + gap + string(under) + "^"
}

// userinfo is the name and password in a URL.
var userinfo = regexp.MustCompile(`(://)[^/@\s"']+@`)

// masked gives a line in which only those values are seen that may be shown,
// and where at is in it.
func (s *source) masked(line, at int) ([]rune, int) {
	text := []rune(s.lines[line-1])
	for _, v := range slices.Backward(s.values) {
		if v.line > line || v.line+v.more < line || s.shown[v.place] {
			continue
		}
		from, to := 0, len(text)
		if v.line == line {
			from = min(v.col-1, to)
		}
		if v.line == line && v.width >= 0 {
			to = min(from+v.width, to)
		}
		text, at = masking(text, from, to, at)
	}
	for _, m := range slices.Backward(userinfo.FindAllStringIndex(string(text), -1)) {
		from, to := len([]rune(string(text)[:m[0]]))+len("://"), len([]rune(string(text)[:m[1]]))-1
		text, at = masking(text, from, to, at)
	}
	return text, at
}

// masking replaces text[from:to] by ***. at stays at what it was at.
func masking(text []rune, from, to, at int) ([]rune, int) {
	switch {
	case at >= to:
		at += len("***") - (to - from)
	case at > from:
		at = from
	}
	return slices.Replace(slices.Clone(text), from, to, []rune("***")...), at
}

// secretKey finds, in a text that could not be parsed, a key whose value may be
// a secret.
var secretKey = regexp.MustCompile(`(?i)([\w-]*(?:pass|secret|token|credential|_key|apikey)[\w-]*["']?\s*:)\s*(.*)$`)

// hideSyntax hides what may be a secret in and after a line that could not be
// parsed.
func (s *source) hideSyntax(line int) {
	for i := max(0, line-2); i < min(line, len(s.lines)); i++ {
		m := secretKey.FindStringSubmatchIndex(s.lines[i])
		if m == nil {
			continue
		}
		if i == line-2 { // the value may stand below its key
			s.lines[i+1] = "***"
			continue
		}
		s.lines[i] = s.lines[i][:m[3]] + " ***"
	}
}
