package servers_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/test/servers"
)

// client runs git as a client does, in a work tree.
func client(dir string, env []string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-c", "user.name=x", "-c", "user.email=x@y"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), append(env, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// exchanged clones a repository, pushes a commit of 3 MB, and looks that it is there.
func exchanged(t *testing.T, r servers.Repository, url string, env ...string) {
	t.Helper()
	work := filepath.Join(t.TempDir(), "work")
	must := func(dir string, args ...string) string {
		t.Helper()
		out, err := client(dir, env, args...)
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return out
	}
	must("", "clone", url, work)
	noise := make([]byte, 3<<20) // more than http.postBuffer: the push is chunked
	for i := range noise {
		noise[i] = byte(i * i >> 7 * 31)
	}
	if err := os.WriteFile(filepath.Join(work, "file"), noise, 0o644); err != nil {
		t.Fatal(err)
	}
	must(work, "add", ".")
	must(work, "commit", "-m", "one")
	must(work, "-c", "core.compression=0", "push", "origin", "HEAD:refs/heads/main")
	if got, want := r.Git(t, "rev-parse", "main"), strings.TrimSpace(must(work, "rev-parse", "HEAD")); got != want {
		t.Errorf("got %s on the branch, want %s", got, want)
	}
	bare := filepath.Join(t.TempDir(), "bare")
	if out := must("", "clone", "--bare", "--depth=1", "--filter=blob:none", url, bare); strings.Contains(out, "filtering not recognized") {
		t.Errorf("the server knows no filters: %s", out)
	}
	r.Git(t, "fsck", "--strict")
}

func TestRepositoriesAreServedOverHTTP(t *testing.T) {
	h := servers.Git(t)
	r := h.Repository(t, "team/one.git")
	url := strings.Replace(r.URL, "http://", "http://anybody:"+servers.GitToken+"@", 1)
	exchanged(t, r, url)
	if in, out := h.Bytes(); in < 3<<20 || out == 0 {
		t.Errorf("got %d bytes in and %d out, want 3 MiB in", in, out)
	}
	if out, err := client("", []string{"GIT_TRACE_PACKET=1"}, "ls-remote", url); err != nil || !strings.Contains(out, "version 2") {
		t.Errorf("got %v, %s, want version 2 of the protocol", err, out)
	}
	h.Accept("another")
	if out, err := client("", nil, "ls-remote", url); err == nil || !strings.Contains(out, "Authentication failed") {
		t.Errorf("got %v, %s, want a refusal", err, out)
	}
}

func TestHooksRefuseWhatIsPushed(t *testing.T) {
	h := servers.Git(t)
	r := h.Repository(t, "one.git", "--object-format=sha256")
	r.Hook(t, "pre-receive", "echo not on Sundays >&2; exit 1")
	url := strings.Replace(r.URL, "http://", "http://x:"+servers.GitToken+"@", 1)
	tree := r.Git(t, "hash-object", "-w", "-t", "tree", "/dev/null")
	commit := r.Git(t, "commit-tree", "-m", "x", tree)
	if out, err := client(r.Dir, nil, "push", url, commit+":refs/heads/main"); err == nil || !strings.Contains(out, "remote: not on Sundays") {
		t.Errorf("got %v, %s, want what the hook says", err, out)
	}
	r.Hook(t, "pre-receive", "")
	if out, err := client(r.Dir, nil, "push", url, commit+":refs/heads/main"); err != nil {
		t.Errorf("got %v, %s", err, out)
	}
}

func TestRepositoriesAreServedOverSSH(t *testing.T) {
	h := servers.SSHD(t)
	r := h.Repository(t, "one.git")
	ssh := func(known string) string {
		return "GIT_SSH_COMMAND=ssh -F /dev/null -i " + h.Key + " -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=" + known
	}
	exchanged(t, r, r.URL, ssh(h.KnownHosts))
	if out, err := client("", []string{ssh(h.Stranger)}, "ls-remote", r.URL); err == nil || !strings.Contains(out, "REMOTE HOST IDENTIFICATION HAS CHANGED") {
		t.Errorf("got %v, %s, want a refusal", err, out)
	}
}
