package test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"sluice/test/faultproxy"
	"sluice/test/servers"
)

// few are files of a backup, one of which is large enough to be cut.
func few() content {
	files := content{"a/large.txt": strings.Repeat("0123456789abcde\n", 5000)}
	for i := range 30 {
		files[fmt.Sprintf("ns-%d/%02d.yaml", i%4, i)] = manifest(fmt.Sprint("m", i), i)
	}
	return files
}

// fault is what goes wrong in one run.
type fault struct {
	store, remote *faultproxy.Rule
	around        func(t *testing.T, b *backup) // called before the run; what it breaks is mended by a Cleanup of its t
	says          []string
}

// put is where rules are added.
func (f fault) put(t *testing.T, b *backup) {
	t.Helper()
	if f.store != nil {
		b.store.Add(f.store)
	}
	if f.remote != nil {
		b.remote.Add(f.remote)
	}
	if f.around != nil {
		f.around(t, b)
	}
}

// happened fails unless the rule was used.
func (f fault) happened(t *testing.T) {
	t.Helper()
	for _, r := range []*faultproxy.Rule{f.store, f.remote} {
		if r != nil && r.Hits() == 0 {
			t.Fatal("the fault did not happen")
		}
	}
}

func receive(r *http.Request) bool {
	return r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/git-receive-pack")
}

func fetch(r *http.Request) bool {
	return r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/git-upload-pack")
}

func object(r *http.Request) bool {
	return r.Method == "GET" && strings.Contains(r.URL.Path, "/in/a/large.txt")
}

// TestFaultsOfASyncAreSurvived: one commit, and all is in it.
func TestFaultsOfASyncAreSurvived(t *testing.T) {
	long(t)
	for name, f := range map[string]fault{
		"an object answered 503":      {store: &faultproxy.Rule{Match: object, Times: 2, Status: 503, Body: slowDown}},
		"an object cut in its middle": {store: &faultproxy.Rule{Match: object, CutAfter: 9000}},
		"a listing answered 503":      {store: &faultproxy.Rule{Query: "list-type=2", Times: 2, Status: 503, Body: slowDown}},
		"a large object replaced while it is read": {around: func(t *testing.T, b *backup) {
			b.put(t, content{"a/large.txt": noise(6 << 20)})
			replacing(t, b, 3<<20)
		}},
		"a small object replaced while it is read": {around: func(t *testing.T, b *backup) { replacing(t, b, 9000) }},
		"the remote is slow":                       {remote: &faultproxy.Rule{Times: -1, Delay: 700 * time.Millisecond}},
		"the remote answers 503":                   {remote: &faultproxy.Rule{Times: 3, Status: 503}},
		"a fetch cut in its middle":                {remote: &faultproxy.Rule{Match: fetch, CutAfter: 60}},
		"connections to the remote are lost":       {remote: &faultproxy.Rule{Times: 3, Cut: true}},
		"a push answered 502":                      {remote: &faultproxy.Rule{Match: receive, Times: 2, Status: 502}},
		"a push lost before the server has it":     {remote: &faultproxy.Rule{Match: receive, Cut: true}},
		"a push lost after it was accepted":        {remote: &faultproxy.Rule{Match: receive, Late: true, Cut: true}},
		"a push answered 504, accepted":            {remote: &faultproxy.Rule{Match: receive, Late: true, Status: 504, Body: gateway}},
		"the answer to a push cut in its middle":   {remote: &faultproxy.Rule{Match: receive, CutAfter: 20}},
		"a server without filters": {around: func(t *testing.T, b *backup) {
			b.history.Git(t, "config", "uploadpack.allowFilter", "false")
		}},
		"a lock file that goes": {around: func(t *testing.T, b *backup) {
			lock := lockMain(t, b)
			go func() { time.Sleep(3 * time.Second); os.Remove(lock) }()
		}},
		"a lock file of git in the state": {around: func(t *testing.T, b *backup) {
			abandoned(t, b)
		}},
		"others push meanwhile": {remote: &faultproxy.Rule{Match: receive, Times: 2, Delay: 10 * time.Millisecond}, around: func(t *testing.T, b *backup) {
			n := 0
			rule := &faultproxy.Rule{Match: receive, Times: 2, Do: func() { n++; b.history.edit(t, content{fmt.Sprint("theirs/", n): "x\n"}) }}
			b.remote.Clear()
			b.remote.Add(rule)
			t.Cleanup(func() {
				if got := len(b.history.at(t, "main").below("theirs/")); got != 2 || rule.Hits() != 2 {
					t.Errorf("got %d files of others after %d faults, want 2", got, rule.Hits())
				}
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackup(t, few())
			b.history.edit(t, content{"README.md": "ours\n"})
			b.want(t, 0, "sync")
			b.change(t, 10)
			b.put(t, content{"a/large.txt": b.files["a/large.txt"] + "more\n"})
			f.put(t, b)
			b.want(t, 0, "sync")
			if !strings.HasPrefix(name, "others") {
				f.happened(t)
			}
			b.store.Clear()
			b.remote.Clear()
			b.same(t)
			if n := len(strings.Fields(b.history.Git(t, "rev-list", "main", "--", "clusters"))); n != 2 {
				t.Errorf("got %d commits, want 2", n)
			}
		})
	}
}

// replacing replaces the large object when so many bytes of it were read, once.
func replacing(t *testing.T, b *backup, after int64) {
	rule := b.store.Add(&faultproxy.Rule{Match: object, CutAfter: after, Do: func() {
		b.put(t, content{"a/large.txt": strings.Repeat("replaced\n", 9000)})
	}})
	t.Cleanup(func() {
		if rule.Hits() == 0 {
			t.Error("the fault did not happen")
		}
	})
}

// bodiless is an answer that is cut where its body begins.
func bodiless(r *http.Response) { r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF)) }

