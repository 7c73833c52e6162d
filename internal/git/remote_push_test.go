package git_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/git"
	"sluice/internal/unit"
	"sluice/test/faultproxy"
	"sluice/test/servers"
)

func TestAPushWhoseAnswerIsLostIsMadeAgain(t *testing.T) {
	h := servers.Git(t)
	there := h.Repository(t, "x.git")
	p := faultproxy.New(t, h.URL)
	rule := p.Add(&faultproxy.Rule{Method: "POST", Path: "git-receive-pack", Late: true, Cut: true})
	c := http1(h, "x.git")
	c.URL = p.URL + "/x.git"
	r := mustOpen(t, c)
	id := first(t, r)
	if err := r.Push(t.Context(), git.Update{Ref: main, New: id}); err != nil {
		t.Error(err)
	}
	if got := there.Git(t, "rev-parse", main); got != string(id) || rule.Hits() != 1 {
		t.Errorf("got %s after %d cuts, want %s", got, rule.Hits(), id)
	}
}

func TestPushesThatAreRefusedSayWhy(t *testing.T) {
	h := servers.Git(t)
	for name, test := range map[string]struct {
		hook  string
		kind  git.Kind
		words string
	}{
		"hook":      {"echo no tabs, please; exit 1", git.Hook, "no tabs, please"},
		"protected": {"echo 'error: GH006: Protected branch update failed for refs/heads/main.'; exit 1", git.Protected, "name another branch"},
		"gitlab":    {"echo 'GitLab: You are not allowed to push code to protected branches on this project.'; exit 1", git.Protected, "name another branch"},
		"large":     {"echo 'error: File a is 123.00 MB; this exceeds GitHub'\"'\"'s file size limit of 100.00 MB'; exit 1", git.Limit, "max_file_size"},
		"status":    {"echo 'HTTP 503: too slow, connection reset, stale info'; exit 1", git.Hook, "too slow"},
	} {
		t.Run(name, func(t *testing.T) {
			there := h.Repository(t, name+".git")
			there.Hook(t, "pre-receive", test.hook)
			r := mustOpen(t, http1(h, name+".git"))
			began := time.Now()
			refused(t, r.Push(t.Context(), git.Update{Ref: main, New: first(t, r)}), test.kind, test.words, "push "+h.URL+"/"+name+".git main: ")
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("got it after %s, want no second attempt", took)
			}
		})
	}
}

func TestALockFileThatWasLeftBehindIsWaitedForAndNamed(t *testing.T) {
	h := servers.Git(t)
	there := h.Repository(t, "x.git")
	lock := filepath.Join(there.Dir, "refs", "heads", "main.lock")
	if err := os.WriteFile(lock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := http1(h, "x.git")
	c.Retry = unit.Duration(time.Second)
	r := mustOpen(t, c)
	id := first(t, r)
	err := r.Push(t.Context(), git.Update{Ref: main, New: id})
	if err == nil || errors.Is(err, git.ErrRaced) || !strings.Contains(err.Error(), "remove the lock file") || !strings.Contains(err.Error(), "times in") {
		t.Errorf("got %v, want what to do about the lock file", err)
	}
	os.Remove(lock)
	if err := r.Push(t.Context(), git.Update{Ref: main, New: id}); err != nil {
		t.Error(err)
	}
}

func TestABranchThatIsCheckedOutIsNotPushedTo(t *testing.T) {
	dir := t.TempDir()
	there := servers.Repository{Dir: filepath.Join(dir, ".git")}
	if _, err := (servers.Repository{Dir: dir}).Run("init", "-q", "-b", "main"); err != nil {
		t.Fatal(err)
	}
	there.Git(t, "--work-tree="+dir, "commit", "-q", "--allow-empty", "-m", "x")
	r := mustOpen(t, git.Config{URL: dir})
	old, err := r.Resolve(t.Context(), main)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, r.Push(t.Context(), git.Update{Ref: main, Old: old, New: first(t, r)}), git.Broken, "bare repository")
}

func TestTheEndOfAContextEndsAPush(t *testing.T) {
	h := servers.Git(t)
	held(t, h)
	r := mustOpen(t, http1(h, "x.git"))
	id := first(t, r)
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("enough"))
	defer cancel()
	began := time.Now()
	err := r.Push(ctx, git.Update{Ref: main, New: id})
	if err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("got %v, want the cause of the end", err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("got it after %s, want it at once", took)
	}
	vanished(t, h.URL+"/x.git")
}
