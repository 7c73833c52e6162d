// Package test runs the real program against real servers, and breaks what
// stands between them.
package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/test/processes"
)

// program is the built binary.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sluice-test-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "sluice")
	build := exec.Command("go", "build", "-o", program, "sluice/cmd/sluice")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// job is a configuration and the directory that it runs in.
type job struct {
	dir string
	env []string
}

// newJob writes config, YAML, into a new directory.
func newJob(t *testing.T, config string) *job {
	t.Helper()
	j := &job{dir: t.TempDir()}
	j.configure(t, config)
	return j
}

func (j *job) configure(t *testing.T, config string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(j.dir, "sluice.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

// outcome is what a run left behind.
type outcome struct {
	Status  int
	Stdout  string // of commands other than run
	Stderr  string
	MaxRSS  int64 // bytes
	CPU     time.Duration
	Took    time.Duration
	Reports map[string]report
}

// report is the part of the JSON report that tests look at.
type report struct {
	Outcome string
	Pass    int64
	Records struct{ Read, Created, Written, Filtered, Dead int64 }
	Objects struct{ Read, Written, Skipped, Deleted, Vanished int64 }
	Retries map[string]int64
	Error   string
}

// start starts the program; what it does is known after wait.
func (j *job) start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{job: j, began: time.Now()}
	p.report = filepath.Join(j.dir, "report.json")
	os.Remove(p.report)
	p.cmd = exec.CommandContext(t.Context(), program, append(args, "--report", p.report)...)
	p.cmd.Dir, p.cmd.Stderr = j.dir, &p.stderr
	p.cmd.Env = append(os.Environ(), j.env...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.peak.Go(func() { p.rss = processes.HighWater(p.cmd.Process.Pid) })
	return p
}

type process struct {
	job    *job
	cmd    *exec.Cmd
	stderr bytes.Buffer
	report string
	began  time.Time
	peak   sync.WaitGroup
	rss    int64 // set when peak is done
}

func (p *process) wait(t *testing.T) outcome {
	t.Helper()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	p.peak.Wait()
	state := p.cmd.ProcessState
	o := outcome{Status: state.ExitCode(), Stderr: p.stderr.String(), Took: time.Since(p.began),
		MaxRSS: p.rss, CPU: state.UserTime() + state.SystemTime()}
	if b, err := os.ReadFile(p.report); err == nil {
		var all struct{ Pipelines json.RawMessage }
		if err := json.Unmarshal(b, &all); err != nil {
			t.Fatalf("report: %v\n%s", err, b)
		}
		o.Reports = reports(t, all.Pipelines)
	}
	return o
}

// reports reads the pipelines of a report: a map by name.
func reports(t *testing.T, b []byte) map[string]report {
	t.Helper()
	m := map[string]report{}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("report: %v\n%s", err, b)
	}
	return m
}

// run runs the pipelines of the configuration to their end.
func (j *job) run(t *testing.T, pipelines ...string) outcome {
	t.Helper()
	return j.start(t, append([]string{"run"}, pipelines...)...).wait(t)
}

// want runs the pipelines and fails unless the exit status is status.
func (j *job) want(t *testing.T, status int, pipelines ...string) outcome {
	t.Helper()
	o := j.run(t, pipelines...)
	if o.Status != status {
		t.Fatalf("exit status %d, want %d\n%s", o.Status, status, o.Stderr)
	}
	return o
}

// command runs another command than run, and fails unless its exit status is
// status.
func (j *job) command(t *testing.T, status int, args ...string) outcome {
	t.Helper()
	var out, messages bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = j.dir, &out, &messages
	cmd.Env = append(os.Environ(), j.env...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	o := outcome{Status: cmd.ProcessState.ExitCode(), Stdout: out.String(), Stderr: messages.String()}
	if o.Status != status {
		t.Fatalf("%q: exit status %d, want %d\n%s%s", args, o.Status, status, o.Stdout, o.Stderr)
	}
	return o
}

// prints fails unless the result contains all of parts.
func (o outcome) prints(t *testing.T, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(o.Stdout, p) {
			t.Errorf("the result does not contain %q:\n%s", p, o.Stdout)
		}
	}
}

// says fails unless the run's messages contain all of parts.
func (o outcome) says(t *testing.T, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(o.Stderr, p) {
			t.Errorf("messages do not contain %q:\n%s", p, o.Stderr)
		}
	}
}

// long skips a test that `make test-faults` runs and `make test` does not.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("SLUICE_TEST_FAULTS") == "" {
		t.Skip("it takes long: make test-faults runs it")
	}
}

// unique makes a name that no other test uses.
func unique(t *testing.T) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(t.Name()))
	return fmt.Sprintf("%s-%x", name[:min(len(name), 40)], time.Now().UnixNano())
}

// within gives a context for what a test does at a server after its end, too.
func within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
