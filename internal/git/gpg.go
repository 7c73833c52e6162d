package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// keyring is a directory in the repository with one GPG key. It goes by the name
// of a link: gpg makes sockets in it, whose names have to be short.
type keyring struct{ short, link string }

// gpg imports a key into a directory of its own.
func (r *Repo) gpg(ctx context.Context, key string) (signer, error) {
	dir, err := os.MkdirTemp(r.dir, "keyring-")
	if err != nil {
		return signer{}, err
	}
	short, err := os.MkdirTemp("", mark)
	if err != nil {
		return signer{}, err
	}
	k := &keyring{short, filepath.Join(short, "k")}
	r.adopt(k)
	if err := os.Symlink(dir, k.link); err != nil {
		return signer{}, err
	}
	if _, err := k.run(ctx, "gpg", "--batch", "--quiet", "--import", "--", key); err != nil {
		return signer{}, err
	}
	list, err := k.run(ctx, "gpg", "--batch", "--list-secret-keys", "--with-colons")
	if err != nil {
		return signer{}, err
	}
	for line := range strings.Lines(list) {
		if f := strings.Split(line, ":"); f[0] == "fpr" && len(f) > 9 {
			return signer{[]string{"-c", "gpg.format=openpgp", "-c", "user.signingKey=" + f[9]}, []string{"GNUPGHOME=" + k.link}}, nil
		}
	}
	return signer{}, fmt.Errorf("gpg: %s holds no private key", key)
}

func (k *keyring) run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + k.link, "GNUPGHOME=" + k.link}
	out, err := cmd.Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(e.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(out), nil
}

// Close ends the agent that gpg leaves behind, and removes the link.
func (k *keyring) Close() error {
	_, _ = k.run(context.Background(), "gpgconf", "--kill", "all") // without its directory it ends by itself
	return os.RemoveAll(k.short)
}
