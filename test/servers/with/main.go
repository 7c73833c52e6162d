// Command with runs a command beside real servers, which it fetches and
// starts, and stops when the command has ended:
//
//	go run ./test/servers/with go test ./...
//
// The command finds them through SLUICE_TEST_OPENSEARCH and SLUICE_TEST_S3.
// Its exit status is the command's; 1 if a server cannot be had, unless
// SLUICE_REQUIRE_SERVERS is empty: then the command runs without it.
package main

import (
	"context"
	"errors"
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
	if err := run(ctx, os.Args[1:]); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			os.Exit(max(1, exit.ExitCode()))
		}
		fmt.Fprintln(os.Stderr, "with:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, command []string) error {
	if len(command) == 0 {
		return errors.New("usage: with COMMAND [ARGUMENT...]")
	}
	dir, err := os.MkdirTemp("", "sluice-servers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	env := os.Environ()
	for _, s := range []struct {
		name, variable string
		start          func(context.Context, string) (*servers.Server, error)
	}{
		{"s3", "SLUICE_TEST_S3", servers.StartS3},
		{"opensearch", "SLUICE_TEST_OPENSEARCH", func(ctx context.Context, dir string) (*servers.Server, error) {
			return servers.StartOpenSearch(ctx, dir)
		}},
	} {
		data := filepath.Join(dir, s.name)
		if err := os.Mkdir(data, 0o755); err != nil {
			return err
		}
		server, err := s.start(ctx, data)
		if err != nil && os.Getenv("SLUICE_REQUIRE_SERVERS") != "" {
			return err
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "with: going on without %s: %v\n", s.name, err)
			continue
		}
		defer server.Stop()
		fmt.Fprintf(os.Stderr, "with: %s at %s\n", s.name, server.URL)
		env = append(env, s.variable+"="+server.URL)
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd.Run()
}
