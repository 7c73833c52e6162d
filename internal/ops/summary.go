package ops

import (
	"fmt"
	"io"
	"strings"
)

// Style is how a summary is written.
type Style struct {
	Color   bool
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
	_, err := io.WriteString(out, table(rows, style.Color)+below.String())
	return err
}

func (r Report) row(name string) []string {
	in, written := count(r.Records.Read+r.Records.Created), count(r.Records.Written)
	if r.Records.Uncounted > 0 {
		in, written = "-", "-"
	}
	speed := "-"
	if r.Seconds > 0 && r.Records.Uncounted == 0 {
		speed = count(int64(float64(r.moved) / r.Seconds))
	}
	return []string{
		name, string(r.Outcome), in, written, size(r.Bytes.Read), size(r.Bytes.Written),
		count(r.Objects.Read), count(r.Objects.Written), count(r.Records.Dead), fmt.Sprintf("%.1f", r.Seconds), speed,
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
	return count(n) + " " + noun + "s"
}

// table aligns the rows: the first two columns to the left, figures to the
// right. The second is the outcome, which has a colour.
func table(rows [][]string, color bool) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
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

func colored(outcome string, width int, color bool) string {
	code := map[Outcome]string{Complete: "32", Partial: "33", Stopped: "33", Failed: "31"}[Outcome(outcome)]
	text := fmt.Sprintf("%-*s", width, outcome)
	if !color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
