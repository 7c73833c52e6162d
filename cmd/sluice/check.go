package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/config"
	"sluice/internal/kind"
	"sluice/internal/letters"
	"sluice/internal/state"
	"sluice/internal/unit"
)

// checker is a source or sink that can look whether what it needs is there. It
// returns what it found, to be shown.
type checker interface {
	Check(ctx context.Context) ([]string, error)
}

// checkTime is how long a source or sink may take to be checked.
const checkTime = 30 * time.Second

func checkCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check [PIPELINE...]",
		Short: "Check a configuration and what it connects to, and move nothing",
		Long: `Check a configuration: parse it, resolve it, see that it fits into memory, and
connect to every source and sink. Nothing is moved.

Exit status:
  0  it can run
  1  something could not be connected to, or is missing there
  2  the configuration is wrong`,
		ValidArgsFunction: completePipelines(&path, math.MaxInt),
		RunE: func(cmd *cobra.Command, names []string) error {
			file, err := load(path, cmd.InOrStdin())
			if err != nil {
				return err
			}
			pipelines, err := choose(file, names)
			if err != nil {
				return err
			}
			fitted, err := file.Fit(pipelines...)
			if err != nil {
				return usage(err)
			}
			return check(cmd.Context(), cmd.OutOrStdout(), file, fitted)
		},
	}
	configFlag(cmd, &path)
	return cmd
}

func check(ctx context.Context, out io.Writer, file *config.File, fitted []*config.Fitted) error {
	failed, warned := 0, 0
	for _, f := range fitted {
		p := f.Pipeline(config.Links{})
		fmt.Fprintf(out, "pipeline %s\n", f.Config.Name)
		type part struct {
			name  string
			built any
		}
		parts := []part{{"source " + f.Config.Source.Kind, p.Source}, {"sink " + f.Config.Sink.Kind, p.Sink}}
		if d := f.Config.DeadLetters; d != nil {
			parts = append(parts, part{"dead letters", &letters.Box{Config: d, Pipeline: f.Config.Name}})
		}
		for _, stage := range parts {
			found, err := examine(ctx, stage.built)
			if err != nil {
				failed++
				found = append(found, "FAILED: "+err.Error())
			}
			print(out, stage.name, found)
		}
		print(out, "state", []string{stateLine(file, f.Config)})
		print(out, "memory", []string{memoryLine(f)})
		for _, w := range warnings(f, fitted) {
			warned++
			print(out, "warning", []string{w})
		}
	}
	if failed > 0 {
		fmt.Fprintf(out, "%s: %s failed\n", plural(len(fitted), "pipeline"), plural(failed, "check"))
		return &exit{status: exitFailed}
	}
	fmt.Fprintf(out, "%s in %v of memory: ok, %s\n", plural(len(fitted), "pipeline"), file.Memory, plural(warned, "warning"))
	return nil
}

// print prints what was found, below each other.
func print(out io.Writer, name string, found []string) {
	for i, line := range found {
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(out, "  %-20s %s\n", name, strings.ReplaceAll(line, "\n", "\n"+strings.Repeat(" ", 23)))
	}
}

func examine(ctx context.Context, stage any) ([]string, error) {
	c, ok := stage.(checker)
	if !ok {
		return []string{"ok"}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	return c.Check(ctx)
}

// stateLine says what the next run of a pipeline begins with.
func stateLine(file *config.File, p *config.Pipeline) string {
	path := stateFile(file.State, p.Name)
	s, err := state.Read(path)
	switch {
	case err != nil:
		return path + ": none: the first run begins at the beginning"
	case s.InUse != "":
		return path + ": in use by process " + s.InUse
	}
	return path
}

func memoryLine(f *config.Fitted) string {
	var needs []string
	for _, n := range f.Needs {
		needs = append(needs, fmt.Sprintf("%s %.1f", n.Stage, mib(n.Lane)))
	}
	lane, shared := f.Need()
	return fmt.Sprintf("%s of at most %.1f MiB (%s), and %.1f MiB that they share", plural(f.Lanes, "lane"), mib(lane), strings.Join(needs, ", "), mib(shared))
}

func mib(n unit.Bytes) float64 { return float64(n) / (1 << 20) }

// warnings are what a user may not expect.
func warnings(f *config.Fitted, together []*config.Fitted) []string {
	all := f.Config.Warnings()
	if f.Lanes < f.Config.Lanes {
		all = append(all, fmt.Sprintf("%s configured, memory has room for %d; for all of them: memory: %v", plural(f.Config.Lanes, "lane"), f.Lanes, config.Wanted(together)))
	}
	if f.Config.DeadLetters == nil && f.Config.OnError == "dead_letter" {
		all = append(all, "on_error: dead_letter, but there are no dead_letters: what cannot be had ends the run")
	}
	all = append(all, f.Config.Notes()...)
	if r, ok := f.Config.Sink.Options.(kind.Roller); f.Config.Every > 0 && ok && r.Rolls() {
		all = append(all, fmt.Sprintf("the end of a pass ends the object that is being written: every: %v sets the size of objects on quiet lanes", f.Config.Every))
	}
	return all
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
