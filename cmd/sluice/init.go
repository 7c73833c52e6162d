package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/config"
	"sluice/internal/translate"
)

// Groups of the commands below init.
const (
	ofMoves = "moves"
	ofTools = "tools"
)

func initCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "init",
		Short: "Write a configuration: for a move, or of what another tool did",
		Long: `Write a configuration: for a move that has a name, or one that does what
another tool was told to do, by its command line and its environment.

It is written to ./sluice.yaml, where sluice check and sluice run look for it.
Secrets are not written: the configuration refers to variables of the
environment, and it is said which. What has no translation is listed, there and
on standard error. An existing file is not replaced without --force.`,
	})
	cmd.AddGroup(&cobra.Group{ID: ofMoves, Title: "Moves:"}, &cobra.Group{ID: ofTools, Title: "Other tools:"})
	for _, m := range translate.Moves() {
		cmd.AddCommand(initMoveCommand(m))
	}
	for _, t := range translate.Tools() {
		cmd.AddCommand(initToolCommand(t))
	}
	return cmd
}

func initMoveCommand(m *translate.Move) *cobra.Command {
	var to destination
	options := map[string]*string{}
	cmd := &cobra.Command{
		Use:     m.Name,
		Short:   m.About,
		GroupID: ofMoves,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := map[string]string{}
			for name, value := range options {
				given[name] = *value
			}
			return to.write(cmd, m.Write(given), nil)
		},
	}
	to.flags(cmd)
	for _, o := range m.Options() {
		options[o.Name] = cmd.Flags().String(o.Name, "", o.Usage)
	}
	return cmd
}

func initToolCommand(t *translate.Tool) *cobra.Command {
	var (
		to   destination
		from string
	)
	cmd := &cobra.Command{
		Use:     t.Name + " [-- OPTIONS]",
		Short:   "What " + t.About + " does by its command line and environment",
		Example: "  " + strings.Join(t.Examples, "\n  "),
		GroupID: ofTools,
		RunE: func(cmd *cobra.Command, args []string) error {
			env, err := environment(t, from, cmd.InOrStdin())
			if err != nil {
				return usage(err)
			}
			result, err := t.Translate(translate.Input{Args: args, Env: env})
			if err != nil {
				return usage(err)
			}
			return to.write(cmd, result, env)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return fmt.Errorf("%w; put -- before the options of %s", err, t.Name)
	})
	to.flags(cmd)
	if len(t.Variables) > 0 {
		cmd.Flags().StringVar(&from, "env-file", "", "read the variables from `FILE`, lines of NAME=VALUE; - is standard input (default: the environment)")
		cmd.MarkFlagFilename("env-file")
	}
	return cmd
}

// environment reads the variables of a tool from a file, or from the
// environment.
func environment(t *translate.Tool, path string, stdin io.Reader) (translate.Variables, error) {
	if path == "" {
		return t.Environment(os.Getenv), nil
	}
	from := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	env, err := t.ReadVariables(from)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return env, nil
}

// destination is where a configuration is written to.
type destination struct {
	path  string
	force bool
}

func (d *destination) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&d.path, "output", "o", defaultFiles[0], "write the configuration to `FILE`; - is standard output")
	cmd.Flags().BoolVar(&d.force, "force", false, "replace the file if there is one")
	cmd.MarkFlagFilename("output", "yaml", "yml")
}

// write writes a configuration, and says on standard error what is to be said
// about it.
func (d *destination) write(cmd *cobra.Command, r *translate.Result, env translate.Variables) error {
	name := d.path
	if name == "-" {
		name = "FILE"
	}
	text := strings.ReplaceAll(r.Text, "-c FILE", "-c "+name)
	if err := d.put(cmd.OutOrStdout(), text); err != nil {
		return usage(err)
	}
	w := cmd.ErrOrStderr()
	list := func(title string, lines []string) {
		for i, l := range lines {
			if i == 0 {
				fmt.Fprintln(w, title)
			}
			fmt.Fprintln(w, "  "+l)
		}
	}
	var exports []string
	for _, s := range r.Secrets {
		exports = append(exports, s.String())
	}
	list("to be set before it runs:", exports)
	list("examples, to be changed:", r.Examples)
	list("different, or left to do by hand:", r.ByHand)
	list("left out, for nothing like it is needed:", r.Idle)
	list("to be changed:", unfit(name, text, env))
	if d.path != "-" {
		fmt.Fprintf(w, "%s is written; see what it says, then: sluice check -c %s\n", d.path, d.path)
	}
	return nil
}

// put writes a new file, or replaces one as a whole, or to standard output.
func (d *destination) put(stdout io.Writer, text string) (err error) {
	if d.path == "-" {
		_, err := io.WriteString(stdout, text)
		return err
	}
	f, err := d.create()
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists; replace it with --force, or name another file with -o", d.path)
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	if err = errors.Join(err, f.Close()); err == nil && f.Name() != d.path {
		err = os.Rename(f.Name(), d.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// create opens the file, or one beside it that is to replace it.
func (d *destination) create() (*os.File, error) {
	if !d.force {
		return os.OpenFile(d.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	}
	f, err := os.CreateTemp(filepath.Dir(d.path), ".sluice-")
	if err == nil {
		err = f.Chmod(0o644)
	}
	return f, err
}

// unfit is what is wrong with a configuration that was written. Variables that
// are not known have some value.
func unfit(name, text string, env translate.Variables) (notes []string) {
	lookup := func(variable string) (string, bool) {
		if value, ok := env.Lookup(variable); ok {
			return value, true
		}
		return "x", true
	}
	_, err := config.Parse(name, []byte(text), config.Options{Env: lookup})
	var bad config.Errors
	if !errors.As(err, &bad) {
		return nil
	}
	for _, e := range bad {
		notes = append(notes, fmt.Sprintf("line %d: %s", e.Line, e.Message))
	}
	return notes
}
