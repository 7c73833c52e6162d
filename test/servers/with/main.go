// Command with runs a command beside real servers, which it fetches and
// starts, and stops when the command has ended:
//
//	go run ./test/servers/with go test ./...
//	go run ./test/servers/with -engines elasticsearch-7.17,opensearch-2 go test ./...
//	go run ./test/servers/with -stores garage,minio go test ./sinks/s3
//
// The command finds them through SLUICE_TEST_OPENSEARCH and SLUICE_TEST_S3;
// with -sqs, queues through SLUICE_TEST_SQS, too. With -engines it runs once for
// each of these search engines, or for all of them, one after the other, and
// finds it through SLUICE_TEST_SEARCH instead. With -stores it runs once for
// each of these S3 stores, without a search engine.
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
	w := with{env: os.Environ()}
	flag.StringVar(&w.engines, "engines", "", "run for each of these search engines, a list with commas, or all")
	flag.StringVar(&w.stores, "stores", "", "run for each of these S3 stores, a list with commas, or all")
	flag.BoolVar(&w.queues, "sqs", false, "have queues, too")
	flag.Parse()
	w.command = flag.Args()
	if err := w.all(ctx); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			os.Exit(max(1, exit.ExitCode()))
		}
		fmt.Fprintln(os.Stderr, "with:", err)
		os.Exit(1)
	}
}

// with is a command and what it runs beside.
type with struct {
	engines, stores string
	queues          bool
	dir             string
	env             []string
	command         []string
}

// all runs the command as often as it is to be run.
func (w with) all(ctx context.Context) (err error) {
	if len(w.command) == 0 {
		return errors.New("usage: with [-sqs] [-engines NAME,...|all] [-stores NAME,...|all] COMMAND [ARGUMENT...]")
	}
	if w.dir, err = os.MkdirTemp("", "sluice-servers-"); err != nil {
		return err
	}
	defer os.RemoveAll(w.dir)
	if w.queues {
		queues, err := w.server(ctx, "sqs", "SLUICE_TEST_SQS=", servers.StartSQS)
		if err != nil {
			return err
		}
		defer queues.Stop()
	}
	if w.stores != "" {
		return w.eachStore(ctx)
	}
	s3, err := w.server(ctx, "s3", "SLUICE_TEST_S3=", servers.StartS3)
	if err != nil {
		return err
	}
	defer s3.Stop()
	if w.engines != "" {
		return w.eachEngine(ctx)
	}
	return w.engine(ctx, servers.Engines()[0], "SLUICE_TEST_OPENSEARCH=")
}

// eachStore runs the command beside one store after the other.
func (w with) eachStore(ctx context.Context) error {
	list, err := servers.FindProducts(w.stores)
	if err != nil {
		return err
	}
	var first error
	for _, p := range list {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		first = errors.Join(first, verdict(p, w.run(ctx, p.Name, "SLUICE_TEST_S3="+p.Name+"=", func(ctx context.Context, dir string) (*servers.Server, error) {
			return servers.StartStore(ctx, p, dir)
		})))
	}
	return first
}

// eachEngine runs the command beside one search engine after the other.
func (w with) eachEngine(ctx context.Context) error {
	list, err := servers.FindEngines(w.engines)
	if err != nil {
		return err
	}
	var first error
	for _, e := range list {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		first = errors.Join(first, verdict(e, w.engine(ctx, e, "SLUICE_TEST_SEARCH="+e.Name+"=")))
	}
	return first
}

// verdict says how the command did beside a server, and returns failed.
func verdict(server fmt.Stringer, failed error) error {
	word := "passed"
	if failed != nil {
		word = failed.Error()
	}
	fmt.Fprintf(os.Stderr, "with: %s: %s\n", server, word)
	return failed
}

// engine runs the command beside a search engine.
func (w with) engine(ctx context.Context, e servers.Engine, variable string) error {
	return w.run(ctx, e.Name, variable, func(ctx context.Context, dir string) (*servers.Server, error) {
		return servers.StartEngine(ctx, e, dir)
	})
}

// run runs the command beside one more server, and stops that.
func (w with) run(ctx context.Context, name, variable string, start func(context.Context, string) (*servers.Server, error)) error {
	server, err := w.server(ctx, name, variable, start)
	if err != nil {
		return err
	}
	defer os.RemoveAll(filepath.Join(w.dir, name))
	defer server.Stop()
	cmd := exec.CommandContext(ctx, w.command[0], w.command[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = w.env, os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd.Run()
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
