package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
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

// hideRest hides what follows a key in its line, and from the beginning of its
// value on in that one: names in it may be parts of a secret without quotes.
func (s *source) hideRest(p pair) {
	after := p.place
	after.col += utf8.RuneCountInString(p.key) + len(": ")
	s.stands(span{place: after, width: -1})
	s.stands(span{place: p.value.place, width: -1})
}

// finish sorts errors, drops repeated ones (of what several aliases stand for,
// and several sinks share) and adds the excerpts.
func (s *source) finish(errs []Error) Errors {
	slices.SortStableFunc(errs, func(a, b Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	said := map[Error]bool{}
	errs = slices.DeleteFunc(errs, func(e Error) bool {
		again := said[e]
		said[e] = true
		return again
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
var userinfo = regexp.MustCompile(`://([^/@\s"']+)@`)

// masked gives a line in which only those values are seen that may be shown,
// and where at is in it.
func (s *source) masked(line, at int) ([]rune, int) {
	text := []rune(s.lines[line-1])
	secret := make([]bool, len(text))
	for _, v := range s.values {
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
		hide(secret[from:to])
	}
	for _, m := range userinfo.FindAllStringSubmatchIndex(string(text), -1) {
		from := utf8.RuneCountInString(string(text)[:m[2]])
		hide(secret[from : from+utf8.RuneCountInString(string(text)[m[2]:m[3]])])
	}
	var out []rune
	where := 0
	for i, c := range text {
		begins := secret[i] && (i == 0 || !secret[i-1])
		if i <= at && (begins || !secret[i]) {
			where = len(out)
		}
		switch {
		case begins:
			out = append(out, []rune("***")...)
		case !secret[i]:
			out = append(out, c)
		}
	}
	if at >= len(text) {
		where = len(out)
	}
	return out, where
}

func hide(secret []bool) {
	for i := range secret {
		secret[i] = true
	}
}

var (
	// secretName finds the names of options whose values may be secrets.
	secretName = regexp.MustCompile(`(?i)pas|pwd|secret|token|credential|_key$|apikey|auth|bearer|proxy`)
	// someKey finds a key in a text that could not be parsed.
	someKey = regexp.MustCompile(`(?:^|[\s{,])["']?([\w.-]+)["']?\s*:(?:\s|$)`)
)

// hideSyntax hides what may be a secret in a line that could not be parsed: what
// follows a key in it, and what stands before its keys if the value of a key
// above may go on there.
func (s *source) hideSyntax(line int) {
	if line < 1 || line > len(s.lines) {
		return
	}
	text := s.lines[line-1]
	keys := someKey.FindAllStringSubmatchIndex(text, -1)
	for _, m := range keys {
		if secretName.MatchString(text[m[2]:m[3]]) {
			s.lines[line-1] = text[:m[3]] + ": ***"
			return
		}
	}
	for _, above := range slices.Backward(s.lines[:line-1]) {
		before := someKey.FindAllStringSubmatch(above, -1)
		if before == nil {
			continue
		}
		first := len(text)
		last := before[len(before)-1]
		if keys != nil && !strings.HasSuffix(strings.TrimSpace(above), strings.TrimSpace(last[0])) { // else its value begins here
			first = keys[0][2]
		}
		if secretName.MatchString(last[1]) && strings.TrimSpace(text[:first]) != "" {
			s.lines[line-1] = "***" + text[first:]
		}
		return
	}
}
