package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand is for those who package Sluice.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIRECTORY",
		Short: "Write the manual pages, one for each command",
		Long: `Write the manual pages, one for each command, into a directory. They bear the
time of SOURCE_DATE_EPOCH, if that is set.`,
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true
			markdown(root)
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "Sluice " + build().Version, Manual: "Sluice"}, args[0])
		},
	}
}

// markdown makes of the texts of commands what the generator reads: lines that
// are indented stay as they are.
func markdown(cmd *cobra.Command) {
	var out []string
	before := ""
	for line := range strings.SplitSeq(cmd.Long, "\n") {
		if strings.HasPrefix(line, "  ") {
			if !strings.HasPrefix(before, "  ") {
				out = append(out, "")
			}
			line = "  " + line
		}
		out, before = append(out, line), line
	}
	cmd.Long = strings.Join(out, "\n")
	for _, c := range cmd.Commands() {
		markdown(c)
	}
}
