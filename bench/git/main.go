// Command git measures what it costs to keep a bucket as Git history, beside a
// shell script that syncs, adds, commits and pushes: `make bench-git`.
//
// A bucket of the real store holds objects of 2 KB in 500 directories. Each
// contestant brings them into a repository of its own at git's own HTTP server:
// all of them first, then a hundredth of them that has changed, then nothing.
// In the end all repositories must have the same tree.
//
//   - sluice keeps a state between runs; "no disk" keeps nothing, and has the
//     repository remember.
//   - script keeps a work tree between runs, and lets s5cmd find what is new;
//     "no disk" clones the branch each time, and copies all objects.
//
// CPU is user and system time of the process and of all that it has started and
// waited for; servers are not in it, that of git is beside it. Memory is the
// most that all of these processes had resident at one time, pages that they
// share counted in each. Bytes are those of connections, headers included. The
// script's git collects no garbage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"sluice/test/servers"
)

// bench is what is to be measured, and where.
type bench struct {
	objects int
	program string
	s5cmd   string
	dir     string // files of the measurement
	bucket  string
	store   servers.Store // seen through the relay
	relay   *relay
	host    *servers.GitHost
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	var b bench
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	f.IntVar(&b.objects, "objects", 100_000, "how many objects")
	f.StringVar(&b.program, "sluice", "bin/sluice", "program that is measured")
	f.Parse(args)
	if b.program, err = filepath.Abs(b.program); err != nil {
		return err
	}
	if b.s5cmd, err = servers.S5cmd(ctx); err != nil {
		return err
	}
	if b.store, err = servers.StoreAt(os.Getenv("SLUICE_TEST_S3")); err != nil || b.store.Endpoint == "" {
		return errors.Join(errors.New("there is no store: use make bench-git"), err)
	}
	if b.dir, err = os.MkdirTemp("", "sluice-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	repositories := filepath.Join(b.dir, "repositories")
	if err := os.Mkdir(repositories, 0o755); err != nil {
		return err
	}
	if b.host, err = servers.StartGit(repositories); err != nil {
		return err
	}
	defer b.host.Stop()
	if b.relay, err = newRelay(b.store.Endpoint); err != nil {
		return err
	}
	defer b.relay.close()
	b.store.Endpoint = b.relay.url
	return b.measure(ctx)
}

// measure fills the bucket, and prints the table.
func (b *bench) measure(ctx context.Context) (err error) {
	if err := b.fill(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.empty(context.WithoutCancel(ctx))) }()
	all, err := b.contestants()
	if err != nil {
		return err
	}
	fmt.Printf("\n%d objects of 2 KB in %d directories, %s, git http-backend, %d CPUs\n\n%-22s | %8s %8s %8s | %10s %10s %10s | %8s %8s\n",
		b.objects, directories, b.store, runtime.NumCPU(), "", "CPU s", "wall s", "RSS MB", "store MB", "fetch MB", "push MB", "server s", "GETs")
	for _, round := range []struct {
		name   string
		change func(context.Context) error
	}{
		{"first", func(context.Context) error { return nil }},
		{"1 % changed", b.change},
		{"nothing changed", func(context.Context) error { return nil }},
	} {
		if err := round.change(ctx); err != nil {
			return err
		}
		fmt.Println(round.name)
		for _, c := range all {
			if err := b.row(ctx, c); err != nil {
				return fmt.Errorf("%s: %s: %w", round.name, c.name, err)
			}
		}
		if err := b.agree(all); err != nil {
			return fmt.Errorf("%s: %w", round.name, err)
		}
	}
	return nil
}

// row measures one contestant once.
func (b *bench) row(ctx context.Context, c contestant) error {
	b.relay.reset()
	in, out := b.host.Bytes()
	cost, err := b.command(ctx, c)
	if err != nil {
		return err
	}
	pushed, fetched := b.host.Bytes()
	mb := func(n int64) float64 { return float64(n) / 1e6 }
	fmt.Printf("  %-20s | %8.2f %8.1f %8.0f | %10.1f %10.2f %10.2f | %8.2f %8d\n", c.name, cost.cpu.Seconds(), cost.wall.Seconds(), mb(cost.rss),
		mb(b.relay.bytes.Load()), mb(fetched-out), mb(pushed-in), cost.server.Seconds(), b.relay.gets.Load())
	return nil
}

// agree fails unless the repositories have the same files, and all of them.
func (b *bench) agree(all []contestant) error {
	var first string
	for _, c := range all {
		tree, err := c.repository.Run("rev-parse", "main:clusters")
		if err != nil {
			return err
		}
		if first == "" {
			first = tree
		}
		if tree != first {
			return fmt.Errorf("the tree of %s is %s, that of %s is %s", c.name, tree, all[0].name, first)
		}
	}
	list, err := all[0].repository.Run("ls-tree", "-r", "--name-only", "main:clusters")
	if n := lines(list); err == nil && n != b.objects {
		err = fmt.Errorf("there are %d files, want %d", n, b.objects)
	}
	return err
}
