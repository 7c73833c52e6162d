package main

import (
	"bufio"
	"bytes"
	"errors"

	"github.com/spf13/cobra"

	"sluice/internal/letters"
)

func showLettersCommand() *cobra.Command {
	var (
		place   letterPlace
		records bool
	)
	cmd := &cobra.Command{
		Use:   "show PIPELINE",
		Short: "Show dead letters, a line of JSON each",
		Example: `  sluice dead-letters show logs --reason mapper_parsing_exception --limit 10
  sluice dead-letters show logs --where '.record._source.level == "debug"'
  sluice dead-letters show logs --records > records.ndjson`,
		RunE: func(cmd *cobra.Command, args []string) error {
			box, err := place.box(cmd, args[0])
			if err != nil {
				return err
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			err = place.chosen(cmd.Context(), box, func(l *letters.Letter, line []byte) (err error) {
				if records {
					if line, err = l.Bytes(); line == nil {
						return err
					}
				}
				out.Write(bytes.TrimRight(line, "\n"))
				return out.WriteByte('\n') // it knows of all errors before
			})
			return errors.Join(err, out.Flush())
		},
	}
	place.flags(cmd)
	place.without(cmd)
	cmd.Flags().BoolVar(&records, "records", false, "show only the records, as they are")
	return cmd
}
