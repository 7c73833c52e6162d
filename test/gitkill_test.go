package test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/crash"
	"sluice/test/faultproxy"
	"sluice/test/processes"
)

// converges fails unless main is what it was, before commits, or one commit more
// that is all of the change; and unless the next run makes it so, once.
func (b *backup) converges(t *testing.T, before []string) {
	t.Helper()
	after := b.history.commits(t)
	if len(after) > len(before)+1 || !slices.Equal(after[:len(before)], before) {
		t.Fatalf("got the commits %v behind %v", after, before)
	}
	if len(after) > len(before) {
		equal(t, "main of the run that was killed", b.history.at(t, "main").below("clusters/"), b.files)
	}
	b.want(t, 0, "sync")
	b.same(t)
	if n := len(b.history.commits(t)); n != len(before)+1 {
		t.Fatalf("got %d commits, want one more than %d", n, len(before))
	}
	b.store.Clear()
	b.want(t, 0, "sync")
	if n := len(b.history.commits(t)); n != len(before)+1 || b.gets() != 0 {
		t.Fatalf("without a change: got %d commits, want %d, and %d reads", n, len(before)+1, b.gets())
	}
	if left := b.scratch(t); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

// scratch lists repositories that a run has left behind.
func (b *backup) scratch(t *testing.T) (left []string) {
	t.Helper()
	e := &example{job: b.job}
	for path := range e.files(t, ".") {
		if strings.Contains(path, "/objects/") || strings.HasSuffix(path, "/HEAD") || strings.HasSuffix(path, ".pack") {
			left = append(left, path)
		}
	}
	return left
}

// TestAKillAtEachPointMakesOneCommit at each point that a sync comes to.
func TestAKillAtEachPointMakesOneCommit(t *testing.T) {
	long(t)
	for _, remember := range []string{"state", "repository"} {
		b := newBackup(t, manifests(t), "remember: "+remember)
		b.want(t, 0, "sync")
		for _, point := range append(slices.Clone(crash.Git), crash.BeforeSave, crash.InSave, crash.AfterSave) {
			for hit := 1; hit <= 2; hit++ {
				t.Run(fmt.Sprintf("%s/%s:%d", remember, point, hit), func(t *testing.T) {
					b.change(t, 10)
					before := b.history.commits(t)
					b.env = []string{fmt.Sprintf("SLUICE_CRASH=%s:%d", point, hit)}
					o := b.run(t, "sync")
					b.env = nil
					if o.Status >= 0 && hit == 1 {
						t.Errorf("%s was not reached: exit status %d\n%s", point, o.Status, o.Stderr)
					}
					b.converges(t, before)
				})
			}
		}
	}
}

// TestTwentyKillsMakeOneCommitEach kills at random, while every request takes a
// while: what is on the branch is a whole.
func TestTwentyKillsMakeOneCommitEach(t *testing.T) {
	long(t)
	b := newBackup(t, manifests(t))
	b.want(t, 0, "sync")
	for n := range 20 {
		b.change(t, 40)
		before := b.history.commits(t)
		b.store.Add(&faultproxy.Rule{Times: -1, Delay: 20 * time.Millisecond})
		b.remote.Add(&faultproxy.Rule{Times: -1, Delay: 150 * time.Millisecond})
		p := b.start(t, "run", "sync")
		time.Sleep(time.Duration(100+90*n) * time.Millisecond)
		p.cmd.Process.Kill()
		p.wait(t)
		b.store.Clear()
		b.remote.Clear()
		b.converges(t, before)
	}
}

// TestGitDoesNotOutliveTheProgram: no commit appears behind the back of the next
// run.
func TestGitDoesNotOutliveTheProgram(t *testing.T) {
	b := newBackup(t, manifests(t))
	reached, goOn := make(chan bool), make(chan bool)
	b.remote.Add(&faultproxy.Rule{Method: "POST", Path: "git-receive-pack", Do: func() { reached <- true; <-goOn }})
	p := b.start(t, "run", "sync")
	<-reached
	family := processes.Family(p.cmd.Process.Pid)
	if len(family) < 2 {
		t.Errorf("got %v while it pushes, want git among them", family)
	}
	p.cmd.Process.Kill()
	p.wait(t)
	for _, child := range family[1:] {
		for begin := time.Now(); processes.Family(child.ID) != nil; time.Sleep(10 * time.Millisecond) {
			if time.Since(begin) > 5*time.Second {
				t.Fatalf("%v is alive", child)
			}
		}
	}
	close(goOn)
	b.converges(t, nil)
}

// TestAStopEndsASync with SIGTERM, and the next run goes on.
func TestAStopEndsASync(t *testing.T) {
	b := newBackup(t, manifests(t))
	b.store.Add(&faultproxy.Rule{Times: -1, Delay: 50 * time.Millisecond})
	b.stopped(t, "sync", 700*time.Millisecond)
	if n := len(b.history.commits(t)); n != 0 {
		t.Errorf("got %d commits of a run that was stopped, want none", n)
	}
	b.store.Clear()
	b.converges(t, nil)
}

// TestAFollowerOfABranchSurvivesKills takes each change of a branch to a bucket,
// whatever is killed.
func TestAFollowerOfABranchSurvivesKills(t *testing.T) {
	long(t)
	b := newBackup(t, manifests(t))
	b.want(t, 0, "sync")
	to := newBucket(t)
	slow := faultproxy.New(t, to.store.Endpoint)
	j := newJob(t, pipelines(entry("back", gitStage(b.history.URL, "path: clusters"), "[]", to.stage(slow.URL, `key: "{key}"`), "mode: new")))
	for n := range 8 {
		slow.Add(&faultproxy.Rule{Times: -1, Delay: 30 * time.Millisecond})
		p := j.start(t, "run", "back")
		time.Sleep(time.Duration(200+150*n) * time.Millisecond)
		p.cmd.Process.Kill()
		p.wait(t)
		slow.Clear()
		if n%2 == 0 { // the branch moves on before the pass does
			b.change(t, 20)
			b.want(t, 0, "sync")
		}
		want := maps.Clone(b.files)
		j.want(t, 0, "back")
		j.want(t, 0, "back") // an interrupted pass ends at its own commit
		equal(t, "bucket", to.objects(t, ""), want)
	}
}
