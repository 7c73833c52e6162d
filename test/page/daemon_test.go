package page_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sluice/test/servers"
)

// configuration has a pipeline that moves for long, one that fails, and one that
// ends soon.
const configuration = `
state: state
http: %s
pipelines:
  logs:
    source: {generate: {records: 2000000, rate: 20000}}
    transforms: [{gzip: {}}]
    sink: {file: {path: out, key: "logs/{pass}-{lane}-{sequence}.gz", roll: {records: 20000}}}
    every: 1h
  audit:
    source: {generate: {records: 10}}
    sink: {opensearch: {url: "http://%s", index: audit, retry: 10ms, password: hunter2, username: u}}
    every: 1h
  backfill:
    source: {generate: {records: 1000}}
    sink: {file: {path: out, key: "backfill/{pass}-{lane}-{sequence}"}}
`

// daemon runs the real program and returns where its page is.
func daemon(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "sluice")
	if out, err := exec.Command("go", "build", "-o", program, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	address, nobody := free(t), free(t)
	if err := os.WriteFile(filepath.Join(dir, "sluice.yaml"), fmt.Appendf(nil, configuration, address, nobody), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "run")
	var said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); !listens(address); time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("nobody listens: %s", said.String())
		}
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	return "http://" + address
}

func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// free is an address at which nobody listens.
func free(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", servers.FreePort(t))
}

func TestThePageShowsWhatADaemonDoes(t *testing.T) {
	axe, url := servers.Axe(t), daemon(t)
	p := open(t, url, 1280, 900)
	state := func(name, state string) {
		p.until(fmt.Sprintf(`document.querySelector("#pipeline-%s .badge")?.textContent === %q`, name, state))
	}
	state("logs", "running")
	state("audit", "failing")
	state("backfill", "complete")
	p.until(`document.querySelector("#pipeline-logs .busiest") && /[1-9]\d*% busy/.test(document.querySelector("#pipeline-logs .chain").textContent)`)
	p.until(`/of 2,000,000 records/.test(document.querySelector("#pipeline-logs .far").textContent)`)
	p.unfold()
	p.isFine(axe, "daemon")
	if eval[bool](p, `document.body.textContent.includes("hunter2")`) {
		t.Error("got a secret on the page")
	}
	p.js(`document.querySelector("#pipeline-logs [data-action=pause]").click()`)
	state("logs", "paused")
	p.js(`document.querySelector("#pipeline-logs [data-action=resume]").click()`)
	state("logs", "running")
	p.quiet()
}
