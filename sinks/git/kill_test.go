package git_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sluice/internal/crash"
	"sluice/internal/kind"
	"sluice/internal/state"
	"sluice/pipeline"
	"sluice/sinks/git"
)

// rounds are what the source of the children has, one time and the next.
var rounds = []files{
	{"a": "1", "b/c": "2", "b/d": "3", "e": "4", "f": "5"},
	{"a": "changed", "b/c": "2", "new/g": "6", "e": "4", "f": "5"},
}

// child is a run in a process of its own.
func child(dir string) int {
	round := 0
	fmt.Sscan(os.Getenv("SLUICE_GIT_ROUND"), &round)
	err := func() error {
		store, err := state.Open(filepath.Join(dir, "state"))
		if err != nil {
			return err
		}
		defer store.Close()
		c := git.Config{MaxDelete: 1000, MaxFileSize: 1 << 20, MaxFiles: 1000, Remember: os.Getenv("SLUICE_GIT_REMEMBER"), Author: git.Author{Name: "A", Email: "a@a"}}
		c.URL, c.Path, c.Key, c.Retry = "file://"+filepath.Join(dir, "remote.git"), "live", "{key}", 1e10
		sink, err := c.Build(kind.Env{Pipeline: "p", Scratch: filepath.Join(dir, "scratch")})
		if err != nil {
			return err
		}
		frame := &pipeline.Pipeline{Name: "p", Source: &source{files: rounds[round]}, Sink: sink, Store: store, Lanes: 2}
		res, err := frame.Run(context.Background())
		if err == nil && !res.Complete {
			err = fmt.Errorf("got %+v", res)
		}
		return err
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// spawn runs a child, and says whether it was killed.
func (w *world) spawn(round int, at string) (killed bool) {
	w.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SLUICE_GIT_CHILD="+filepath.Dir(w.dir), fmt.Sprint("SLUICE_GIT_ROUND=", round), "SLUICE_CRASH="+at, "SLUICE_GIT_REMEMBER="+w.Remember)
	out, err := cmd.CombinedOutput()
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		w.Fatalf("at %q: %v\n%s", at, err, out)
	}
	return false
}

// TestAKillAtACrashPointLeavesTheOldTreeOrTheNew kills the process at each hit of
// each point that the sink comes to, and goes on.
func TestAKillAtACrashPointLeavesTheOldTreeOrTheNew(t *testing.T) {
	for i, point := range append([]string{crash.BeforeSave, crash.AfterSave}, crash.Git...) {
		for n := 1; ; n++ {
			w := newWorld(t)
			if n == 2 {
				w.Remember = "repository"
			}
			old := map[string]string{}
			round := (i + n) % 2
			if round == 1 {
				w.spawn(0, "")
				old = under(rounds[0], nil)
			}
			killed := w.spawn(round, fmt.Sprintf("%s:%d", point, n))
			if !killed && n == 1 {
				t.Errorf("%s is never reached", point)
			}
			if !killed {
				break
			}
			if w.git("branch") != "" {
				if got := w.tree("main"); !maps.Equal(got, old) && !maps.Equal(got, under(rounds[round], nil)) {
					t.Errorf("%s:%d: the branch has %q", point, n, got)
				}
			}
			w.spawn(round, "")
			w.has(under(rounds[round], nil))
			if got := w.commits(); got != round+1 {
				t.Errorf("%s:%d: got %d commits, want %d", point, n, got, round+1)
			}
			if left, err := os.ReadDir(filepath.Join(filepath.Dir(w.dir), "scratch")); len(left) > 0 {
				t.Errorf("%s:%d: scratch: got %v, %v, want nothing", point, n, left, err)
			}
		}
	}
}

// TestAKillDuringAPushLeavesTheOldTreeOrTheNew kills it while the server waits.
func TestAKillDuringAPushLeavesTheOldTreeOrTheNew(t *testing.T) {
	for _, name := range []string{"pre-receive", "update", "post-receive"} {
		w := newWorld(t)
		w.spawn(0, "")
		pid := filepath.Join(w.dir, "pid")
		w.hook(name, fmt.Sprintf("[ -e killed ] || { touch %s; sleep 1; }\n", pid))
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SLUICE_GIT_CHILD="+filepath.Dir(w.dir), "SLUICE_GIT_ROUND=1", "SLUICE_GIT_REMEMBER=state")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for _, err := os.Stat(pid); err != nil; _, err = os.Stat(pid) {
			time.Sleep(5 * time.Millisecond)
		}
		cmd.Process.Kill()
		cmd.Wait()
		if err := os.WriteFile(filepath.Join(w.dir, "killed"), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		w.spawn(1, "")
		w.has(under(rounds[1], nil))
		if got := w.commits(); got != 2 {
			t.Errorf("%s: got %d commits, want 2", name, got)
		}
	}
}
