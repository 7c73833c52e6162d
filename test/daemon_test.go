package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemon is a sluice that runs on a configuration behind symbolic links, as
// Kubernetes mounts one, and its log.
type daemon struct {
	*job
	cmd *exec.Cmd
	log string
}

// mount makes text the configuration, in one step.
func (d *daemon) mount(t *testing.T, version int, text string) {
	t.Helper()
	data := fmt.Sprintf("..v%d", version)
	next := filepath.Join(d.dir, "..next")
	for _, err := range []error{
		os.Mkdir(filepath.Join(d.dir, data), 0o755),
		os.WriteFile(filepath.Join(d.dir, data, "sluice.yaml"), []byte(text), 0o600),
		os.Symlink(data, next),
		os.Rename(next, filepath.Join(d.dir, "..data")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (d *daemon) run(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d.cmd = exec.CommandContext(t.Context(), program, "run")
	d.cmd.Dir, d.cmd.Stderr = d.dir, log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// ends ends the process by a signal, and wants an exit status.
func (d *daemon) ends(t *testing.T, by syscall.Signal, status int) {
	t.Helper()
	d.cmd.Process.Signal(by)
	d.cmd.Wait()
	if got := d.cmd.ProcessState.ExitCode(); got != status {
		t.Fatalf("ended with %d, want %d\n%s", got, status, d.text(t))
	}
}

func (d *daemon) text(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(d.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// until waits until ok.
func (d *daemon) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s\n%s", what, d.text(t))
		}
	}
}

// logs waits until the log has n lines with a message.
func (d *daemon) logs(t *testing.T, n int, message string) {
	t.Helper()
	d.until(t, fmt.Sprintf("%d times %q", n, message), func() bool { return strings.Count(d.text(t), message) >= n })
}

// exactly wants the records 0 to n-1 in the files of a directory, each once.
func (d *daemon) exactly(t *testing.T, dir string, n int) {
	t.Helper()
	id := regexp.MustCompile(`"_id":"(\d+)"`)
	seen := map[string]int{}
	files, err := filepath.Glob(filepath.Join(d.dir, dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			if m := id.FindSubmatch(line); m != nil {
				seen[string(m[1])]++
			}
		}
	}
	for id, times := range seen {
		if times != 1 {
			t.Fatalf("%s: record %s is there %d times", dir, id, times)
		}
	}
	if len(seen) != n {
		t.Errorf("%s: got %d records, want %d", dir, len(seen), n)
	}
}

// version is the configuration number n: one pipeline never changes, one does
// each time, and one comes and goes.
func version(n int) string {
	generate := func(seed int) string {
		return stage("generate", "records: 70000", "bytes: 400", "rate: 5000", fmt.Sprintf("seed: %d", seed))
	}
	sink := func(dir string) string {
		return stage("file", "path: "+dir, `key: "{pass}-{lane}-{sequence}"`, "roll: {bytes: 300KiB}")
	}
	text := entry("steady", generate(1), "[]", sink("steady"), "lanes: 1", "every: 24h") +
		entry("changing", generate(2), "[]", sink("changing"), "lanes: 1", "every: 24h", fmt.Sprintf("stall: %dm", n+1))
	if n%2 == 1 {
		text += entry("guest", generate(3), "[]", sink("guest"), "lanes: 1", "every: 24h")
	}
	return pipelines(text)
}

// TestTenReloadsAndThreeKillsLoseNothing: two of the changes are found, the others
// are told of by a signal.
func TestTenReloadsAndThreeKillsLoseNothing(t *testing.T) {
	d := &daemon{job: &job{dir: t.TempDir()}}
	d.log = filepath.Join(d.dir, "log")
	if err := os.Symlink("..data/sluice.yaml", filepath.Join(d.dir, "sluice.yaml")); err != nil {
		t.Fatal(err)
	}
	d.mount(t, 0, version(0))
	d.run(t)
	const again = "the configuration was read again"
	for n := 1; n <= 10; n++ {
		time.Sleep(300 * time.Millisecond)
		d.mount(t, n, version(n))
		if n != 1 && n != 7 {
			d.cmd.Process.Signal(syscall.SIGHUP)
		}
		d.logs(t, n, again)
		if n%4 == 2 {
			time.Sleep(200 * time.Millisecond)
			d.ends(t, syscall.SIGKILL, -1)
			d.run(t)
			time.Sleep(500 * time.Millisecond) // until it listens to signals
		}
	}
	d.mount(t, 11, strings.Replace(version(11), "sink:", "snik:", 1))
	d.cmd.Process.Signal(syscall.SIGHUP)
	d.logs(t, 1, "the configuration has errors; all stays as it is")
	for _, name := range []string{"steady", "changing"} {
		d.logs(t, 1, `msg="pass ended" pipeline=`+name+" outcome=complete")
	}
	d.ends(t, syscall.SIGTERM, 0)
	d.exactly(t, "steady", 70000)
	d.exactly(t, "changing", 70000)
	log := d.text(t)
	if strings.Contains(log, `"pipeline ends" pipeline=steady`) || !strings.Contains(log, `"pipeline ends" pipeline=guest reason="it is no longer in the configuration"`) {
		t.Errorf("want the steady one never to end, and the guest to\n%s", log)
	}
	if n := strings.Count(log, `"pipeline ends" pipeline=changing reason="its configuration changed"`); n != 10 {
		t.Errorf("the changing one ended %d times, want 10", n)
	}
	if !strings.Contains(log, `unknown key \"snik\"`) {
		t.Errorf("want what is wrong in the last\n%s", log)
	}
}
