package test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/test/faultproxy"
	"sluice/test/servers"
)

// gitStage is a git stage on a repository. Its token is of use only over HTTP.
func gitStage(url string, options ...string) string {
	first := []string{fmt.Sprintf("url: %q", url), "branch: main", "retry: 20s"}
	if strings.HasPrefix(url, "http") {
		first = append(first, "token: "+servers.GitToken)
	}
	return stage("git", append(first, options...)...)
}

// content is files or objects: path or key to bytes.
type content map[string]string

// manifests are the real manifests of SLUICE_DATA, or as many made-up ones.
func manifests(t *testing.T) content {
	t.Helper()
	all := content{}
	dir := os.Getenv("SLUICE_DATA")
	if dir == "" {
		for i := range 248 {
			name := fmt.Sprintf("web-%03d", i)
			all[fmt.Sprintf("cluster-%d/team-%d/deployment/%s.yaml", i%3, i%17, name)] = manifest(name, i)
		}
		return all
	}
	f, err := os.Open(filepath.Join(dir, "kubernetes-manifests.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return untar(t, z)
}

// manifest is a small manifest.
func manifest(name string, replicas int) string {
	return fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: %s\n  labels: {app: %s}\nspec:\n  replicas: %d\n", name, name, replicas)
}

func untar(t *testing.T, in io.Reader) content {
	t.Helper()
	all := content{}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(h.Name, "./")] = string(b)
	}
}

// below gives what lies below a directory, by its path there.
func (c content) below(dir string) content {
	out := content{}
	for path, text := range c {
		if path, ok := strings.CutPrefix(path, dir); ok {
			out[path] = text
		}
	}
	return out
}

// equal fails unless both hold the same, byte for byte.
func equal(t *testing.T, what string, got, want content) {
	t.Helper()
	bad := 0
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[path]; !ok || g != want[path] {
			if bad++; bad < 4 {
				t.Errorf("%s: %s is %.200q (there: %v), want %.200q", what, path, g, ok, want[path])
			}
		}
	}
	if len(got) != len(want) || bad > 0 {
		t.Fatalf("%s: %d files, want %d; %d differ or are missing", what, len(got), len(want), bad)
	}
}

// history is a repository, looked at by git itself.
type history struct{ servers.Repository }

// at gives the files of a commit.
func (h history) at(t *testing.T, commit string) content {
	t.Helper()
	return untar(t, strings.NewReader(h.Git(t, "archive", "--format=tar", commit)))
}

// commits lists those of main, the first one first; none if there is no main.
func (h history) commits(t *testing.T) []string {
	t.Helper()
	if h.Git(t, "for-each-ref", "refs/heads/main") == "" {
		return nil
	}
	return strings.Fields(h.Git(t, "rev-list", "--reverse", "main"))
}

// sound fails unless git finds nothing wrong with the repository.
func (h history) sound(t *testing.T) {
	t.Helper()
	if out := h.Git(t, "fsck", "--strict", "--no-dangling"); out != "" {
		t.Errorf("fsck: %s", out)
	}
	for _, ref := range strings.Fields(h.Git(t, "for-each-ref", "--format=%(refname)")) {
		if ref != "refs/heads/main" && ref != "refs/sluice/sync" { // what the repository remembers
			t.Errorf("%s is there", ref)
		}
	}
	if merges := h.Git(t, "rev-list", "--merges", "main"); merges != "" {
		t.Errorf("got merges: %s", merges)
	}
}

// edit changes files as somebody does who works with the repository: without a
// text a file is removed.
func (h history) edit(t *testing.T, files content) {
	t.Helper()
	work := t.TempDir()
	do := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=somebody", "-c", "user.email=somebody@example.org"}, args...)...)
		cmd.Dir, cmd.Env = work, append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	do("init", "--quiet", "--initial-branch=main")
	do("remote", "add", "origin", h.Dir)
	if len(h.commits(t)) > 0 {
		do("pull", "--quiet", "origin", "main")
	}
	for path, text := range files {
		file := filepath.Join(work, path)
		if text == "" {
			do("rm", "--quiet", path)
			continue
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	do("add", "--all")
	do("commit", "--quiet", "-m", "by hand")
	do("push", "--quiet", "origin", "HEAD:refs/heads/main")
}

// backup is a bucket whose objects below in/ become files below clusters/ of a
// repository, with proxies before both servers.
type backup struct {
	*job
	bucket        *bucket
	files         content // what is in the bucket, by the part of the key behind in/
	history       history
	store, remote *faultproxy.Proxy
}

// newBackup makes a bucket with files, and an empty repository.
func newBackup(t *testing.T, files content, options ...string) *backup {
	t.Helper()
	host := servers.Git(t)
	return backupTo(t, files, history{host.Repository(t, "backup.git")}, faultproxy.New(t, host.URL), options...)
}

// backupTo is newBackup for a repository that is there. Without a proxy it is
// reached at its URL.
func backupTo(t *testing.T, files content, h history, remote *faultproxy.Proxy, options ...string) *backup {
	t.Helper()
	b := &backup{bucket: newBucket(t), files: content{}, history: h, remote: remote}
	b.store = faultproxy.New(t, b.bucket.store.Endpoint)
	url := h.URL
	if remote != nil {
		url = remote.URL + "/" + filepath.Base(h.Dir)
	}
	b.job = newJob(t, pipelines(entry("sync", b.bucket.stage(b.store.URL, "prefix: in/", "retry: 2s"), "[]",
		gitStage(url, append([]string{"path: clusters", "strip: in/"}, options...)...))))
	b.put(t, files)
	return b
}

// put puts files into the bucket.
func (b *backup) put(t *testing.T, files content) {
	t.Helper()
	objects := map[string]string{}
	for path, text := range files {
		objects["in/"+path] = text
		b.files[path] = text
	}
	b.bucket.putAll(t, objects)
}

// remove removes files from the bucket.
func (b *backup) remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		b.bucket.delete(t, "in/"+path)
		delete(b.files, path)
	}
}

// change changes some of the files, adds one and removes one.
func (b *backup) change(t *testing.T, n int) {
	t.Helper()
	paths := slices.Sorted(maps.Keys(b.files))
	rand.Shuffle(len(paths), func(i, k int) { paths[i], paths[k] = paths[k], paths[i] })
	changed := content{fmt.Sprintf("new/%x.yaml", rand.Uint64()): manifest("new", rand.IntN(1000))}
	for _, path := range paths[:n] {
		changed[path] = b.files[path] + fmt.Sprintf("# %x\n", rand.Uint64())
	}
	b.put(t, changed)
	b.remove(t, paths[n])
}

// same fails unless main has below clusters/ exactly what the bucket has, and
// is sound.
func (b *backup) same(t *testing.T) {
	t.Helper()
	equal(t, "main", b.history.at(t, "main").below("clusters/"), b.files)
	b.history.sound(t)
}

// gets counts the objects that were read since the proxy was cleared.
func (b *backup) gets() int { return len(b.store.Requests("GET ", "/in/")) }

// pushes counts the requests of pushes since the proxy was cleared.
func (b *backup) pushes() int { return len(b.remote.Requests("POST ", "git-receive-pack")) }
