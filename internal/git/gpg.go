package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// keyring is a directory with one GPG key.
type keyring struct{ dir string }

// gpg imports a key into a directory of its own, whose name is short: gpg makes
// sockets in it.
func (r *Repo) gpg(ctx context.Context, key string) (signer, error) {
	dir, err := os.MkdirTemp("", mark)
	if err != nil {
		return signer{}, err
	}
	k := &keyring{dir}
	r.adopt(k)
	if _, err := k.run(ctx, "gpg", "--batch", "--quiet", "--import", "--", key); err != nil {
		return signer{}, err
	}
	list, err := k.run(ctx, "gpg", "--batch", "--list-secret-keys", "--with-colons")
	if err != nil {
		return signer{}, err
	}
	for line := range strings.Lines(list) {
		if f := strings.Split(line, ":"); f[0] == "fpr" && len(f) > 9 {
			return signer{[]string{"-c", "gpg.format=openpgp", "-c", "user.signingKey=" + f[9]}, []string{"GNUPGHOME=" + dir}}, nil
		}
	}
	return signer{}, fmt.Errorf("gpg: %s holds no private key", key)
}

func (k *keyring) run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + k.dir, "GNUPGHOME=" + k.dir}
	out, err := cmd.Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(e.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(out), nil
}

// Close ends the agent that gpg leaves behind, and removes the key.
func (k *keyring) Close() error {
	_, _ = k.run(context.Background(), "gpgconf", "--kill", "all") // without its directory it ends by itself
	return os.RemoveAll(k.dir)
}
