package git_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/crash"
	"sluice/test/servers"
)

// partSize is that of the parts of a child that pushes by HTTP.
const partSize = 90 << 10

// large is files of two and a half parts.
func large(seed byte) files {
	f := files{}
	random := rand.NewChaCha8([32]byte{seed})
	for i := range 5 {
		b := make([]byte, 45<<10)
		random.Read(b)
		f[fmt.Sprint("f", i)] = string(b)
	}
	return f
}

// hosted is a world behind git http-backend, to which children push.
func hosted(t *testing.T) *world {
	w := newWorld(t)
	h, err := servers.StartGit(filepath.Dir(w.dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	w.git("config", "http.receivepack", "true")
	t.Setenv("SLUICE_GIT_URL", h.URL+"/"+filepath.Base(w.dir))
	return w
}

// killed runs a child that pushes in parts, and kills it in some push: when that
// begins, or when the server has it.
func (w *world) killed(round, push int, when string) bool {
	if when == crash.InPush {
		return w.spawn(round, fmt.Sprint(crash.InPush, ":", push))
	}
	w.hook("post-receive", fmt.Sprintf("echo >>count\n[ $(wc -l <count) != %d ] || { touch had; sleep 1; }\n", push))
	defer os.Remove(filepath.Join(w.dir, "hooks", "post-receive"))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SLUICE_GIT_CHILD="+filepath.Dir(w.dir), fmt.Sprint("SLUICE_GIT_ROUND=", round), "SLUICE_GIT_REMEMBER=state")
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case <-ended:
			return false
		case <-time.After(5 * time.Millisecond):
		}
		if _, err := os.Stat(filepath.Join(w.dir, "had")); err == nil {
			cmd.Process.Kill()
			<-ended
			return true
		}
	}
}

// TestAKillBetweenThePartsOfAPushIsMadeGood: until the last push the branch is as
// it was; the next run makes one commit, and leaves no part behind.
func TestAKillBetweenThePartsOfAPushIsMadeGood(t *testing.T) {
	const staging, branch = "refs/sluice/staging/p", "refs/heads/main"
	left := 0
	for when, round := range map[string]int{crash.InPush: 2, "post-receive": 3} {
		pushes := 1
		for ; ; pushes++ {
			w := hosted(t)
			old := map[string]string{}
			if round == 3 {
				w.spawn(2, "")
				old = under(rounds[2], nil)
			}
			if !w.killed(round, pushes, when) {
				break
			}
			refs := w.git("for-each-ref", "--format=%(refname)")
			if strings.Contains(refs, staging) {
				left++
			}
			if strings.Contains(refs, branch) {
				if got := w.tree(branch); !maps.Equal(got, old) && !maps.Equal(got, under(rounds[round], nil)) {
					t.Errorf("%s:%d: the branch has %d files of neither", when, pushes, len(got))
				}
			}
			w.spawn(round, "")
			w.has(under(rounds[round], nil))
			if got, want := w.commits(), round-1; got != want {
				t.Errorf("%s:%d: got %d commits, want %d", when, pushes, got, want)
			}
			if got := w.git("for-each-ref", "--format=%(refname)"); got != branch {
				t.Errorf("%s:%d: refs: got %q, want %s alone", when, pushes, got, branch)
			}
		}
		if pushes != 5 {
			t.Errorf("%s: got %d pushes, want 4: three parts, and the branch", when, pushes-1)
		}
	}
	if left < 4 {
		t.Errorf("got %d kills that left a part behind, want at least 4: this test is of no use", left)
	}
}

// TestPartsOfAKilledRunAreRemoved by a run that makes none.
func TestPartsOfAKilledRunAreRemoved(t *testing.T) {
	w := hosted(t)
	if !w.killed(2, 3, crash.InPush) {
		t.Fatal("it was not killed")
	}
	if got := w.git("for-each-ref", "--format=%(refname)"); got != "refs/sluice/staging/p" {
		t.Fatalf("refs: got %q, want that of the parts", got)
	}
	w.spawn(0, "")
	w.has(under(rounds[0], nil))
	if got := w.git("for-each-ref", "--format=%(refname)"); got != "refs/heads/main" {
		t.Errorf("refs: got %q, want the branch alone", got)
	}
	w.spawn(0, "")
}
