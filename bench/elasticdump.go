package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// elasticdumpVersion is what Sluice is compared with. It is fetched for a
// measurement, and nothing here needs it.
const elasticdumpVersion = "6.125.1"

// fetchElasticdump installs elasticdump below the directory of the measurement.
// Why it cannot be had is for people.
func (b *bench) fetchElasticdump(ctx context.Context) (why error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := os.Mkdir(b.path("elasticdump"), 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "npm", "install", "--prefix", b.path("elasticdump"), "--no-audit", "--no-fund", "--ignore-scripts", "elasticdump@"+elasticdumpVersion)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm install: %w: %.300s", err, out)
	}
	return nil
}

// elasticdump copies an index into a file, with the defaults of every option
// but the size of pages, with which it is faster, and what it says of each.
func (b *bench) elasticdump(ctx context.Context, index, file string, options ...string) (cost, error) {
	args := []string{
		b.path("elasticdump/node_modules/elasticdump/bin/elasticdump"),
		"--input=" + b.Search + "/" + index, "--output=" + file, "--type=data", "--quiet=true",
	}
	return b.command(ctx, nil, "node", append(args, options...)...)
}

// exitStatus is that of the process that failed with err; 0 if none did.
func exitStatus(err error) (int, error) {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}
