package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

const about = `Sluice moves data between Elasticsearch or OpenSearch, S3 object stores and
files: once, or continuously. It never says "complete" when something is
missing, needs the same small memory for 1 GB and 10 TB, and goes on where it
was after it was stopped or killed.

  sluice run                  run the pipelines of ./sluice.yaml
  sluice copy SOURCE SINK     move data once, without a configuration`

const statuses = `Exit status:
  0  all that was asked for was delivered and the counts agree, or a daemon was stopped
  1  failed; run again to resume
  2  usage or configuration; nothing was begun
  3  complete, but some records are dead letters or objects could not be had
  4  stopped before its end; run again to resume

The worst of several pipelines counts: 1 before 4 before 3. SIGINT or SIGTERM
stops with grace; a second one leaves at once, with 4.`

func newRoot() *cobra.Command {
	root := group(&cobra.Command{
		Use:           "sluice",
		Short:         "Move data between search indices, object stores and files",
		Long:          about,
		SilenceErrors: true, // main says them
		SilenceUsage:  true,
	})
	root.AddCommand(runCommand(), copyCommand(), checkCommand(), checkpointCommand(), deadLettersCommand(), editsCommand(), initCommand(), schemaCommand(), versionCommand(), manCommand())
	return root
}

// group makes cmd one that only has others below it: alone it shows its help.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		if strings.Contains(args[0], ":") { // not shown: there may be a password in it
			return fmt.Errorf("no such command; did you mean: %s copy SOURCE SINK?", cmd.Root().Name())
		}
		if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
			return fmt.Errorf("no command %q; did you mean %s?", args[0], strings.Join(like, " or "))
		}
		return fmt.Errorf("no command %q", args[0])
	}
	return cmd
}
