package git_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/internal/git"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// formats of objects that a remote may have.
var formats = []string{"sha1", "sha256"}

// world is a bare repository that others have, and what a test wants of it.
type world struct {
	*testing.T
	dir     string // of the remote
	scratch string
	remote  *git.Remote
}

func newWorld(t *testing.T, format string) *world {
	w := &world{T: t, dir: filepath.Join(t.TempDir(), "remote.git"), scratch: t.TempDir()}
	w.git("init", "-q", "--bare", "--object-format="+format, "-b", "main", w.dir)
	w.git("config", "uploadpack.allowFilter", "true")
	w.git("config", "uploadpack.allowAnySHA1InWant", "true")
	c := git.Config{URL: "file://" + w.dir, Branch: "main"}
	r, err := c.Remote()
	w.check(err)
	w.remote = r
	return w
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// git runs git in the remote, as its owner.
func (w *world) git(args ...string) string {
	w.Helper()
	cmd := exec.Command("git", args...)
	if _, err := os.Stat(w.dir); err == nil {
		cmd.Dir = w.dir
	}
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// repo makes a repository beside the remote.
func (w *world) repo() *git.Repo {
	w.Helper()
	r, err := git.Create(w.Context(), w.scratch, w.remote)
	w.check(err)
	w.Cleanup(func() { r.Close() })
	return r
}

// who and when of the commits of tests.
var (
	who  = git.Person{Name: "A", Email: "a@example.org"}
	when = time.Unix(1_700_000_000, 0)
)

// files are contents by path; "-" deletes the path.
type files map[string]string

const gone = "-"

// add emits blobs and one commit of files.
func add(im *git.Import, r *git.Repo, c git.Commit, f files) error {
	ids := map[string]git.OID{}
	for path, content := range f {
		if content == gone {
			continue
		}
		if err := im.Blob(int64(len(content)), strings.NewReader(content)); err != nil {
			return err
		}
		h := r.BlobOID(int64(len(content)))
		io.WriteString(h, content)
		ids[path] = h.Sum()
	}
	c.Author, c.Committer, c.When = who, who, when
	im.Begin(c)
	for path, content := range f {
		if content == gone {
			im.Delete(path)
		}
	}
	for path, id := range ids {
		im.Modify(path, id)
	}
	return nil
}

// commit makes a commit of files upon base.
func (w *world) commit(r *git.Repo, base git.OID, f files) git.OID {
	w.Helper()
	im, err := r.Import(w.Context())
	w.check(err)
	defer im.Close()
	w.check(add(im, r, git.Commit{Ref: "refs/heads/main", Parent: base, Message: "m"}, f))
	ids, err := im.Done()
	w.check(err)
	return ids[0]
}

// push makes a commit of files upon base and pushes it.
func (w *world) push(r *git.Repo, base git.OID, f files) git.OID {
	w.Helper()
	tip := w.commit(r, base, f)
	w.check(r.Push(w.Context(), git.Update{Ref: "refs/heads/main", Old: base, New: tip}))
	return tip
}

// seed makes the first commit of the remote.
func (w *world) seed(f files) git.OID {
	w.Helper()
	r, err := git.Create(w.Context(), w.scratch, w.remote)
	w.check(err)
	tip := w.push(r, "", f)
	w.check(r.Close())
	return tip
}

// kill kills the one child of this process whose arguments are like this.
func (w *world) kill(args string) {
	w.Helper()
	out, err := exec.Command("pgrep", "-P", strconv.Itoa(os.Getpid()), "-f", "^git "+args).Output()
	w.check(err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	w.check(err)
	w.check(syscall.Kill(pid, syscall.SIGKILL))
}

// tree gives the contents of the remote's branch.
func (w *world) tree(ref string) files {
	w.Helper()
	all := files{}
	for line := range strings.SplitSeq(w.git("ls-tree", "-r", "-z", ref), "\x00") {
		if about, path, ok := strings.Cut(line, "\t"); ok {
			all[path] = w.git("cat-file", "blob", strings.Fields(about)[2])
		}
	}
	return all
}

func read(ctx context.Context, r *git.Repo, id git.OID) (string, error) {
	b, err := r.Blobs(ctx)
	if err != nil {
		return "", err
	}
	defer b.Close()
	_, body, err := b.Open(id)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	_, err = text.ReadFrom(body)
	return text.String(), err
}
