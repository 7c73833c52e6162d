package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/test/processes"
)

// cost is what a process has used.
type cost struct {
	cpu, wall time.Duration
	rss       int64  // bytes, at its peak
	out       []byte // its standard output
}

// command runs a process and looks what it has used.
func (b *bench) command(ctx context.Context, name string, args ...string) (cost, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+b.store.AccessKey, "AWS_SECRET_ACCESS_KEY="+b.store.SecretKey, "AWS_REGION="+b.store.Region)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return cost{}, err
	}
	peak := make(chan int64, 1)
	var g errgroup.Group
	g.Go(func() error { peak <- processes.HighWater(cmd.Process.Pid); return nil })
	err := cmd.Wait()
	g.Wait()
	if err != nil {
		text := stderr.String()
		return cost{}, fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, text[max(0, len(text)-2000):])
	}
	c := cost{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), wall: time.Since(began), rss: <-peak, out: stdout.Bytes()}
	fmt.Fprintf(os.Stderr, "%s: CPU %v, %v long\n", filepath.Base(name), c.cpu.Round(time.Millisecond), c.wall.Round(time.Millisecond))
	return c, nil
}

// place is a prefix of a bucket at a store.
type place struct{ url, bucket, prefix string }

// stage is an s3 stage in YAML.
func (b *bench) stage(p place, more ...string) string {
	return fmt.Sprintf("{s3: {%s}}", strings.Join(append([]string{
		"bucket: " + p.bucket, fmt.Sprintf("endpoint: %q", p.url), "access_key: " + b.store.AccessKey, "secret_key: " + b.store.SecretKey,
		fmt.Sprintf("prefix: %q", p.prefix)}, more...), ", "))
}

// configure writes the configuration of a pipeline.
func (b *bench) configure(source, transforms, sink string, more ...string) (string, error) {
	name := fmt.Sprint(time.Now().UnixNano())
	if b.lanes > 0 {
		more = append(more, fmt.Sprintf("lanes: %d", b.lanes))
	}
	text := fmt.Sprintf("state: ./state-%s\npipelines:\n  p:\n    source: %s\n    transforms: %s\n    sink: %s\n", name, source, transforms, sink)
	for _, m := range more {
		text += "    " + m + "\n"
	}
	path := filepath.Join(b.dir, name+".yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// counts is what a run of Sluice says that it did.
type counts struct {
	Outcome string
	Objects struct{ Read, Written, Skipped int64 }
}

// sluice runs the pipeline of a configuration.
func (b *bench) sluice(ctx context.Context, file string) (cost, counts, error) {
	c, err := b.command(ctx, b.program, "run", "-c", file, "--quiet", "--once", "--report", "-", "p")
	if err != nil {
		return c, counts{}, err
	}
	var r struct{ Pipelines map[string]counts }
	if err := json.Unmarshal(c.out, &r); err != nil {
		return c, counts{}, err
	}
	return c, r.Pipelines["p"], nil
}
