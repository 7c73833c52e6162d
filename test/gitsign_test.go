package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// signer is a key, and how git finds out that it is good.
type signer struct {
	key    string
	verify []string // options of git
	env    []string
}

// sshSigner makes a key of SSH.
func sshSigner(t *testing.T) signer {
	t.Helper()
	dir := t.TempDir()
	key, signers := filepath.Join(dir, "key"), filepath.Join(dir, "signers")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	if err == nil {
		err = os.WriteFile(signers, append([]byte("sync@example.org "), public...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signer{key: key, verify: []string{"-c", "gpg.ssh.allowedSignersFile=" + signers}}
}

// gpgSigner makes a key of GPG, in a directory with a short name: gpg makes
// sockets there.
func gpgSigner(t *testing.T) signer {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip(err)
	}
	home := tempDir(t)
	t.Cleanup(func() { exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	gpg := func(args ...string) []byte {
		out, err := exec.Command("gpg", append([]string{"--batch", "--quiet", "--homedir", home, "--passphrase", "", "--pinentry-mode", "loopback"}, args...)...).Output()
		if err != nil {
			t.Fatalf("gpg %q: %v", args, err)
		}
		return out
	}
	gpg("--quick-gen-key", "Sync <sync@example.org>", "ed25519", "sign", "never")
	key := filepath.Join(t.TempDir(), "key.asc")
	if err := os.WriteFile(key, gpg("--armor", "--export-secret-keys"), 0o600); err != nil {
		t.Fatal(err)
	}
	return signer{key: key, env: []string{"GNUPGHOME=" + home}}
}

// tempDir makes a directory with a short name.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "g")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// good gives what git says of the signature of a commit: a letter, and who
// signed it. It fails unless git verifies it.
func (s signer) good(t *testing.T, h history, commit string) string {
	t.Helper()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append(append([]string{"-C", h.Dir}, s.verify...), args...)...)
		cmd.Env = append(append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"), s.env...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %q: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	git("verify-commit", commit)
	return git("log", "-1", "--format=%G? %GS", commit)
}

// TestCommitsAreSigned: git says that each is good, and whose it is, those of
// groups too, and nothing of the key is left.
func TestCommitsAreSigned(t *testing.T) {
	for format, who := range map[string]struct {
		make func(*testing.T) signer
		want string
	}{
		"ssh": {sshSigner, "G sync@example.org"},
		"gpg": {gpgSigner, "G Sync <sync@example.org>"},
	} {
		t.Run(format, func(t *testing.T) {
			s := who.make(t)
			b := newBackup(t, content{"one/a.yaml": "1\n", "one/b.yaml": "1\n", "two/c.yaml": "1\n"}, "group: 1",
				fmt.Sprintf("sign: {key: %q, format: %s}", s.key, format), "author: {name: Sync, email: sync@example.org}")
			temp := tempDir(t)
			b.env = []string{"TMPDIR=" + temp}
			b.history.edit(t, content{"README.md": "ours\n"})
			b.want(t, 0, "sync")
			b.put(t, content{"one/a.yaml": "2\n"})
			b.want(t, 0, "sync")
			b.same(t)
			commits := b.history.commits(t)
			if len(commits) != 4 {
				t.Fatalf("got %d commits, want 4", len(commits))
			}
			for _, c := range commits[1:] {
				if got := s.good(t, b.history, c); got != who.want {
					t.Errorf("commit %s: got %q, want %q", c, got, who.want)
				}
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("temporary files: got %v, %v, want none", left, err)
			}
		})
	}
}

// TestAKeyThatCannotSignPushesNothing, and is named.
func TestAKeyThatCannotSignPushesNothing(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	b := newBackup(t, content{"a.yaml": "1\n"}, "sign: {key: "+none+"}")
	b.want(t, 1, "sync").says(t, none, "sign")
	if n := len(b.history.commits(t)); n != 0 || b.pushes() != 0 {
		t.Errorf("got %d commits in %d pushes, want none", n, b.pushes())
	}
}
