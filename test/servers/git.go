package servers

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// GitHost is git's own HTTP server, `git http-backend`, with bare repositories.
// It asks for Basic authentication: any user with a password of Accept. Faults
// are made by a faultproxy before it; its methods may be called at any time.
type GitHost struct {
	URL string // without a path
	Dir string // of the repositories

	handler       cgi.Handler
	server        *http.Server
	read, written atomic.Int64
	mu            sync.Mutex
	passwords     []string
}

// GitToken is the password that a new [GitHost] takes.
const GitToken = "ghs_canarytoken0123456789"

// Git starts a server of repositories that ends with the test.
func Git(t testing.TB) *GitHost {
	t.Helper()
	h, err := StartGit(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	return h
}

// StartGit starts a server of the repositories in dir at a port of 127.0.0.1.
func StartGit(dir string) (*GitHost, error) {
	programs, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("git --exec-path: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &GitHost{URL: "http://" + l.Addr().String(), Dir: dir, passwords: []string{GitToken}}
	h.handler = cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(programs)), "git-http-backend"),
		Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=sluice",
			"GIT_CONFIG_NOSYSTEM=1", "HOME=" + dir, "LC_ALL=C"},
		InheritEnv: []string{"PATH"},
		Logger:     log.New(discard{}, "", 0),
		Stderr:     discard{},
	}
	h.server = &http.Server{Handler: h}
	go h.server.Serve(counted{l, h})
	return h, nil
}

// Stop cuts all connections and takes no more.
func (h *GitHost) Stop() { h.server.Close() }

// Accept replaces the passwords that are taken: without any, nobody comes in.
func (h *GitHost) Accept(passwords ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.passwords = passwords
}

// Bytes is what came in and what went out so far, headers included.
func (h *GitHost) Bytes() (in, out int64) { return h.read.Load(), h.written.Load() }

// Repository makes an empty bare repository, as [NewRepository] does.
func (h *GitHost) Repository(t testing.TB, name string, options ...string) Repository {
	t.Helper()
	r, err := NewRepository(filepath.Join(h.Dir, name), options...)
	if err != nil {
		t.Fatal(err)
	}
	r.URL = h.URL + "/" + name
	return r
}

// ServeHTTP implements http.Handler.
func (h *GitHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, password, _ := r.BasicAuth()
	h.mu.Lock()
	known := slices.Contains(h.passwords, password)
	h.mu.Unlock()
	if !known {
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		http.Error(w, "Invalid username or token.", http.StatusUnauthorized)
		return
	}
	// Without a length, git reads to the end. With one, it waits for ever for what
	// a client that is gone has not sent (2.39); and cgi refuses chunked bodies.
	if r.ContentLength != 0 {
		r = r.Clone(context.WithoutCancel(r.Context()))
		r.TransferEncoding, r.ContentLength = nil, -1
	}
	h.handler.ServeHTTP(w, r)
}

// discard forgets complaints: of clients that went away.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// counted counts the bytes of connections.
type counted struct {
	net.Listener
	host *GitHost
}

func (l counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{c, l.host}, nil
}

type countedConn struct {
	net.Conn
	host *GitHost
}

func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.host.read.Add(int64(n))
	return n, err
}

func (c countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.host.written.Add(int64(n))
	return n, err
}

// Repository is a bare repository on the disk of a server of this machine.
type Repository struct {
	URL string // where clients find it: Dir, unless a server has it
	Dir string
}

// NewRepository makes an empty bare repository whose HEAD is main, with what
// hosts allow and check: filters, commits by their id, fsck of what is pushed.
// Options are those of `git init`, as "--object-format=sha256".
func NewRepository(dir string, options ...string) (Repository, error) {
	r := Repository{URL: dir, Dir: dir}
	args := append([]string{"init", "--quiet", "--bare", "--initial-branch=main"}, append(options, dir)...)
	if _, err := git(context.Background(), "", args...); err != nil {
		return r, err
	}
	for _, option := range []string{"http.receivepack", "uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant", "receive.fsckObjects"} {
		if _, err := r.Run("config", option, "true"); err != nil {
			return r, err
		}
	}
	_, err := r.Run("config", "receive.autogc", "false") // it would outlive the request
	return r, err
}

// Run runs git in the repository and returns what it printed.
func (r Repository) Run(args ...string) (string, error) {
	return git(context.Background(), r.Dir, args...)
}

// Git is Run without the last line end. An error ends the test.
func (r Repository) Git(t testing.TB, args ...string) string {
	t.Helper()
	out, err := r.Run(args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out, "\n")
}

// Hook puts a hook of a name, as "pre-receive", into the repository: a shell
// script without its first line. Without text it is removed.
func (r Repository) Hook(t testing.TB, name, text string) {
	t.Helper()
	file := filepath.Join(r.Dir, "hooks", name)
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if text == "" {
		return
	}
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// git runs git in dir, without anybody's configuration.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C", "TZ=UTC",
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.org", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.org"}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), fmt.Errorf("git %s: %w: %s", args[0], err, exit.Stderr)
	}
	return string(out), err
}
