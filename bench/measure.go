package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"text/template"
	"time"
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

// cost is what a process has used.
type cost struct {
	cpu, wall time.Duration
	rss       int64 // bytes, at its peak
}

// command runs a process and looks what it has used. Its standard output is
// decoded into out, unless that is nil.
func (b *bench) command(ctx context.Context, out any, name string, args ...string) (cost, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, &stdout, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return cost{}, fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), args[0], err, stderr.Bytes())
	}
	c := cost{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), wall: time.Since(began)}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.rss = u.Maxrss << 10 // the kernel counts the parent's, too, but that is less
	}
	if out == nil {
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
	var done struct{ Bytes int64 }
	c, err := b.command(ctx, &done, b.self, "floor-"+pipeline, t.encoded())
	if want := b.size(n); err == nil && done.Bytes < want {
		err = fmt.Errorf("the floor of %s read %d bytes, want at least %d", pipeline, done.Bytes, want)
	}
	return c, err
}

func (t task) encoded() string {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // it is plain data
	}
	return string(text)
}

// allocated is what a pipeline allocated that ran over n documents.
func (b *bench) allocated(ctx context.Context, n int, pipeline, index string) (mallocs, error) {
	file, err := b.configure(n, index)
	t := b.task
	t.Config, t.Pipeline, t.Documents = file, pipeline, n
	if b.profiles != "" && err == nil {
		t.Profile, err = filepath.Abs(filepath.Join(b.profiles, pipeline))
	}
	var m mallocs
	if err == nil {
		_, err = b.command(ctx, &m, b.self, "inside", t.encoded())
	}
	return m, err
}

// mover moves n documents between an index and objects.
type mover func(ctx context.Context, n int, pipeline, index string) (cost, error)

// move calls f with the index that the pipeline is to read, or a new one for
// it to write.
func (b *bench) move(ctx context.Context, n int, pipeline string, f func(index string) error) error {
	if pipeline == "dump" {
		return f(b.source(n))
	}
	if err := b.newIndex(ctx, fmt.Sprintf("%s-to-%d", b.Bucket, time.Now().UnixNano())); err != nil {
		return err
	}
	if err := f(b.indices[len(b.indices)-1]); err != nil {
		return err
	}
	return b.removeIndex(ctx)
}

// measure prints the figures.
func (b *bench) measure(ctx context.Context) error {
	gb := float64(b.size(b.documents)) / 1e9
	fmt.Printf("%d documents of %d bytes, %.3f GB of records, %d lanes, %s servers, median of %d\n\n", b.documents, b.bytes, gb, b.Lanes, b.servers, b.runs)
	fmt.Printf("%-6s %14s %14s %6s %6s %12s %12s %12s\n", "", "sluice CPU/GB", "floor CPU/GB", "ratio", "aim", "peak RSS", "records/s", "allocs/rec")
	for _, p := range []struct {
		name string
		aim  float64
	}{{"dump", 1.5}, {"load", 2}} {
		sluice, floor, err := b.both(ctx, p.name)
		if err != nil {
			return err
		}
		per, err := b.perRecord(ctx, p.name)
		if err != nil {
			return err
		}
		fmt.Printf("%-6s %12.2f s %12.2f s %6.2f %6.1f %9.1f MB %12.0f %12.4f\n", p.name, sluice.cpu.Seconds()/gb, floor.cpu.Seconds()/gb,
			sluice.cpu.Seconds()/floor.cpu.Seconds(), p.aim, float64(sluice.rss)/1e6, float64(b.documents)/sluice.wall.Seconds(), per)
	}
	return nil
}

// both measures Sluice and the floor in turns.
func (b *bench) both(ctx context.Context, pipeline string) (sluice, floor cost, err error) {
	var all [2][]cost
	for range b.runs {
		for i, f := range []mover{b.sluice, b.floor} {
			err := b.move(ctx, b.documents, pipeline, func(index string) error {
				c, err := f(ctx, b.documents, pipeline, index)
				all[i] = append(all[i], c)
				return err
			})
			if err != nil {
				return sluice, floor, err
			}
		}
		last := len(all[0]) - 1
		fmt.Fprintf(os.Stderr, "%s: sluice %v in %v, floor %v in %v\n", pipeline, all[0][last].cpu, all[0][last].wall.Round(time.Millisecond), all[1][last].cpu, all[1][last].wall.Round(time.Millisecond))
	}
	return median(all[0]), median(all[1]), nil
}

func median(all []cost) cost {
	slices.SortFunc(all, func(a, b cost) int { return int(a.cpu - b.cpu) })
	return all[len(all)/2]
}

// perRecord is how many allocations one more record takes.
func (b *bench) perRecord(ctx context.Context, pipeline string) (float64, error) {
	var m [2]mallocs
	sizes := [2]int{b.documents / 2, b.documents}
	for i, n := range sizes {
		err := b.move(ctx, n, pipeline, func(index string) (err error) {
			m[i], err = b.allocated(ctx, n, pipeline, index)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	fmt.Fprintf(os.Stderr, "%s: %d allocations for %d records, %d for %d\n", pipeline, m[0].Objects, sizes[0], m[1].Objects, sizes[1])
	return (float64(m[1].Objects) - float64(m[0].Objects)) / float64(sizes[1]-sizes[0]), nil
}
