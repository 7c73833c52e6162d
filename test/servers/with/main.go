// Command with runs a command beside real servers, which it fetches and
// starts, and stops when the command has ended:
//
//	go run ./test/servers/with go test ./...
//	go run ./test/servers/with -engines elasticsearch-7.17,opensearch-2 go test ./...
//
// The command finds them through SLUICE_TEST_OPENSEARCH and SLUICE_TEST_S3.
// With -engines it runs once for each of these search engines, or for all of
// them, one after the other, and finds it through SLUICE_TEST_SEARCH instead.
//
// Its exit status is the command's, the first one other than 0; 1 if a server
// cannot be had, unless SLUICE_REQUIRE_SERVERS is empty: then the command runs
// without it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"sluice/test/servers"
)

func main() {
	runtime.LockOSThread() // servers end with the thread that started them
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	engines := flag.String("engines", "", "run for each of these search engines, a list with commas, or all")
	flag.Parse()
	if err := run(ctx, *engines, flag.Args()); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			os.Exit(max(1, exit.ExitCode()))
		}
		fmt.Fprintln(os.Stderr, "with:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, engines string, command []string) error {
	if len(command) == 0 {
		return errors.New("usage: with [-engines NAME,...|all] COMMAND [ARGUMENT...]")
	}
	dir, err := os.MkdirTemp("", "sluice-servers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w := with{dir: dir, env: os.Environ(), command: command}
	s3, err := w.server(ctx, "s3", "SLUICE_TEST_S3=", servers.StartS3)
	if err != nil {
		return err
	}
	defer s3.Stop()
	if engines == "" {
		return w.run(ctx, servers.Engines()[0], "SLUICE_TEST_OPENSEARCH=")
	}
	list, err := servers.FindEngines(engines)
	if err != nil {
		return err
	}
	for _, e := range list {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		failed := w.run(ctx, e, "SLUICE_TEST_SEARCH="+e.Name+"=")
		verdict := "passed"
		if failed != nil {
			verdict = failed.Error()
		}
		fmt.Fprintf(os.Stderr, "with: %s: %s\n", e, verdict)
		if err == nil {
			err = failed
		}
	}
	return err
}

// with is a command and what it runs beside.
type with struct {
	dir     string
	env     []string
	command []string
}

// server starts a server with its data in a folder of its own. It is nil if it
// cannot be had and is not required.
func (w *with) server(ctx context.Context, name, variable string, start func(context.Context, string) (*servers.Server, error)) (*servers.Server, error) {
	data := filepath.Join(w.dir, name)
	if err := os.Mkdir(data, 0o755); err != nil {
		return nil, err
	}
	server, err := start(ctx, data)
	if err != nil && os.Getenv("SLUICE_REQUIRE_SERVERS") != "" {
		return nil, err
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "with: going on without %s: %v\n", name, err)
		return nil, nil
	}
	fmt.Fprintf(os.Stderr, "with: %s at %s\n", name, server.URL)
	w.env = append(w.env, variable+server.URL)
	return server, nil
}

// run runs the command beside a search engine, and stops it.
func (w with) run(ctx context.Context, e servers.Engine, variable string) error {
	server, err := w.server(ctx, e.Name, variable, func(ctx context.Context, dir string) (*servers.Server, error) {
		return servers.StartEngine(ctx, e, dir)
	})
	if err != nil {
		return err
	}
	defer os.RemoveAll(filepath.Join(w.dir, e.Name))
	defer server.Stop()
	cmd := exec.CommandContext(ctx, w.command[0], w.command[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = w.env, os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd.Run()
}
