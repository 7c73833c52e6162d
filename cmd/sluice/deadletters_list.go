package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"sluice/internal/letters"
)

func listLettersCommand() *cobra.Command {
	var place letterPlace
	cmd := &cobra.Command{
		Use:   "list PIPELINE",
		Short: "List the reasons of dead letters, with an example of each",
		RunE: func(cmd *cobra.Command, args []string) error {
			box, err := place.box(cmd, args[0])
			if err != nil {
				return err
			}
			groups := map[letterKind]*letterGroup{}
			err = place.chosen(cmd.Context(), box, func(l *letters.Letter, _ []byte) error {
				k := letterKind{l.Stage, letters.Group(l.Reason), l.Record != nil}
				if groups[k] == nil {
					groups[k] = &letterGroup{letterKind: k, example: exampleOf(l)}
				}
				groups[k].n++
				return nil
			})
			if err != nil {
				return err
			}
			return listLetters(cmd.OutOrStdout(), box, groups)
		},
	}
	place.flags(cmd)
	place.without(cmd)
	return cmd
}

// letterKind is what letters of a group have in common.
type letterKind struct {
	stage, reason string
	record        bool // it is in the letter
}

type letterGroup struct {
	letterKind
	n       int
	example string
}

// listLetters writes the groups, the largest first, and what was left out.
func listLetters(out io.Writer, box *letters.Box, groups map[letterKind]*letterGroup) error {
	var b strings.Builder
	total := 0
	all := make([]*letterGroup, 0, len(groups))
	for _, g := range groups {
		all, total = append(all, g), total+g.n
	}
	slices.SortFunc(all, func(a, b *letterGroup) int {
		return cmp.Or(b.n-a.n, strings.Compare(a.stage, b.stage), strings.Compare(a.reason, b.reason))
	})
	for _, g := range all {
		fmt.Fprintf(&b, "%8d  %s: %s\n%8s  such as %s\n", g.n, g.stage, g.reason, "", g.example)
		if !g.record {
			fmt.Fprintf(&b, "%8s  the record is not in the letter and cannot be replayed: repair it at the source, and let a pass read it again\n", "")
		}
	}
	fmt.Fprintf(&b, "%s of %s in %s", plural(total, "dead letter"), box.Pipeline, box.Config.Place(box.Pipeline))
	for _, left := range []struct {
		n    int
		what string
	}{
		{box.Done, "replayed"}, {box.Void, "void, as their lanes started over"}, {box.Broken, "unreadable"},
	} {
		if left.n > 0 {
			fmt.Fprintf(&b, "; %d %s", left.n, left.what)
		}
	}
	_, err := io.WriteString(out, b.String()+"\n")
	return err
}

// mostOfExample is how many bytes of a record are shown.
const mostOfExample = 200

// exampleOf says where a record is from, and how it begins.
func exampleOf(l *letters.Letter) string {
	at := l.Source.Key
	if line := l.Source.Line; line != nil {
		at += fmt.Sprintf(", record %d", *line)
		if p := cmp.Or(l.Source.Position.Inner, l.Source.Position.Token); p != "" {
			at += " after " + printable(p)
		}
	}
	record, err := l.Bytes()
	if record == nil || err != nil {
		return at
	}
	text := string(record[:min(len(record), mostOfExample)])
	for len(text) > 0 && !utf8.ValidString(text[max(0, len(text)-utf8.UTFMax):]) && len(text) > mostOfExample-utf8.UTFMax {
		text = text[:len(text)-1]
	}
	if text = strings.TrimRight(text, "\n"); len(text) < len(record)-1 {
		text += "…"
	}
	if l.Encoding != "" {
		text = fmt.Sprintf("%q", text)
	}
	return at + ": " + text
}
