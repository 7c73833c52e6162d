package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
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
			files, err := place.files(cmd, args[0])
			if err != nil {
				return err
			}
			var errs []error
			for i, f := range files {
				if len(files) > 1 {
					fmt.Fprintf(cmd.OutOrStdout(), "%spipeline %s\n", strings.Repeat("\n", min(i, 1)), f.pipeline)
				}
				errs = append(errs, f.show(cmd.OutOrStdout()))
			}
			return errors.Join(errs...)
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
			files, err := place.files(cmd, args[0])
			if err != nil {
				return err
			}
			if !yes {
				if err := confirm(cmd, files); err != nil {
					return err
				}
			}
			var errs []error
			for _, f := range files {
				errs = append(errs, f.reset(cmd))
			}
			return errors.Join(errs...)
		},
	}
	place.flags(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// owed says what nothing puts back once the state is gone. One that cannot be
// read says nothing.
func owed(path string) (lines []string) {
	summary, err := state.Read(path)
	if err != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(summary.Undo)) {
		lines = append(lines, fmt.Sprintf("%s was changed for a load, and no run puts it back now; it was %s", name, summary.Undo[name]))
	}
	return lines
}

func (s *statePlace) flags(cmd *cobra.Command) {
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = completePipelines(&s.config, 1)
	configFlag(cmd, &s.config)
	cmd.Flags().StringVar(&s.dir, "state", "", "`DIR` of the state, if there is no configuration (sluice copy --state)")
}

// checkpoint is the file of the state of a pipeline.
type checkpoint struct{ pipeline, path string }

// files are those of the pipelines of a name.
func (s *statePlace) files(cmd *cobra.Command, name string) ([]checkpoint, error) {
	if s.dir != "" {
		if s.config != "" {
			return nil, usage(errors.New("--config and --state: choose one"))
		}
		if strings.ContainsAny(name, `/\`) {
			return nil, usage(fmt.Errorf("%q is no name of a pipeline", name))
		}
		return []checkpoint{{name, stateFile(s.dir, name)}}, nil
	}
	file, err := load(s.config, cmd.InOrStdin())
	if err != nil {
		return nil, err
	}
	pipelines, err := choose(file, []string{name})
	if err != nil {
		return nil, err
	}
	var files []checkpoint
	for _, p := range pipelines {
		files = append(files, checkpoint{p.Name, stateFile(file.State, p.Name)})
	}
	return files, nil
}

func (c checkpoint) show(out io.Writer) error {
	summary, err := state.Read(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pipeline %s has no state in %s: it has not run yet, or it was reset", c.pipeline, c.path)
	}
	if err != nil {
		return err
	}
	return summary.Show(out)
}

func (c checkpoint) reset(cmd *cobra.Command) error {
	undo := owed(c.path)
	err := state.Reset(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pipeline %s has no state in %s: nothing to reset", c.pipeline, c.path)
	}
	if err != nil {
		return err
	}
	for _, line := range undo {
		fmt.Fprintln(cmd.ErrOrStderr(), line)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is reset: its next run begins at the beginning\n", c.pipeline)
	return err
}

// confirm asks, where there is somebody to ask.
func confirm(cmd *cobra.Command, files []checkpoint) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return usage(errors.New("nobody can be asked here: say --yes to reset"))
	}
	var names []string
	for _, f := range files {
		names = append(names, f.pipeline)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Forget how far %s is, and begin at the beginning? [y/N] ", strings.Join(names, ", and "))
	answer, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return errors.New("not reset")
	}
	return nil
}
