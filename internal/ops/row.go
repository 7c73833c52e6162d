package ops

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// field is a part of a row. Where a row has no room for all, those go first
// that have the highest rank.
type field struct {
	rank  int
	text  string
	color color
}

// color is how a terminal shows a text: parameters of its sequence SGR.
type color string

const (
	plain  color = ""
	faint  color = "2"
	red    color = "31"
	green  color = "32"
	yellow color = "33"
)

// row joins fields, as many as there is room for.
func (p picture) row(fields []field) string {
	room := p.width - 1
	for width(fields) > room && len(fields) > 1 {
		last := slices.IndexFunc(fields, func(f field) bool { return f.rank == highest(fields) })
		if fields[last].rank <= 1 { // the last of what must be seen is cut
			break
		}
		fields = slices.Delete(slices.Clone(fields), last, last+1)
	}
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteString("  ")
			room -= 2
		}
		text := p.cut(f.text, max(0, room))
		room -= utf8.RuneCountInString(text)
		b.WriteString(p.paint(text, f.color))
	}
	return b.String()
}

func width(fields []field) (n int) {
	for _, f := range fields {
		n += utf8.RuneCountInString(f.text) + 2
	}
	return n - 2
}

func highest(fields []field) (rank int) {
	for _, f := range fields {
		rank = max(rank, f.rank)
	}
	return rank
}

func (p picture) paint(text string, c color) string {
	if !p.color {
		return text
	}
	return paint(text, c)
}

func paint(text string, c color) string {
	if c == plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// cut makes a text one that has no more columns than these, and nothing that a
// terminal would take for a command.
func (p picture) cut(text string, width int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text)
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	end := p.dots()
	keep := max(0, width-utf8.RuneCountInString(end))
	return string([]rune(text)[:keep]) + end
}

func (p picture) dots() string {
	if p.fine {
		return "…"
	}
	return "..."
}
