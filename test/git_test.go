package test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"sluice/test/servers"
)

// TestManifestsBecomeAHistory: a commit is exactly what has changed in the
// bucket, a run without a change reads no object and makes no commit, and the
// files come back into a bucket.
func TestManifestsBecomeAHistory(t *testing.T) {
	b := newBackup(t, manifests(t))
	b.history.edit(t, content{"README.md": "ours\n", "other/file": "stays\n"})
	o := b.want(t, 0, "sync")
	if r := o.Reports["sync"]; r.Outcome != "complete" || r.Objects.Written != 248 || b.gets() != 248 {
		t.Errorf("got %+v and %d reads, want 248 files", r, b.gets())
	}
	b.same(t)
	if subject := b.history.Git(t, "log", "-1", "--format=%s", "main"); !strings.Contains(subject, "248 added") {
		t.Errorf("got the subject %q", subject)
	}

	want := map[string]bool{}
	paths := slices.Sorted(maps.Keys(b.files))
	for i, path := range paths {
		switch { // neighbours, behind which nothing is read ahead
		case i < 100:
			b.put(t, content{path: b.files[path] + "# changed\n"})
			want["M\tclusters/"+path] = true
		case i < 110:
			b.remove(t, path)
			want["D\tclusters/"+path] = true
		case i < 120:
			b.put(t, content{path + ".new.yaml": b.files[path]})
			want["A\tclusters/"+path+".new.yaml"] = true
		case i == 120:
			b.put(t, content{path + ".renamed.yaml": b.files[path]})
			b.remove(t, path)
			want["D\tclusters/"+path], want["A\tclusters/"+path+".renamed.yaml"] = true, true
		}
	}
	b.store.Clear()
	o = b.want(t, 0, "sync")
	if r := o.Reports["sync"].Objects; r.Written != 111 || r.Deleted != 11 || b.gets() != 111 {
		t.Errorf("got %+v and %d reads, want 111 written and 11 deleted", r, b.gets())
	}
	b.same(t)
	for line := range strings.Lines(b.history.Git(t, "diff", "--name-status", "--no-renames", "main^", "main") + "\n") {
		if line = strings.TrimSpace(line); !want[line] {
			t.Errorf("the commit has %q", line)
		}
		delete(want, line)
	}
	if len(want) > 0 {
		t.Errorf("the commit lacks %v", want)
	}
	if files := b.history.at(t, "main"); files["README.md"] != "ours\n" || files["other/file"] != "stays\n" {
		t.Error("files of others are not as they were")
	}

	b.store.Clear()
	b.remote.Clear()
	o = b.want(t, 0, "sync")
	if r := o.Reports["sync"].Objects; b.gets() != 0 || b.pushes() != 0 || r.Written != 0 {
		t.Errorf("without a change: got %d reads and %d pushes, %+v", b.gets(), b.pushes(), r)
	}
	if n := len(b.history.commits(t)); n != 3 {
		t.Errorf("got %d commits, want 3", n)
	}
	restored(t, b)
}

// restored brings the files back into an empty bucket.
func restored(t *testing.T, b *backup) {
	t.Helper()
	to := newBucket(t)
	j := newJob(t, pipelines(entry("restore", gitStage(b.history.URL, "path: clusters"), "[]", to.stage(to.store.Endpoint, `key: "{key}"`))))
	j.want(t, 0, "restore")
	equal(t, "bucket", to.objects(t, ""), b.files)
}

// TestEditsFlowBack takes what changes in Git to a bucket: changed, added and
// deleted files.
func TestEditsFlowBack(t *testing.T) {
	b := newBackup(t, manifests(t))
	b.want(t, 0, "sync")
	to := newBucket(t)
	j := newJob(t, pipelines(entry("back", gitStage(b.history.URL, "path: clusters"), "[]", to.stage(to.store.Endpoint, `key: "{key}"`), "mode: new")))
	j.want(t, 0, "back")
	equal(t, "bucket", to.objects(t, ""), b.files)
	paths := slices.Sorted(maps.Keys(b.files))
	b.history.edit(t, content{"clusters/" + paths[0]: "changed: by hand\n", "clusters/" + paths[1]: "", "clusters/zz/added.yaml": "a: 1\n", "elsewhere": "x\n"})
	want := maps.Clone(b.files)
	want[paths[0]], want["zz/added.yaml"] = "changed: by hand\n", "a: 1\n"
	delete(want, paths[1])
	o := j.want(t, 0, "back")
	equal(t, "bucket", to.objects(t, ""), want)
	if r := o.Reports["back"].Objects; r.Read > 3 || r.Deleted != 1 {
		t.Errorf("got %+v, want two objects read and one deleted", r)
	}
	o = j.want(t, 0, "back")
	if r := o.Reports["back"].Objects; r.Read != 0 || r.Written != 0 || r.Deleted != 0 {
		t.Errorf("without a change: got %+v", r)
	}
}

