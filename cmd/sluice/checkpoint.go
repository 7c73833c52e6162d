package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sluice/internal/state"
)

// statePlace is how the commands of checkpoint find a state.
type statePlace struct{ config, dir string }

func checkpointCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "checkpoint",
		Short: "Show or reset how far a pipeline is",
	})
	cmd.AddCommand(showCommand(), resetCommand())
	return cmd
}

func showCommand() *cobra.Command {
	var place statePlace
	cmd := &cobra.Command{
		Use:   "show PIPELINE",
		Short: "Show how far a pipeline is",
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := place.path(cmd, args[0])
			if err != nil {
				return err
			}
			summary, err := state.Read(path)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("pipeline %s has no state in %s: it has not run yet, or it was reset", args[0], path)
			}
			if err != nil {
				return err
			}
			return summary.Show(cmd.OutOrStdout())
		},
	}
	place.flags(cmd)
	return cmd
}

func resetCommand() *cobra.Command {
	var (
		place statePlace
		yes   bool
	)
	cmd := &cobra.Command{
		Use:   "reset PIPELINE",
		Short: "Forget how far a pipeline is: its next run begins at the beginning",
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := place.path(cmd, args[0])
			if err != nil {
				return err
			}
			if !yes {
				if err := confirm(cmd, args[0]); err != nil {
					return err
				}
			}
			err = state.Reset(path)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("pipeline %s has no state in %s: nothing to reset", args[0], path)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is reset: its next run begins at the beginning\n", args[0])
			return err
		},
	}
	place.flags(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (s *statePlace) flags(cmd *cobra.Command) {
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = completePipelines(&s.config, 1)
	configFlag(cmd, &s.config)
	cmd.Flags().StringVar(&s.dir, "state", "", "`DIR` of the state, if there is no configuration (sluice copy --state)")
}

// path is the file of the state of a pipeline.
func (s *statePlace) path(cmd *cobra.Command, pipeline string) (string, error) {
	if s.dir != "" {
		if s.config != "" {
			return "", usage(errors.New("--config and --state: choose one"))
		}
		if strings.ContainsAny(pipeline, `/\`) {
			return "", usage(fmt.Errorf("%q is no name of a pipeline", pipeline))
		}
		return stateFile(s.dir, pipeline), nil
	}
	file, err := load(s.config, cmd.InOrStdin())
	if err != nil {
		return "", err
	}
	if _, err := choose(file, []string{pipeline}); err != nil {
		return "", err
	}
	return stateFile(file.State, pipeline), nil
}

// confirm asks, where there is somebody to ask.
func confirm(cmd *cobra.Command, pipeline string) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return usage(errors.New("nobody can be asked here: say --yes to reset"))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Forget how far %s is, and begin at the beginning? [y/N] ", pipeline)
	answer, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return errors.New("not reset")
	}
	return nil
}
