package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Where no OpenSSH server is installed, that of Debian 12 is fetched, with the
// library that few systems have.
var sshPackages = []string{"openssh-server=1:9.2p1-2+deb12u10", "libwrap0=7.6.q-32"}

// SSHHost is a real sshd of this user, with bare repositories.
type SSHHost struct {
	URL        string // ssh://user@127.0.0.1:port, without a path
	Dir        string // of the repositories
	Key        string // file of a private key that it takes
	KnownHosts string // file that knows its key
	Stranger   string // file that knows another key for it

	server *Server
}

// SSHD starts an SSH server that ends with the test.
func SSHD(t testing.TB) *SSHHost {
	t.Helper()
	h, err := StartSSHD(t.Context(), t.TempDir())
	switch {
	case err == nil:
	case os.Getenv("SLUICE_REQUIRE_SERVERS") != "":
		t.Fatal(err)
	default:
		t.Skipf("there is no SSH server: %v", err)
	}
	t.Cleanup(h.server.Kill)
	return h
}

// StartSSHD fetches sshd if need be, and starts it with keys and repositories
// in dir.
func StartSSHD(ctx context.Context, dir string) (*SSHHost, error) {
	program, libraries, err := sshd(ctx)
	if err != nil {
		return nil, err
	}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	ports, err := FreePorts(1)
	if err != nil {
		return nil, err
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	h := &SSHHost{URL: fmt.Sprintf("ssh://%s@127.0.0.1:%d", me.Username, ports[0]), Dir: dir,
		Key: in("client"), KnownHosts: in("known_hosts"), Stranger: in("other_hosts")}
	if err := h.keys(ctx, ports[0]); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`ListenAddress 127.0.0.1:%d
HostKey %s
AuthorizedKeysFile %s
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
`, ports[0], in("host"), in("client.pub"))
	if err := os.WriteFile(in("sshd_config"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	h.server = &Server{URL: fmt.Sprintf("127.0.0.1:%d", ports[0]), name: "sshd", log: in("server.log")}
	h.server.start = func() *exec.Cmd {
		cmd := exec.Command(program, "-D", "-e", "-f", in("sshd_config"))
		if me.Uid == "0" {
			cmd = asRoot(dir, cmd.Args)
		}
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libraries)
		return cmd
	}
	return h, h.server.Start(ctx)
}

// keys makes the keys of server and client, and the files of known hosts.
func (h *SSHHost) keys(ctx context.Context, port int) error {
	for file, known := range map[string]string{"host": h.KnownHosts, "other": h.Stranger, "client": ""} {
		file = filepath.Join(h.Dir, file)
		if err := quietly(exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file)); err != nil {
			return err
		}
		if known == "" {
			continue
		}
		public, err := os.ReadFile(file + ".pub")
		if err != nil {
			return err
		}
		if err := os.WriteFile(known, fmt.Appendf(nil, "[127.0.0.1]:%d %s", port, public), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// asRoot is sshd for root. It then wants a user sshd and a directory of its own:
// it gets both, where nobody else sees them.
func asRoot(dir string, sshd []string) *exec.Cmd {
	const script = `cp /etc/passwd "$0"/passwd &&
grep -q ^sshd: "$0"/passwd || echo sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin >>"$0"/passwd
mount --bind "$0"/passwd /etc/passwd && mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"`
	return exec.Command("unshare", append([]string{"--mount", "sh", "-c", script, dir}, sshd...)...)
}

// Repository makes an empty bare repository, as [NewRepository] does.
func (h *SSHHost) Repository(t testing.TB, name string, options ...string) Repository {
	t.Helper()
	r, err := NewRepository(filepath.Join(h.Dir, name), options...)
	if err != nil {
		t.Fatal(err)
	}
	r.URL = h.URL + r.Dir
	return r
}

// sshd returns the program, and where its libraries are if it was fetched.
func sshd(ctx context.Context) (program, libraries string, err error) {
	const installed = "/usr/sbin/sshd"
	if _, err := os.Stat(installed); err == nil {
		return installed, "", nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || runtime.GOOS != "linux" {
		return "", "", errors.New("no " + installed + ", and no apt-get to fetch it with")
	}
	name := strings.NewReplacer("=", "-", ":", ".", "+", "-").Replace(sshPackages[0])
	dir, err := fetch(name, func(dir string) error {
		if err := apt(ctx, dir, append([]string{"download"}, sshPackages...)...); err != nil {
			return err
		}
		return unpack(ctx, dir, dir)
	})
	if err != nil {
		return "", "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, "usr/lib/*/libwrap.so.0"))
	if err != nil || len(found) == 0 {
		return "", "", errors.Join(fmt.Errorf("%s has no libwrap.so.0", dir), err)
	}
	return filepath.Join(dir, installed), filepath.Dir(found[0]), nil
}
