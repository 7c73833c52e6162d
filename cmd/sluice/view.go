package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sluice/internal/ops"
)

// view is how a run is shown: flags that run and copy share.
type view struct {
	quiet  bool
	format string
	level  string
	report string
}

func (v *view) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&v.quiet, "quiet", "q", false, "only warnings and errors: no progress, no summary")
	f.StringVar(&v.format, "log-format", "text", "`FORMAT` of the log on standard error: text or json")
	f.StringVar(&v.level, "log-level", "", "log from `LEVEL` on: debug, info, warn or error (default info; with --quiet warn)")
	f.StringVar(&v.report, "report", "", "write a JSON report to `FILE`, - for standard output")
	cmd.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
}

// open checks the flags and makes what they ask for.
func (v *view) open() (*ops.Console, *slog.Logger, error) {
	level := slog.LevelInfo
	if v.quiet {
		level = slog.LevelWarn
	}
	if v.level != "" && level.UnmarshalText([]byte(v.level)) != nil {
		return nil, nil, usage(fmt.Errorf("--log-level %q: use debug, info, warn or error", v.level))
	}
	if v.format != "text" && v.format != "json" {
		return nil, nil, usage(fmt.Errorf("--log-format %q: use text or json", v.format))
	}
	if v.report != "" && v.report != "-" {
		if info, err := os.Stat(filepath.Dir(v.report)); err != nil || !info.IsDir() {
			return nil, nil, usage(fmt.Errorf("--report %s: %s is no directory", v.report, filepath.Dir(v.report)))
		}
	}
	console := ops.NewConsole(os.Stderr, os.Getenv)
	return console, ops.NewLogger(console, v.json(), level), nil
}

func (v *view) json() bool { return v.format == "json" }
