package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"sluice/internal/ops"
)

// page prints findings for people: a column of names, and behind it what is to
// be said. On a terminal lines are broken where they end, and what matters has a
// colour.
type page struct {
	out   io.Writer
	width int // of a line; 0: any
	color bool
}

const names = 14 // columns of the names

func newPage(out io.Writer) *page {
	p := &page{out: out}
	if f, ok := out.(*os.File); ok {
		console := ops.NewConsole(f, os.Getenv)
		p.color = console.Color
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && console.Terminal {
			p.width = max(w, 3*names)
		}
	}
	return p
}

func (p *page) paint(code, text string) string {
	if !p.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *page) bold(text string) string   { return p.paint("1", text) }
func (p *page) red(text string) string    { return p.paint("1;31", text) }
func (p *page) green(text string) string  { return p.paint("32", text) }
func (p *page) yellow(text string) string { return p.paint("33", text) }

// line prints a line as it is.
func (p *page) line(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

// say prints lines behind a name, which stands before the first.
func (p *page) say(name string, lines ...string) {
	p.paintedly(name, func(s string) string { return s }, lines...)
}

// paintedly is say with the name in a colour.
func (p *page) paintedly(name string, paint func(string) string, lines ...string) {
	for _, text := range lines {
		for one := range strings.SplitSeq(text, "\n") {
			for _, part := range p.broken(one) {
				pad := strings.Repeat(" ", max(1, names-utf8.RuneCountInString(name)))
				p.line("  %s%s%s", paint(name), pad, part)
				name, paint = "", func(s string) string { return s }
			}
		}
	}
}

// broken breaks a line between words, so that it fits behind a name.
func (p *page) broken(text string) (lines []string) {
	room := p.width - names - 2
	if p.width == 0 {
		return []string{text}
	}
	for utf8.RuneCountInString(text) > room {
		end := len(string([]rune(text)[:room+1]))
		at := strings.LastIndexByte(text[:end], ' ')
		if at <= 0 {
			break
		}
		lines, text = append(lines, text[:at]), text[at+1:]
	}
	return append(lines, text)
}

// table gives rows as lines: the first column begins on the left, the others
// end on the right.
func table(rows [][]string) (lines []string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString(cell + pad)
			} else {
				b.WriteString("   " + pad + cell)
			}
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return lines
}

// beside gives rows of a name and a text as lines, aligned on the left.
func beside(rows [][]string) (lines []string) {
	width := 0
	for _, row := range rows {
		width = max(width, len(row[0]))
	}
	for _, row := range rows {
		lines = append(lines, fmt.Sprintf("%-*s   %s", width, row[0], row[1]))
	}
	return lines
}
