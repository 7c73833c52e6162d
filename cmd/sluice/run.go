package main

import (
	"errors"
	"math"

	"github.com/spf13/cobra"
)

func runCommand() *cobra.Command {
	var (
		path string
		s    session
		m    mirroring
	)
	cmd := &cobra.Command{
		Use:   "run [PIPELINE...]",
		Short: "Run the pipelines of a configuration",
		Long: `Run the pipelines of a configuration, all or those that are named, side by side.
With "sinks", NAME means a pipeline for each sink, and NAME-SINK one of them.

A pipeline makes one pass over its source: the one that was interrupted, else a
new one. A pipeline with "every" or "cron" repeats its passes until it is stopped.
If there is one, sluice is a daemon: a pass that failed is tried again from its
state, soon, and later after each failure, while the others go on; and on SIGHUP,
and when the file changes, the configuration is read again. What is wrong in it
is said, and changes nothing. Only pipelines begin anew whose own options have
changed, after what they have read is delivered.

` + statuses,
		Example: `  sluice run
  sluice run -c archive.yaml logs --report report.json
  sluice run --once                 one pass each, then exit
  sluice run backup --dry-run       what would be copied and deleted`,
		ValidArgsFunction: completePipelines(&path, math.MaxInt),
		RunE: func(cmd *cobra.Command, names []string) error {
			file, from, err := loadFrom(path, cmd.InOrStdin())
			if err != nil {
				return err
			}
			pipelines, err := choose(file, names)
			if err != nil {
				return err
			}
			s.file, s.pipelines, s.stdout = file, pipelines, cmd.OutOrStdout()
			if s.pprof && file.HTTP == "" {
				return usage(errors.New("--pprof: the configuration has no http, over which profiles are served"))
			}
			if s.origin = from; from != nil {
				from.names = names
			}
			s.again = "run again to resume"
			if err := m.apply(&s); err != nil {
				return err
			}
			return s.run(cmd.Context())
		},
	}
	configFlag(cmd, &path)
	s.view.flags(cmd)
	m.flags(cmd)
	cmd.Flags().BoolVar(&s.once, "once", false, `one pass of each pipeline, also where the configuration says "every" or "cron"`)
	cmd.Flags().BoolVar(&s.pprof, "pprof", false, "serve profiles of the process over http, below /debug/pprof/")
	cmd.Flags().BoolVar(&s.accept, "accept", false, "go on with a state that was made with another source or sink")
	return cmd
}
