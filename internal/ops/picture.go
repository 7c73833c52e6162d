package ops

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// picture lays out what pipelines do in the rows of a terminal: a row for each
// pipeline, and below it one for each lane that moves, where there is room.
type picture struct {
	width, height int
	color         bool
	fine          bool // more characters than those of ASCII
	now           time.Time
}

// The most columns of names and of bars, and the most lanes of a pipeline.
const (
	widestName = 24
	widestBar  = 24
	mostBars   = 4
)

// rows is the picture. It leaves the last column free, and half of the height
// to what is written above.
func (p picture) rows(looks []look) []string {
	names := 0
	for _, v := range looks {
		names = max(names, utf8.RuneCountInString(v.Name))
		for _, l := range v.lanes[:min(len(v.lanes), mostBars)] {
			names = max(names, 2+utf8.RuneCountInString(l.name))
		}
	}
	names = min(names, widestName, p.width/3)
	most := max(1, p.height/2)
	spare := max(0, most-len(looks))
	var rows []string
	for _, v := range looks {
		rows = append(rows, p.pipeline(v, names))
		lanes := p.lanes(v, names, spare)
		spare -= len(lanes)
		rows = append(rows, lanes...)
	}
	if len(rows) > most {
		rows = append(rows[:most-1], p.row([]field{{0, fmt.Sprintf("%s %d more pipelines", p.dots(), len(looks)-most+1), faint}}))
	}
	return rows
}

// pipeline is the row of a pipeline.
func (p picture) pipeline(v look, names int) string {
	said, how := v.state(p.now)
	fields := []field{{0, p.name(v.Name, names), plain}, {3, p.bar(v), v.hue(how)}}
	if said != "" {
		return p.row(append(fields, field{1, said, how}))
	}
	return p.row(append(fields, v.fields()...))
}

// lanes are rows of the lanes of a pipeline that move.
func (p picture) lanes(v look, names, room int) (rows []string) {
	if !v.Running || len(v.lanes) == 0 || room < 1 {
		return nil
	}
	shown := min(len(v.lanes), mostBars)
	if shown < len(v.lanes) || shown > room {
		shown = min(shown, room-1)
	}
	for _, l := range v.lanes[:shown] {
		fields := []field{{0, p.name("  "+l.name, names), faint}, {2, p.line(l.done), faint}}
		if l.done >= 0 {
			fields = append(fields, field{1, percent(l.done), faint})
		}
		rows = append(rows, p.row(append(fields, field{1, l.text, faint})))
	}
	if more := len(v.lanes) - shown; more > 0 {
		rows = append(rows, p.row([]field{{0, fmt.Sprintf("  %s %d more lanes move", p.dots(), more), faint}}))
	}
	return rows
}

// fields are the parts of a row that say how far a pass is.
func (v look) fields() (fields []field) {
	add := func(show bool, rank int, text string, c color) {
		if show {
			fields = append(fields, field{rank, text, c})
		}
	}
	c := v.Counts
	counted := c.Unknown == 0 && c.Read+c.Created > 0
	add(v.done >= 0, 1, percent(v.done), plain)
	add(counted, 4, Count(c.Read+c.Created)+" records", plain)
	add(counted, 2, perSecond(v.records), plain)
	add(true, 6, Size(max(c.BytesRead, c.BytesWritten)), plain)
	add(true, 5, Size(int64(v.bytes))+"/s", plain)
	add(v.left >= 0, 2, "ETA "+Span(v.left), plain)
	add(v.Lanes.Total > 0, 3, fmt.Sprintf("lanes %d/%d", v.Lanes.Ended, v.Lanes.Total), faint)
	add(c.ObjectsRead > 0, 8, Count(c.ObjectsRead)+" objects in", faint)
	add(c.ObjectsWritten > 0, 7, Count(c.ObjectsWritten)+" objects out", faint)
	add(sum(v.Retries) > 0, 2, retries(sum(v.Retries)), yellow)
	add(c.Dead > 0, 1, Count(c.Dead)+" dead", red)
	add(c.GivenUp > 0, 1, Count(c.GivenUp)+" vanished", red)
	return fields
}

// state says what a pipeline does that does not move, and why one that moves
// needs attention; "" if there is nothing to say but how far it is.
func (v look) state(now time.Time) (string, color) {
	next := ""
	if !v.Care.Next.IsZero() {
		next = "; next in " + Span(max(0, v.Care.Next.Sub(now)))
	}
	switch c := v.Care; {
	case c.Paused && !v.Running:
		return "paused", yellow
	case c.Failures > 0 && !v.Running:
		return fmt.Sprintf("failed %s%s: %s", times(c.Failures), next, firstLine(c.Error)), red
	case c.Stalled != nil && c.Stalled.Lane == "":
		return fmt.Sprintf("no progress for %s: %s: %s", Span(now.Sub(c.Stalled.Since)), c.Stalled.Stage, c.Stalled.Doing), yellow
	case c.Stalled != nil:
		return fmt.Sprintf("no progress for %s: %s of lane %s: %s", Span(now.Sub(c.Stalled.Since)), c.Stalled.Stage, c.Stalled.Lane, c.Stalled.Doing), yellow
	case !v.Running && v.Last != "":
		return string(v.Last) + next, outcomeColor(v.Last)
	case v.Pass == 0 && next != "":
		return "waits" + next, faint
	case v.Pass == 0:
		return "begins", faint
	}
	return "", plain
}

// hue is the color of the bar of a pipeline that says something in a color.
func (v look) hue(said color) color {
	if said == plain || said == faint {
		return green
	}
	return said
}

func outcomeColor(o Outcome) color {
	return map[Outcome]color{Complete: green, Partial: yellow, Stopped: yellow, Failed: red}[o]
}

// bar is the bar of a pipeline: whole after a pass that left nothing to do.
func (p picture) bar(v look) string {
	if !v.Running && (v.Last == Complete || v.Last == Partial) {
		return p.line(1)
	}
	return p.line(v.done)
}

// line is a bar that is done so far; an empty one if that is unknown.
func (p picture) line(done float64) string {
	width := min(widestBar, max(6, p.width/5))
	n := int(max(0, done) * float64(width))
	if p.fine {
		return strings.Repeat("━", n) + strings.Repeat("─", width-n)
	}
	return "[" + strings.Repeat("=", n) + strings.Repeat("-", width-n) + "]"
}

// name is a name in so many columns. Of a long one the end is seen, which tells
// it from others.
func (p picture) name(name string, width int) string {
	if long := utf8.RuneCountInString(name) - width; long > 0 {
		half := []rune(name)[:width/2]
		rest := []rune(name)[min(len([]rune(name)), width/2+long+utf8.RuneCountInString(p.dots())):]
		name = string(half) + p.dots() + string(rest)
	}
	return fmt.Sprintf("%-*s", width, p.cut(name, width))
}

func perSecond(n float64) string {
	if n > 0 && n < 9.95 {
		return fmt.Sprintf("%.1f/s", n)
	}
	return Count(int64(n)) + "/s"
}

func percent(done float64) string { return fmt.Sprintf("%3d%%", int(100*done)) }

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func retries(n int64) string {
	if n == 1 {
		return "1 retry"
	}
	return Count(n) + " retries"
}
