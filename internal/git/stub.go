package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"sluice/internal/kind"
	"sluice/internal/unit"
)

// This file stands for what part A1 makes.

type Config struct {
	URL        string        `yaml:"url" required:"true" doc:"Repository."`
	Branch     string        `yaml:"branch" doc:"Branch."`
	Retry      unit.Duration `yaml:"retry" default:"5m" doc:"How long a request is tried again."`
	SSHKey     string        `yaml:"ssh_key" doc:"Path of the private key."`
	KnownHosts string        `yaml:"known_hosts" doc:"Path of known hosts."`
}

func (c *Config) Problems() []kind.Problem { return nil }
func (c *Config) Location() string         { return c.URL + " " + c.Branch }
func (c *Config) Remote() (*Remote, error) { return &Remote{c.URL}, nil }

type Remote struct{ URL string }

func (r *Remote) url() string                        { return r.URL }
func (r *Remote) checkVersion(context.Context) error { return nil }

var ErrRaced = errors.New("another writer was first")

type Refused struct{ Kind, Detail string }

func (r *Refused) Error() string { return r.Detail }

type call struct {
	dir, stdin string
	env, args  []string
	both       bool
}

func (r *Remote) command(ctx context.Context, c call) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", c.args...)
	cmd.Dir = c.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + c.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_DIR=" + c.dir, "GIT_LITERAL_PATHSPECS=1", "GIT_NO_LAZY_FETCH=1"}, c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

func (r *Remote) run(ctx context.Context, c call) ([]byte, error) {
	cmd := r.command(ctx, c)
	if c.stdin != "" {
		cmd.Stdin = strings.NewReader(c.stdin)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		text := out.String() + errs.String()
		for _, raced := range []string{"stale info", "failed to update ref", "fetch first", "non-fast-forward", "cannot lock ref", "incorrect old value"} {
			if strings.Contains(text, raced) {
				err = ErrRaced
			}
		}
		return nil, fmt.Errorf("git %s: %w: %s", c.args[0], err, strings.TrimSpace(text))
	}
	if c.both {
		return append(out.Bytes(), errs.Bytes()...), nil
	}
	return out.Bytes(), nil
}

type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout io.ReadCloser
	stderr bytes.Buffer
	name   string
	waited bool
}

func (r *Repo) start(ctx context.Context, args ...string) (*child, error) {
	c := &child{cmd: r.remote.command(ctx, call{dir: r.dir, args: append(offline[:len(offline):len(offline)], args...)}), name: args[0]}
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if c.stdout, err = c.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	c.cmd.Stderr = &c.stderr
	return c, c.cmd.Start()
}

func (c *child) wait() error {
	c.waited = true
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", c.name, err, strings.TrimSpace(c.stderr.String()))
	}
	return nil
}

// Close kills it, and gives why it died if it did so by itself.
func (c *child) Close() error {
	if c.waited {
		return nil
	}
	syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	c.stdin.Close()
	err := c.wait()
	if c.stderr.Len() == 0 {
		return nil
	}
	return err
}