// TestEachWayToARepositoryWorks over SSH, on the disk, and in a repository that
// names objects by SHA-256.
func TestEachWayToARepositoryWorks(t *testing.T) {
	for name, way := range map[string]func(t *testing.T) (history, []string){
		"ssh": func(t *testing.T) (history, []string) {
			s := servers.SSHD(t)
			return history{s.Repository(t, "backup.git")}, []string{"ssh_key: " + s.Key, "known_hosts: " + s.KnownHosts}
		},
		"path": func(t *testing.T) (history, []string) {
			r, err := servers.NewRepository(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			return history{r}, nil
		},
		"sha256": func(t *testing.T) (history, []string) {
			return history{servers.Git(t).Repository(t, "b.git", "--object-format=sha256")}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, options := way(t)
			b := backupTo(t, content{"a/one.yaml": "1\n", "a/two.yaml": "2\n", "b/three.yaml": "3\n", "b/four.yaml": "4\n", "b/five.yaml": "5\n"}, h, nil, options...)
			b.want(t, 0, "sync")
			b.same(t)
			b.put(t, content{"a/one.yaml": "1.1\n"})
			b.remove(t, "b/three.yaml")
			b.want(t, 0, "sync")
			b.same(t)
			b.want(t, 0, "sync")
			if n := len(h.commits(t)); n != 2 {
				t.Errorf("got %d commits, want 2", n)
			}
			to := t.TempDir()
			j := newJob(t, pipelines(entry("restore", gitStage(h.URL, append([]string{"path: clusters"}, options...)...), "[]", stage("file", "path: "+to))))
			j.want(t, 0, "restore")
			e := &example{job: &job{dir: to}}
			equal(t, "directory", e.files(t, "."), b.files)
		})
	}
}

// TestSixWritersOfOneBranchAllLand: each has a directory of its own.
func TestSixWritersOfOneBranchAllLand(t *testing.T) {
	host := servers.Git(t)
	h := history{host.Repository(t, "shared.git")}
	h.edit(t, content{"README.md": "ours\n"})
	const rounds = 3
	var all []*backup
	for i := range 6 {
		files := content{}
		for k := range 20 {
			files[fmt.Sprintf("ns-%d/%02d.yaml", k%4, k)] = manifest(fmt.Sprint(i, k), k)
		}
		all = append(all, backupTo(t, files, h, nil, fmt.Sprintf("path: clusters/%d", i), "retry: 2m"))
	}
	for round := range rounds {
		var running []*process
		for _, b := range all {
			if round > 0 {
				b.change(t, 5)
			}
			running = append(running, b.start(t, "run", "sync"))
		}
		for i, p := range running {
			if o := p.wait(t); o.Status != 0 {
				t.Errorf("writer %d: exit status %d\n%s", i, o.Status, o.Stderr)
			}
		}
	}
	files := h.at(t, "main")
	for i, b := range all {
		equal(t, fmt.Sprint("directory ", i), files.below(fmt.Sprintf("clusters/%d/", i)), b.files)
	}
	h.sound(t)
	commits := h.commits(t)
	if want := 1 + rounds*len(all); len(commits) != want || files["README.md"] != "ours\n" {
		t.Errorf("got %d commits, want %d", len(commits), want)
	}
	for _, c := range commits[1:] {
		of := map[string]bool{}
		for path := range strings.Lines(h.Git(t, "diff", "--name-only", c+"^", c) + "\n") {
			of[strings.Join(strings.Split(path, "/")[:2], "/")] = true
		}
		if len(of) != 1 {
			t.Errorf("commit %s changes %v, want one directory", c, slices.Collect(maps.Keys(of)))
		}
	}
}

// TestTwoWritersOfOneDirectoryNeverMix: each commit is what one of the buckets
// had, as a whole, and the last one is, too.
func TestTwoWritersOfOneDirectoryNeverMix(t *testing.T) {
	h := history{servers.Git(t).Repository(t, "shared.git")}
	had := map[string]bool{} // trees that a bucket has had
	var all []*backup
	for i := range 2 {
		files := content{"both.yaml": "both: 1\n"}
		for k := range 30 {
			files[fmt.Sprintf("ns-%d/%02d.yaml", k%4, k)] = manifest(fmt.Sprint(i, k), k)
		}
		all = append(all, backupTo(t, files, h, nil, "max_delete: 100%", "retry: 2m"))
	}
	for range 4 {
		var running []*process
		for _, b := range all {
			had[fmt.Sprint(b.files)] = true
			running = append(running, b.start(t, "run", "sync"))
		}
		for i, p := range running {
			if o := p.wait(t); o.Status != 0 {
				t.Fatalf("writer %d: exit status %d\n%s", i, o.Status, o.Stderr)
			}
		}
		for _, c := range h.commits(t) {
			if !had[fmt.Sprint(h.at(t, c).below("clusters/"))] {
				t.Fatalf("commit %s is what no bucket had:\n%s", c, h.Git(t, "log", "-3", "--stat", c))
			}
		}
		for _, b := range all {
			b.change(t, 3)
		}
	}
	h.sound(t)
	for _, b := range all { // one after the other, it is what the bucket has
		b.want(t, 0, "sync")
		equal(t, "main", h.at(t, "main").below("clusters/"), b.files)
	}
}
