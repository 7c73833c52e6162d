package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAJobWithoutADiskRemembersInTheRepository: its next run reads no object
// that it has read, and forgets none that is gone.
func TestAJobWithoutADiskRemembersInTheRepository(t *testing.T) {
	b := newBackup(t, few(), "remember: repository")
	forget := func() {
		if err := os.RemoveAll(filepath.Join(b.dir, "state")); err != nil {
			t.Fatal(err)
		}
		b.store.Clear()
	}
	b.want(t, 0, "sync")
	b.same(t)
	forget()
	b.want(t, 0, "sync")
	if n := len(b.history.commits(t)); n != 1 || b.gets() != 0 {
		t.Errorf("without a change: got %d commits and %d reads, want 1 and 0", n, b.gets())
	}
	forget()
	b.change(t, 3)
	b.want(t, 0, "sync")
	if n := len(b.history.commits(t)); n != 2 || b.gets() != 4 {
		t.Errorf("got %d commits and %d reads, want 2 and 4", n, b.gets())
	}
	b.same(t)
}

// TestAStateThatIsLostCostsReadsAndNoCommit: the tree is the truth.
func TestAStateThatIsLostCostsReadsAndNoCommit(t *testing.T) {
	b := newBackup(t, few())
	b.want(t, 0, "sync")
	if err := os.RemoveAll(filepath.Join(b.dir, "state")); err != nil {
		t.Fatal(err)
	}
	b.want(t, 0, "sync")
	b.same(t)
	if n := len(b.history.commits(t)); n != 1 {
		t.Errorf("got %d commits, want 1", n)
	}
}

// TestABranchThatIsTurnedBackIsMadeRight: what somebody changed, removed or
// forced into the directory of the pipeline goes with the next run.
func TestABranchThatIsTurnedBackIsMadeRight(t *testing.T) {
	b := newBackup(t, few())
	b.want(t, 0, "sync")
	first := b.history.commits(t)[0]
	b.change(t, 4)
	b.want(t, 0, "sync")
	b.history.Git(t, "update-ref", "refs/heads/main", first)
	b.want(t, 0, "sync")
	b.same(t)
	b.history.edit(t, content{"clusters/a/large.txt": "vandalised\n", "clusters/stranger.yaml": "x\n"})
	b.want(t, 0, "sync")
	b.same(t)
	b.history.Git(t, "update-ref", "-d", "refs/heads/main")
	b.want(t, 0, "sync")
	b.same(t)
}

// TestEachGroupGetsItsCommit in one push.
func TestEachGroupGetsItsCommit(t *testing.T) {
	b := newBackup(t, content{"one/a/x.yaml": "1\n", "one/b/x.yaml": "1\n", "two/a/x.yaml": "1\n", "two/a/y.yaml": "1\n", "three/x.yaml": "1\n", "three/y.yaml": "1\n"},
		"group: 1", `message: "{group}: {added} {changed} {deleted}"`)
	b.want(t, 0, "sync")
	b.put(t, content{"one/a/x.yaml": "2\n", "one/c.yaml": "new\n", "two/a/x.yaml": "2\n"})
	b.remove(t, "two/a/y.yaml")
	b.remote.Clear()
	b.want(t, 0, "sync")
	b.same(t)
	got := strings.Fields(strings.ReplaceAll(b.history.Git(t, "log", "--reverse", "--format=%s", "main"), " ", "_"))
	want := "one:_2_0_0 three:_2_0_0 two:_2_0_0 one:_1_1_0 two:_0_1_1"
	if strings.Join(got, " ") != want || b.pushes() != 1 {
		t.Errorf("got %q in %d pushes, want %q", got, b.pushes(), want)
	}
}

// TestWhatTheClusterWritesMakesNoCommit: only what people change does.
func TestWhatTheClusterWritesMakesNoCommit(t *testing.T) {
	b := newBackup(t, content{})
	text, err := os.ReadFile(filepath.Join(b.dir, "sluice.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	b.configure(t, strings.Replace(string(text), "transforms: []", "transforms: [{manifest: {}}]", 1))
	live := func(replicas, version, ready string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web # ours\n  resourceVersion: \"" + version + "\"\n  managedFields:\n  - manager: kubectl\n    time: \"" + version +
			"\"\nspec:\n  replicas: " + replicas + "\nstatus:\n  readyReplicas: " + ready + "\n"
	}
	b.put(t, content{"web.yaml": live("1", "17", "0")})
	b.want(t, 0, "sync")
	want := "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web # ours\nspec:\n  replicas: 1\n"
	equal(t, "main", b.history.at(t, "main"), content{"clusters/web.yaml": want})
	b.put(t, content{"web.yaml": live("1", "18", "1")})
	b.want(t, 0, "sync")
	if n := len(b.history.commits(t)); n != 1 {
		t.Errorf("got %d commits, want 1: only the cluster changed it", n)
	}
	b.put(t, content{"web.yaml": live("2", "19", "1")})
	b.want(t, 0, "sync")
	equal(t, "main", b.history.at(t, "main"), content{"clusters/web.yaml": strings.Replace(want, "replicas: 1", "replicas: 2", 1)})
}

// TestAGitThatIsOldOrMissingIsNamed, with the version that is wanted.
func TestAGitThatIsOldOrMissingIsNamed(t *testing.T) {
	b := newBackup(t, content{"a.yaml": "1\n"})
	bin := t.TempDir()
	b.env = []string{"PATH=" + bin}
	b.want(t, 1, "sync").says(t, "git", "2.36")
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte("#!/bin/sh\necho git version 2.30.2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.want(t, 1, "sync").says(t, "git 2.30", "2.36")
	if n := len(b.history.commits(t)); n != 0 {
		t.Errorf("got %d commits, want none", n)
	}
}

// TestTheConfigurationOfAUserDoesNotCount: neither what git is told by files
// nor what it is told by the environment.
func TestTheConfigurationOfAUserDoesNotCount(t *testing.T) {
	b := newBackup(t, few())
	home := t.TempDir()
	evil := filepath.Join(home, "evil")
	text := "[core]\n\thooksPath = " + home + "\n\tsshCommand = touch " + evil + "\n[url \"http://127.0.0.1:1/\"]\n\tinsteadOf = http://\n" +
		"[commit]\n\tgpgSign = true\n[push]\n\tgpgSign = true\n[user]\n\tname = evil\n[http]\n\tproxy = http://127.0.0.1:1\n"
	for name, text := range map[string]string{".gitconfig": text, "pre-push": "#!/bin/sh\ntouch " + evil + "\nexit 1\n"} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.env = []string{"HOME=" + home, "XDG_CONFIG_HOME=" + home, "GIT_CONFIG_GLOBAL=" + filepath.Join(home, ".gitconfig"), "GIT_DIR=/nonexistent", "GIT_INDEX_FILE=/nonexistent",
		"GIT_CONFIG_PARAMETERS='commit.gpgsign=true'", "GIT_AUTHOR_NAME=evil", "GIT_SSH_COMMAND=touch " + evil, "GIT_ASKPASS=" + filepath.Join(home, "pre-push"), "GIT_OBJECT_DIRECTORY=/nonexistent"}
	b.want(t, 0, "sync")
	b.same(t)
	if _, err := os.Stat(evil); err == nil {
		t.Error("a program of the user's configuration was run")
	}
	if author := b.history.Git(t, "log", "-1", "--format=%an %cn", "main"); strings.Contains(author, "evil") {
		t.Errorf("got the author %q", author)
	}
}
