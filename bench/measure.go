package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/template"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/test/processes"
)

// pipelines is what Sluice runs. The pipelines that are measured have the default
// of every option that is not the place of something.
var pipelines = template.Must(template.New("").Parse(`state: ./state-{{.State}}
pipelines:
  index:
    source: {generate: {records: {{.Records}}, bytes: {{.Bytes}}, index: "{{.From}}"}}
    sink: {opensearch: {url: "{{.Search}}", index: "{{.Index}}"}}
  objects:
    source: {generate: {records: {{.Records}}, bytes: {{.Bytes}}, index: "{{.From}}"}}
    transforms: [gzip: {level: 1}]
    sink: {s3: { {{.S3}}, key: "{{.In}}{lane}-{sequence}.gz"}}
    lanes: {{.Lanes}}
  dump:
    source: {opensearch: {url: "{{.Search}}", index: "{{.Index}}"}}
    transforms: [gzip: {level: 1}]
    sink: {s3: { {{.S3}}, key: "out/{{.State}}/{lane}-{sequence}.gz"}}
    lanes: {{.Lanes}}
  load:
    source: {s3: { {{.S3}}, prefix: "{{.In}}"}}
    transforms: [decompress: {}, lines]
    sink: {opensearch: {url: "{{.Search}}", index: "{{.Index}}"}}
    lanes: {{.Lanes}}
  files:
    source: {file: {path: "{{or .Out "."}}"}}
    transforms: [lines]
    sink: {opensearch: {url: "{{.Search}}", index: "{{.Index}}", bulk: 4MiB}}
    lanes: {{.Lanes}}
{{- if .Way}}
  read:
    source: {opensearch: {url: "{{.Search}}", index: "{{.Index}}", read: {{.Way}}, page: {{or .Page "8MiB"}}}}
    transforms: [gzip: {level: 1}]
    sink: {file: {path: "{{.Out}}", key: "{lane}-{sequence}.gz"}}
    lanes: {{.Lanes}}
{{- end}}
`))

// configure writes a configuration of its own for one run with n documents,
// and returns the file.
func (b *bench) configure(n int, index string) (string, error) {
	state := fmt.Sprint(time.Now().UnixNano())
	var text bytes.Buffer
	err := pipelines.Execute(&text, struct {
		task
		State, Index, From, In, S3 string
		Records                    int
	}{b.task, state, index, b.source(n), in(n), fmt.Sprintf("bucket: %s, endpoint: %q, access_key: test, secret_key: testsecret", b.Bucket, b.Store), n})
	if err != nil {
		return "", err
	}
	path := b.path(state + ".yaml")
	return path, os.WriteFile(path, text.Bytes(), 0o600)
}

// in is where n documents are in the bucket.
func in(n int) string { return fmt.Sprintf("in-%d/", n) }

// cost is what a process has used and done.
type cost struct {
	cpu, wall time.Duration
	server    time.Duration // CPU of the server meanwhile, where it was asked
	rss       int64         // bytes, at its peak
	documents int           // that were in the index then, where they were counted
	done
}

// command runs a process and looks what it has used. Its standard output, if
// there is any, is decoded into out, unless that is nil.
func (b *bench) command(ctx context.Context, out any, name string, args ...string) (cost, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, &stdout, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	began := time.Now()
	err := cmd.Start()
	var rss errgroup.Group
	var c cost
	if err == nil {
		rss.Go(func() error { c.rss = processes.HighWater(cmd.Process.Pid); return nil })
		err = errors.Join(cmd.Wait(), rss.Wait())
	}
	if err != nil {
		return cost{}, fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), args[0], err, stderr.Bytes())
	}
	c.cpu, c.wall = cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), time.Since(began)
	if out == nil || stdout.Len() == 0 {
		return c, nil
	}
	return c, json.Unmarshal(stdout.Bytes(), out)
}

// sluice runs a pipeline over n documents.
func (b *bench) sluice(ctx context.Context, n int, pipeline, index string) (cost, error) {
	file, err := b.configure(n, index)
	if err != nil {
		return cost{}, err
	}
	program, err := filepath.Abs(b.program)
	if err != nil {
		return cost{}, err
	}
	var r struct {
		Pipelines map[string]struct{ Records struct{ Written int } }
	}
	c, err := b.command(ctx, &r, program, "run", "-c", file, "--quiet", "--report", "-", pipeline)
	if got := r.Pipelines[pipeline].Records.Written; err == nil && got != n {
		err = fmt.Errorf("sluice wrote %d records, want %d", got, n)
	}
	return c, err
}

// floor runs the floor of a pipeline.
func (b *bench) floor(ctx context.Context, n int, pipeline, index string) (cost, error) {
	t := b.task
	t.Index, t.Prefix, t.Documents = index, in(n), n
	var d done
	c, err := b.command(ctx, &d, b.self, "floor-"+pipeline, t.encoded())
	if want := b.size(n); err == nil && d.Bytes < want {
		err = fmt.Errorf("the floor of %s read %d bytes, want at least %d", pipeline, d.Bytes, want)
	}
	c.done = d
	return c, err
}

// inside runs a pipeline in a process of this program, and writes a profile if
// it is named.
func (b *bench) inside(ctx context.Context, n int, pipeline, index, profile string) (cost, error) {
	t := b.task
	t.Pipeline, t.Documents, t.Profile = pipeline, n, profile
	var err error
	if t.Config, err = b.configure(n, index); err != nil {
		return cost{}, err
	}
	var d done
	c, err := b.command(ctx, &d, b.self, "inside", t.encoded())
	c.done = d
	return c, err
}

func (t task) encoded() string {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // it is plain data
	}
	return string(text)
}
