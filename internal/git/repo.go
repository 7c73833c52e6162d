package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// fetched is the reference of what was fetched last.
const fetched = "refs/sluice/fetched"

// settings of every repository. It is thrown away with the run, so that nothing
// is synced, collected or packed anew. Large blobs are streamed, and windows
// into packs are small, so that the memory of git does not depend on sizes.
const settings = `
[core]
	bigFileThreshold = 1m
	fsync = none
	hooksPath = /dev/null
	packedGitWindowSize = 1m
	packedGitLimit = 16m
[gc]
	auto = 0
[maintenance]
	auto = false
[fetch]
	unpackLimit = 1
[fastimport]
	unpackLimit = 1
[pack]
	compression = 1
	threads = 1
	window = 0
[remote "origin"]
`

// Repo is a bare repository for one run, beside a remote. It is safe for
// concurrent use, except that it makes packs for one caller at a time: Fetch,
// Prefetch and [Import.Done] wait for each other.
type Repo struct {
	remote *Remote
	dir    string
	format string // of its objects: sha1 or sha256
	lock   *os.File

	packing        sync.Mutex // held while packs are made
	mu             sync.Mutex // guards what follows
	received, sent int64
	whole          map[OID]bool       // commits that were fetched with their blobs
	children       map[io.Closer]bool // that run
}

// Create makes a repository in a directory of its own in dir, which it makes if
// it is not there, and removes from dir what killed runs left. It asks the
// remote for the format of its objects, so that a remote that cannot be reached
// or denies access is an error here. An empty remote is none.
func Create(ctx context.Context, dir string, r *Remote) (*Repo, error) {
	if _, err := r.Version(ctx); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir) // git runs in the repository
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := sweep(ctx, dir); err != nil {
		return nil, err
	}
	name, lock, err := claim(dir)
	if err != nil {
		return nil, err
	}
	repo := &Repo{remote: r, dir: name, lock: lock, whole: map[OID]bool{}, children: map[io.Closer]bool{}}
	if err := repo.init(ctx); err != nil {
		return nil, errors.Join(err, repo.Close())
	}
	return repo, nil
}

func (r *Repo) init(ctx context.Context) (err error) {
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		return err
	}
	if r.format, err = r.remoteFormat(ctx); err != nil {
		return err
	}
	if _, err := r.local(ctx, "init", "--quiet", "--bare", "--template=", "--object-format="+r.format, "."); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(r.dir, "config"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	text := append(appendValue([]byte(settings+"\turl = "), r.remote.url()), '\n')
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// remoteFormat asks which format the objects of the remote have. An empty remote
// says so too, but git shows it only in its trace of the protocol.
func (r *Repo) remoteFormat(ctx context.Context) (string, error) {
	trace := filepath.Join(r.dir, "trace")
	if _, err := r.remote.ask(ctx, call{dir: r.dir, env: []string{"GIT_TRACE_PACKET=" + trace}, args: []string{"ls-remote", "--", r.remote.url(), "HEAD"}}); err != nil {
		return "", err
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		return "", err
	}
	if bytes.Contains(text, []byte("object-format="+sha256Format)) {
		return sha256Format, os.Remove(trace)
	}
	return "sha1", os.Remove(trace)
}

// Close ends what runs in the repository, and removes it.
func (r *Repo) Close() error {
	var errs []error
	for _, c := range r.running() {
		errs = append(errs, c.Close())
	}
	errs = append(errs, remove(r.lock.Name()), r.lock.Close())
	return errors.Join(errs...)
}

func (r *Repo) running() (all []io.Closer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.children {
		all = append(all, c)
	}
	return all
}

func (r *Repo) adopt(c io.Closer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.children[c] = true
}

func (r *Repo) release(c io.Closer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.children, c)
}

// Received is how many bytes of packs came from the remote, and Sent how many
// went there, as git shows them: to three digits.
func (r *Repo) Received() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.received
}

// Sent is described at Received.
func (r *Repo) Sent() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent
}

// Resolve asks the remote for the object of a reference, by its full name or
// HEAD; "" if there is none.
func (r *Repo) Resolve(ctx context.Context, ref string) (OID, error) {
	refs, err := r.resolve(ctx, ref)
	return refs[ref], err
}

// resolve asks the remote for references by their full names.
func (r *Repo) resolve(ctx context.Context, names ...string) (map[string]OID, error) {
	out, err := r.remote.ask(ctx, call{dir: r.dir, args: append([]string{"ls-remote", "--", "origin"}, names...)})
	if err != nil {
		return nil, err
	}
	refs := map[string]OID{}
	for line := range strings.Lines(string(out)) {
		id, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || !OID(id).digits() {
			return nil, fmt.Errorf("ls-remote: a line that is none: %q", line)
		}
		refs[name] = OID(id)
	}
	return refs, nil
}

// SameTree reports whether two commits hold the same tree. "" holds the empty one.
func (r *Repo) SameTree(ctx context.Context, a, b OID) (bool, error) {
	one, err := r.tree(ctx, a)
	if err != nil {
		return false, err
	}
	other, err := r.tree(ctx, b)
	return one == other, err
}

// tree gives the id of the tree of a commit.
func (r *Repo) tree(ctx context.Context, commit OID) (OID, error) {
	if commit == "" {
		return r.emptyTree(), nil
	}
	return r.parse(ctx, string(commit)+"^{tree}")
}

// parse gives the id of what git calls name.
func (r *Repo) parse(ctx context.Context, name string) (OID, error) {
	out, err := r.local(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", name)
	id := OID(bytes.TrimSpace(out))
	if err == nil && !id.digits() {
		err = fmt.Errorf("rev-parse %s: no object", name)
	}
	return id, err
}

// local runs a git that does not speak to the remote, and gives its output.
func (r *Repo) local(ctx context.Context, args ...string) ([]byte, error) {
	return r.remote.run(ctx, call{dir: r.dir, args: args})
}

// start starts a git that does not speak to the remote.
func (r *Repo) start(ctx context.Context, args ...string) (*child, error) {
	return r.remote.start(ctx, call{dir: r.dir, args: args})
}