// lockMain makes the lock file that git leaves when it is killed while it
// changes main.
func lockMain(t *testing.T, b *backup) string {
	t.Helper()
	lock := filepath.Join(b.history.Dir, "refs/heads/main.lock")
	if err := os.WriteFile(lock, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(lock) })
	return lock
}

// abandoned puts lock files of git into what a run that was killed has left.
func abandoned(t *testing.T, b *backup) {
	t.Helper()
	b.remote.Clear()
	b.remote.Add(&faultproxy.Rule{Match: receive, Times: -1, Delay: time.Minute})
	p := b.start(t, "run", "sync")
	for begin := time.Now(); b.pushes() == 0 && time.Since(begin) < 20*time.Second; {
		time.Sleep(20 * time.Millisecond)
	}
	p.cmd.Process.Kill()
	p.wait(t)
	b.remote.Clear()
	left := b.scratch(t)
	if len(left) == 0 {
		t.Fatal("a run that is killed leaves no repository: this test is of no use")
	}
	for _, path := range left {
		if dir, ok := strings.CutSuffix(path, "/HEAD"); ok {
			for _, lock := range []string{"HEAD.lock", "config.lock", "shallow.lock"} {
				if err := os.WriteFile(filepath.Join(b.dir, dir, lock), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestFaultsOfASyncLeaveTheBranchAsItWas: exit 1, a message that explains, and
// all is there after the next run.
func TestFaultsOfASyncLeaveTheBranchAsItWas(t *testing.T) {
	long(t)
	for name, f := range map[string]fault{
		"an object answered 500":           {store: &faultproxy.Rule{Match: object, Times: -1, Status: 500, Body: internals}, says: []string{"500", "in/a/large.txt"}},
		"an object whose body never comes": {store: &faultproxy.Rule{Match: object, Times: -1, Edit: bodiless}, says: []string{"in/a/large.txt"}},
		"the remote is down":               {remote: &faultproxy.Rule{Times: -1, Cut: true}, says: []string{"127.0.0.1"}},
		"the remote answers 500":           {remote: &faultproxy.Rule{Times: -1, Status: 500}, says: []string{"500"}},
		"the token is refused":             {remote: &faultproxy.Rule{Times: -1, Status: 401, Header: map[string]string{"WWW-Authenticate": "Basic"}}, says: []string{"token"}},
		"the token ends in between":        {remote: &faultproxy.Rule{Match: receive, Times: -1, Status: 401, Header: map[string]string{"WWW-Authenticate": "Basic"}}, says: []string{"token"}},
		"the token may not write":          {remote: &faultproxy.Rule{Match: receive, Times: -1, Status: 403}, says: []string{"403"}},
		"the repository is missing":        {remote: &faultproxy.Rule{Times: -1, Status: 404}, says: []string{"backup.git", "not found"}},
		"a hook refuses":                   {around: hook("pre-receive", "echo not on Sundays >&2; exit 1"), says: []string{"not on Sundays", "hook"}},
		"the branch is protected":          {around: hook("update", "echo 'GH006: Protected branch update failed for refs/heads/main.' >&2; exit 1"), says: []string{"GH006", "protected"}},
		"a lock file that stays":           {around: func(t *testing.T, b *backup) { lockMain(t, b) }, says: []string{"main"}},
		"too much would be deleted":        {around: emptied, says: []string{"max_delete", "--max-delete"}},
		"all of the bucket is empty":       {around: func(t *testing.T, b *backup) { hidden(t, b) }, says: []string{"max_delete"}},
		"the state's disk is full":         {around: func(t *testing.T, b *backup) { fullState(t, b) }, says: []string{"No space left on device"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackup(t, few(), "retry: 4s")
			b.want(t, 0, "sync")
			before := b.history.commits(t)
			b.put(t, content{"a/large.txt": b.files["a/large.txt"] + "more\n"})
			b.change(t, 3)
			t.Run("broken", func(t *testing.T) {
				f.put(t, b)
				began := time.Now()
				o := b.want(t, 1, "sync")
				f.happened(t)
				o.says(t, f.says...)
				if took := time.Since(began); took > 40*time.Second {
					t.Errorf("it took %v to say so", took)
				}
				if r := o.Reports["sync"]; r.Outcome != "failed" || r.Objects.Deleted != 0 {
					t.Errorf("report %+v", r)
				}
				if got := b.history.commits(t); !slices.Equal(got, before) {
					t.Errorf("got the commits %v, want %v", got, before)
				}
			})
			b.store.Clear()
			b.remote.Clear()
			b.converges(t, before)
		})
	}
}

// hook makes the server refuse.
func hook(name, text string) func(*testing.T, *backup) {
	return func(t *testing.T, b *backup) {
		b.history.Hook(t, name, text)
		t.Cleanup(func() { b.history.Hook(t, name, "") })
	}
}

// emptied hides most of the bucket from the listing.
func emptied(t *testing.T, b *backup) {
	files := content{}
	for path, text := range b.files {
		if strings.HasPrefix(path, "ns-") {
			files[path] = text
			b.remove(t, path)
		}
	}
	t.Cleanup(func() { b.put(t, files) })
}

// hidden makes the listing empty.
func hidden(t *testing.T, b *backup) {
	b.store.Add(&faultproxy.Rule{Query: "list-type=2", Times: -1, Edit: rewrite(func(text []byte) []byte {
		return contents.ReplaceAll(text, nil)
	})})
}

// fullState fills the file system of the state, and of what is on its way.
func fullState(t *testing.T, b *backup) {
	dir := filepath.Join(b.dir, "state")
	saved := t.TempDir()
	if err := os.CopyFS(saved, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	tiny(t, dir, "300k")
	if err := os.CopyFS(dir, os.DirFS(saved)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the file system is not full")
	}
	t.Cleanup(func() { // it goes with its files: the next run has the state of before
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// TestADiskOfTheServerThatIsFullIsReported, and repaired.
func TestADiskOfTheServerThatIsFullIsReported(t *testing.T) {
	long(t)
	host := servers.Git(t)
	tiny(t, filepath.Join(host.Dir, "full"), "400k")
	b := backupTo(t, few(), history{host.Repository(t, "full/backup.git")}, nil)
	b.put(t, content{"noise": noise(1 << 20)})
	b.want(t, 1, "sync").says(t, "unpack")
	if n := len(b.history.commits(t)); n != 0 {
		t.Errorf("got %d commits, want none", n)
	}
	if err := syscall.Mount("tmpfs", filepath.Join(host.Dir, "full"), "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	b.want(t, 0, "sync")
	b.same(t)
}

// noise is bytes that no compression makes smaller.
func noise(size int) string {
	b := make([]byte, size)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return string(b)
}

// TestAListingThatIsCutDeletesNothing cuts its second page.
func TestAListingThatIsCutDeletesNothing(t *testing.T) {
	long(t)
	files := content{}
	for i := range 1010 {
		files[fmt.Sprintf("%d/%04d", i%7, i)] = fmt.Sprint(i)
	}
	b := newBackup(t, files, "max_delete: 100%")
	b.want(t, 0, "sync")
	before := b.history.commits(t)
	b.change(t, 3)
	second := func(r *http.Request) bool {
		return strings.Contains(r.URL.RawQuery, "continuation-token") || strings.Contains(r.URL.RawQuery, "start-after")
	}
	for name, rule := range map[string]*faultproxy.Rule{
		"cut in its middle": {CutAfter: 500}, "refused": {Status: 403}, "lost": {Cut: true}, "busy": {Status: 503, Body: slowDown},
	} {
		rule.Query, rule.Match, rule.Times = "list-type=2", second, -1
		b.store.Clear()
		b.store.Add(rule)
		o := b.want(t, 1, "sync")
		if r := o.Reports["sync"]; r.Objects.Deleted != 0 || rule.Hits() == 0 {
			t.Errorf("%s: got %+v after %d faults, want nothing deleted", name, r.Objects, rule.Hits())
		}
		if got := b.history.commits(t); !slices.Equal(got, before) {
			t.Fatalf("%s: got the commits %v, want %v", name, got, before)
		}
	}
	b.store.Clear()
	b.converges(t, before)
}

// TestAHostKeyThatHasChangedIsRefused over SSH.
func TestAHostKeyThatHasChangedIsRefused(t *testing.T) {
	s := servers.SSHD(t)
	h := history{s.Repository(t, "backup.git")}
	b := backupTo(t, few(), h, nil, "ssh_key: "+s.Key, "known_hosts: "+s.Stranger)
	began := time.Now()
	b.want(t, 1, "sync").says(t, "host key", s.Stranger)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %v to say so: it is final", took)
	}
	if n := len(h.commits(t)); n != 0 {
		t.Errorf("got %d commits, want none", n)
	}
}

// TestATokenThatIsReplacedInItsFileIsTaken by a run that began with another.
func TestATokenThatIsReplacedInItsFileIsTaken(t *testing.T) {
	host := servers.Git(t)
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	host.Accept("old")
	p := faultproxy.New(t, host.URL)
	b := backupTo(t, few(), history{host.Repository(t, "backup.git")}, nil)
	b.remote = p
	b.configure(t, pipelines(entry("sync", b.bucket.stage(b.bucket.store.Endpoint, "prefix: in/"), "[]",
		stage("git", `url: "`+p.URL+`/backup.git"`, "branch: main", "path: clusters", "strip: in/", "token_file: "+file))))
	p.Add(&faultproxy.Rule{Match: func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, "git-receive-pack") || receive(r) },
		Do: func() { host.Accept("new"); write("new") }})
	b.want(t, 0, "sync")
	b.same(t)
}
