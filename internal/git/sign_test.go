package git_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/git"
)

// keygen makes an SSH key, and lets the remote's owner trust it.
func (w *world) keygen() string {
	w.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		w.Skip("ssh-keygen is not here")
	}
	dir := w.TempDir()
	key := filepath.Join(dir, "key with blanks")
	w.git("version")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", key).CombinedOutput(); err != nil {
		w.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	w.check(err)
	w.check(os.WriteFile(filepath.Join(dir, "signers"), append([]byte("a@example.org "), public...), 0o600))
	w.git("config", "gpg.ssh.allowedSignersFile", filepath.Join(dir, "signers"))
	return key
}

// signed makes two commits upon base, signs and pushes them.
func (w *world) signed(r *git.Repo, base git.OID, how git.Signing) {
	w.Helper()
	one := w.commit(r, base, files{"a": "1" + string(base)})
	two := w.commit(r, one, files{"b": "2" + string(base)})
	tip, err := r.Sign(w.Context(), base, two, how)
	w.check(err)
	if same, err := r.SameTree(w.Context(), two, tip); !same || err != nil {
		w.Errorf("the tree: got %v, %v, want the same", same, err)
	}
	w.check(r.Push(w.Context(), git.Update{Ref: branch, Old: base, New: tip}))
	format := "--format=%an|%ae|%at|%cn|%ce|%ct|%B"
	for mine, theirs := range map[string]string{string(one): "main^", string(two): "main"} {
		want := w.git("--git-dir", w.only(), "log", "-1", format, mine)
		if got := w.git("log", "-1", format, theirs); got != want {
			w.Errorf("signed: got %q, want %q", got, want)
		}
	}
}

// only gives the one repository of the scratch directory.
func (w *world) only() string {
	w.Helper()
	dirs, _ := filepath.Glob(filepath.Join(w.scratch, "git-*[0-9]"))
	if len(dirs) != 1 {
		w.Fatalf("repositories: got %q, want one", dirs)
	}
	return dirs[0]
}

func TestCommitsAreSignedBySSH(t *testing.T) {
	for _, format := range formats {
		w := newWorld(t, format)
		how := git.Signing{Format: git.SSH, Key: w.keygen()}
		r := w.repo()
		w.signed(r, "", how)
		w.check(r.Close())
		r = w.repo()
		base, err := r.Fetch(t.Context(), git.Want{Ref: branch})
		w.check(err)
		w.signed(r, base, how)
		for _, c := range []string{"main", "main^", "main^^", "main^^^"} {
			w.git("verify-commit", c)
		}
		w.git("fsck", "--strict")
	}
}

func TestCommitsAreSignedByGPG(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is not here")
	}
	home, err := os.MkdirTemp("", "g")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	gpg := func(args ...string) string {
		cmd := exec.Command("gpg", append([]string{"--batch", "--homedir", home, "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"}, args...)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %q: %v", args, err)
		}
		return string(out)
	}
	t.Cleanup(func() { exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	gpg("--quick-gen-key", "A <a@example.org>", "ed25519", "sign", "never")
	key := filepath.Join(t.TempDir(), "key.asc")
	if err := os.WriteFile(key, []byte(gpg("--armor", "--export-secret-keys")), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "sha1")
	r := w.repo()
	w.signed(r, "", git.Signing{Format: git.GPG, Key: key})
	t.Setenv("GNUPGHOME", home)
	w.git("verify-commit", "main")
	w.git("verify-commit", "main^")
}

func TestAKeyThatCannotSignIsAnError(t *testing.T) {
	w := newWorld(t, "sha1")
	r := w.repo()
	tip := w.commit(r, "", files{"a": "1"})
	none := filepath.Join(t.TempDir(), "none")
	for _, format := range []string{git.SSH, git.GPG} {
		if got, err := r.Sign(t.Context(), "", tip, git.Signing{Format: format, Key: none}); err == nil || !strings.Contains(err.Error(), none) {
			t.Errorf("%s: got %q, %v, want an error that names the key", format, got, err)
		}
	}
}
