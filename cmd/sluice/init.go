package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sluice/internal/config"
)

func initCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "init",
		Short: "Write a configuration that does what another tool did",
	})
	cmd.AddCommand(initGitSyncCommand())
	return cmd
}

func initGitSyncCommand() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "git-sync",
		Short: "Write a configuration from the variables of kubeckup's git-sync",
		Long: `Write a configuration that does what kubeckup's git-sync does: it reads the
variables by which that is configured, from the environment or from a file.

Secrets are not written: the configuration refers to their variables, so they
must be there when it runs. What cannot be translated is said on standard error
and in comments. An existing file is not replaced.`,
		Example: `  sluice init git-sync --env-file git-sync.env -o sluice.yaml
  kubectl exec deploy/git-sync -- env | sluice init git-sync --env-file -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			env, err := variablesOf(from, cmd.InOrStdin())
			if err != nil {
				return usage(err)
			}
			text, notes, err := gitSync(env)
			if err != nil {
				return usage(err)
			}
			for _, n := range append(notes, unfit(to, text, env)...) {
				fmt.Fprintln(cmd.ErrOrStderr(), n)
			}
			return output(cmd.OutOrStdout(), to, text)
		},
	}
	cmd.Flags().StringVar(&from, "env-file", "", "read the variables from `FILE`, lines of NAME=VALUE; - is standard input (default: the environment)")
	cmd.Flags().StringVarP(&to, "output", "o", "-", "write the configuration to `FILE`; - is standard output")
	cmd.MarkFlagFilename("env-file")
	cmd.MarkFlagFilename("output", "yaml", "yml")
	return cmd
}

// output writes a new file, or to standard output.
func output(stdout io.Writer, path, text string) error {
	if path == "-" {
		_, err := io.WriteString(stdout, text)
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return usage(err)
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}

// unfit is what is wrong with a configuration that was written.
func unfit(name, text string, env variables) (notes []string) {
	_, err := config.Parse(name, []byte(text), config.Options{Env: env.lookup})
	var bad config.Errors
	if !errors.As(err, &bad) {
		return nil
	}
	for _, e := range bad {
		notes = append(notes, fmt.Sprintf("line %d of the configuration is to be changed: %s", e.Line, e.Message))
	}
	return notes
}
