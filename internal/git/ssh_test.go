package git_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/git"
	"sluice/internal/unit"
	"sluice/test/servers"
)

func TestPathsAreOneWordOfTheCommand(t *testing.T) {
	const key, hosts = `/a b/it's $(touch x) "k" %d`, "/a b/known hosts"
	out, err := exec.Command("sh", "-c", "set -- "+git.SSHCommand(key, hosts)+`; printf '%s\n' "$@"`).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`IdentityFile="/a b/it's $(touch x) \"k\" %%d"`, `UserKnownHostsFile="/a b/known hosts"`} {
		if !strings.Contains(string(out), "\n"+want+"\n") {
			t.Errorf("got words %q, want %q among them", out, want)
		}
	}
}

// secured gives options of a repository at a real sshd, with files at paths that
// a shell or ssh would take apart.
func secured(t *testing.T, h *servers.SSHHost) git.Config {
	t.Helper()
	dir := filepath.Join(t.TempDir(), `it's 100% of "$HOME"`)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c := git.Config{SSHKey: filepath.Join(dir, "key"), KnownHosts: filepath.Join(dir, "hosts"), Retry: unit.Duration(5 * time.Second)}
	for from, to := range map[string]string{h.Key: c.SSHKey, h.KnownHosts: c.KnownHosts} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.URL = h.Repository(t, "x.git").URL
	return c
}

func TestARepositoryIsReachedBySSH(t *testing.T) {
	h := servers.SSHD(t)
	c := secured(t, h)
	r := mustOpen(t, c)
	id := first(t, r)
	if err := r.Push(t.Context(), git.Update{Ref: main, New: id}); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Fetch(t.Context(), git.Want{Ref: main}); err != nil || got != id {
		t.Errorf("got %s, %v, want %s", got, err, id)
	}
}

func TestWhatSSHRefusesIsExplained(t *testing.T) {
	h := servers.SSHD(t)
	good := secured(t, h)
	other := filepath.Join(t.TempDir(), "other")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, test := range map[string]struct {
		change func(c *git.Config)
		kind   git.Kind
		words  string
	}{
		"another host":  {func(c *git.Config) { c.KnownHosts = h.Stranger }, git.Untrusted, "is another than that in known_hosts"},
		"unknown host":  {func(c *git.Config) { c.KnownHosts = os.DevNull }, git.Untrusted, "is not in known_hosts"},
		"another key":   {func(c *git.Config) { c.SSHKey = other }, git.Denied, "ssh_key"},
		"no key":        {func(c *git.Config) { c.SSHKey += "x" }, git.Denied, "ssh_key"},
		"open key":      {func(c *git.Config) { c.SSHKey = readable(t, c.SSHKey) }, git.Denied, "chmod 600"},
		"no repository": {func(c *git.Config) { c.URL += "x" }, git.Missing, "check url"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			test.change(&c)
			_, err := open(t, c)
			refused(t, err, test.kind, test.words)
		})
	}
}

// readable copies a file so that everybody can read it.
func readable(t *testing.T, path string) string {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	to := filepath.Join(t.TempDir(), "key")
	if err != nil || os.WriteFile(to, text, 0o644) != nil {
		t.Fatal(err)
	}
	return to
}
