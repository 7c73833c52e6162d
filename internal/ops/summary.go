package ops

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Style is how a summary is written.
type Style struct {
	Color   bool
	Width   int               // of the terminal, in columns; 0: any
	Again   string            // what to do about a pass that is not complete: "run again to resume"
	Letters map[string]string // where dead letters are, by pipeline
}

// Summary writes a table of what became of the pipelines, in the order of
// names, and below it what went wrong and what to do about it.
func (rs Reports) Summary(out io.Writer, names []string, style Style) error {
	rows := [][]string{{"PIPELINE", "OUTCOME", "RECORDS IN", "OUT", "BYTES IN", "OUT", "OBJECTS IN", "OUT", "DEAD", "SECONDS", "RECORDS/S"}}
	var below strings.Builder
	for _, name := range names {
		r, ok := rs[name]
		if !ok {
			continue
		}
		rows = append(rows, r.row(name))
		if advice := r.advice(style.Again, style.Letters[name]); advice != "" {
			fmt.Fprintf(&below, "\n%s: %s\n", name, advice)
		}
	}
	text := table(rows, style.Color)
	if style.Width > 0 && columns(rows) > style.Width {
		text = list(rows, style.Color)
	}
	_, err := io.WriteString(out, text+below.String())
	return err
}

func (r Report) row(name string) []string {
	in, written := Count(r.Records.Read+r.Records.Created), Count(r.Records.Written)
	if r.Records.Uncounted > 0 {
		in, written = "-", "-"
	}
	speed := "-"
	if r.Seconds > 0 && r.Records.Uncounted == 0 {
		speed = Count(int64(float64(r.moved) / r.Seconds))
	}
	return []string{
		name, string(r.Outcome), in, written, Size(r.Bytes.Read), Size(r.Bytes.Written),
		Count(r.Objects.Read), Count(r.Objects.Written), Count(r.Records.Dead), fmt.Sprintf("%.1f", r.Seconds), speed,
	}
}

// advice says what went wrong and what to do.
func (r Report) advice(again, letters string) string {
	switch r.Outcome {
	case Failed:
		return "failed: " + strings.ReplaceAll(r.Error, "\n", "\n  ") + "\n  When the cause is gone: " + again + "."
	case Stopped:
		return "stopped before its end: " + again + "."
	case Partial:
		var what []string
		if n := r.Records.Dead; n > 0 {
			what = append(what, plural(n, "dead letter"))
		}
		if n := r.Objects.Vanished; n > 0 {
			what = append(what, plural(n, "object")+" that could not be had")
		}
		return "complete but for " + strings.Join(what, " and ") + ": see " + letters + " for the reasons."
	}
	return ""
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Count(n) + " " + noun + "s"
}

// table aligns the rows: the first two columns to the left, figures to the
// right. The second is the outcome, which has a colour.
func table(rows [][]string, color bool) string {
	widths := widths(rows)
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "%-*s  %s", widths[0], row[0], colored(row[1], widths[1], color))
		for i, cell := range row[2:] {
			fmt.Fprintf(&b, "  %*s", widths[i+2], cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// list is the table for a terminal that is too narrow for it: each row is a
// paragraph.
func list(rows [][]string, color bool) string {
	var b strings.Builder
	for _, row := range rows[1:] {
		fmt.Fprintf(&b, "%s: %s\n", row[0], colored(row[1], 0, color))
		for _, line := range [][3]string{{"records", row[2], row[3]}, {"bytes", row[4], row[5]}, {"objects", row[6], row[7]}} {
			fmt.Fprintf(&b, "  %-8s %s in, %s out\n", line[0], line[1], line[2])
		}
		fmt.Fprintf(&b, "  %-8s %s\n", "dead", row[8])
		fmt.Fprintf(&b, "  %-8s %s s, %s records/s\n", "speed", row[9], row[10])
	}
	return b.String()
}

func widths(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

// columns is how wide the table is.
func columns(rows [][]string) (n int) {
	for _, w := range widths(rows) {
		n += w + 2
	}
	return n - 2
}

func colored(outcome string, width int, color bool) string {
	text := fmt.Sprintf("%-*s", width, outcome)
	if !color {
		return text
	}
	return paint(text, outcomeColor(Outcome(outcome)))
}
