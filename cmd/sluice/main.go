// Sluice moves data between search indices, object stores and files. This is
// its command: see `sluice help`.
//
// # Exit status
//
// Of run and copy; the other commands use 0, 1 and 2, and test-transforms 3 too.
//
//	0  all that was asked for was delivered and the counts agree, or a daemon was stopped
//	1  failed; run again to resume
//	2  usage or configuration; nothing was begun
//	3  complete, but some records are dead letters or objects could not be had
//	4  a one-shot run was stopped before its end; run again to resume
//
// The worst of several pipelines counts: 1 before 4 before 3. The first SIGINT
// or SIGTERM stops with grace: what has been read is delivered and saved. A
// second one leaves at once, with 4; the next run goes on where the state says.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"sluice/internal/config"
)

// The exit statuses.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitPartial = 3
	exitStopped = 4
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() {
		<-signals
		<-signals
		os.Exit(exitStopped)
	})
	os.Exit(execute(ctx, os.Args[1:]))
}

// execute runs the command and returns its exit status.
func execute(ctx context.Context, args []string) int {
	root, began := newRoot(), false
	root.PersistentPreRun = func(*cobra.Command, []string) { began = true }
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	status := statusOf(err)
	if err != nil && !began { // the arguments were not understood
		status = exitUsage
		err = fmt.Errorf("%w\nsee: %s --help", err, cmd.CommandPath())
	}
	say(root.ErrOrStderr(), err)
	return status
}

// exit is an error with the status that the process ends with. Without an err
// all has been said.
type exit struct {
	status int
	err    error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// usage marks an error that running again does not help.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exit{exitUsage, err}
}

func statusOf(err error) int {
	var e *exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.status
	}
	return exitFailed
}

// say tells what went wrong, unless that was done.
func say(w io.Writer, err error) {
	var e *exit
	var bad config.Errors
	switch {
	case err == nil || errors.As(err, &e) && e.err == nil:
	case errors.As(err, &bad) && bad[0].Line > 0: // begins with the place, as editors like it
		fmt.Fprintln(w, err)
	default:
		fmt.Fprintln(w, "sluice: "+err.Error())
	}
}
