package git_test

import (
	"context"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/git"
	"sluice/test/servers"
)

// quiet takes what a server says of clients that do not trust it.
var quiet = log.New(io.Discard, "", 0)

// vanished fails unless soon no process has a text among its arguments.
func vanished(t *testing.T, text string) {
	t.Helper()
	var left string
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		left = ""
		list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, p := range list {
			if args, _ := os.ReadFile(p); strings.Contains(string(args), text) {
				left += strings.ReplaceAll(string(args), "\x00", " ") + "\n"
			}
		}
		if left == "" {
			return
		}
	}
	t.Errorf("got processes that run on:\n%swant none", left)
}

// held makes a repository whose pushes wait until the test has ended. The file
// begun is there once one does.
func held(t *testing.T, h *servers.GitHost) (begun string) {
	t.Helper()
	dir := t.TempDir()
	hold := filepath.Join(dir, "hold")
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(hold) })
	begun = filepath.Join(dir, "begun")
	h.Repository(t, "x.git").Hook(t, "pre-receive", "touch "+begun+"; while [ -e "+hold+" ]; do sleep 0.1; done; exit 1")
	return begun
}

const pushTo = "SLUICE_TEST_PUSH_TO" // the address that a process of this test pushes to

func TestAPushDoesNotOutliveAProcessThatIsKilled(t *testing.T) {
	if url := os.Getenv(pushTo); url != "" {
		r := mustOpen(t, git.Config{URL: url, Token: servers.GitToken})
		id := first(t, r)
		r.Push(context.Background(), git.Update{Ref: main, New: id})
		return
	}
	h := servers.Git(t)
	begun := held(t, h)
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), pushTo+"="+h.URL+"/x.git")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 400 {
		if _, err := os.Stat(begun); err == nil {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	if _, err := os.Stat(begun); err != nil {
		t.Error("got no push, want one that is under way")
	}
	cmd.Process.Kill()
	cmd.Wait()
	vanished(t, h.URL+"/x.git")
}
