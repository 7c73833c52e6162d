package test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/test/processes"
)

// peak runs a pipeline, and returns the peak of the memory of all its processes.
func (j *job) peak(t *testing.T, pipeline string) int64 {
	t.Helper()
	p := j.start(t, "run", pipeline)
	peak := make(chan int64, 1)
	go func() { peak <- processes.Peak(p.cmd.Process.Pid) }()
	if o := p.wait(t); o.Status != 0 {
		t.Fatalf("%s: exit status %d\n%s", pipeline, o.Status, o.Stderr)
	}
	return <-peak
}

// TestALargeObjectNeedsLittleMemory both ways: that of all processes grows by
// less than 100 MB.
func TestALargeObjectNeedsLittleMemory(t *testing.T) {
	long(t)
	const size = 400 << 20
	b := newBackup(t, few(), "max_file_size: 1GiB")
	b.remote.Stop() // it would hold what is pushed
	b.configure(t, pipelines(
		entry("sync", b.bucket.stage(b.bucket.store.Endpoint, "prefix: in/"), "[]", gitStage(b.history.URL, "path: clusters", "strip: in/", "max_file_size: 1GiB", "retry: 2m")),
		entry("back", gitStage(b.history.URL, "path: clusters", "retry: 2m"), "[]", stage("file", "path: ./back")),
	))
	before := map[string]int64{"sync": b.peak(t, "sync"), "back": b.peak(t, "back")}
	large := noise(16 << 20)
	b.bucket.put(t, "in/large", []byte(strings.Repeat(large, size/len(large))))
	want := sha256.New()
	for range size / len(large) {
		io.WriteString(want, large)
	}
	for _, pipeline := range []string{"sync", "back"} {
		after := b.peak(t, pipeline)
		t.Logf("%s: %.1f MB for small files, %.1f MB with an object of %.0f MB", pipeline, float64(before[pipeline])/1e6, float64(after)/1e6, float64(size)/1e6)
		if after > before[pipeline]+100e6 {
			t.Errorf("%s: peak %.1f MB, %.1f MB without the large object", pipeline, float64(after)/1e6, float64(before[pipeline])/1e6)
		}
	}
	for place, cmd := range map[string]*exec.Cmd{
		"repository": exec.Command("git", "-C", b.history.Dir, "cat-file", "blob", "main:clusters/large"),
		"directory":  exec.Command("cat", filepath.Join(b.dir, "back", "large")),
	} {
		got := sha256.New()
		cmd.Stdout = got
		if err := cmd.Run(); err != nil || fmt.Sprintf("%x", got.Sum(nil)) != fmt.Sprintf("%x", want.Sum(nil)) {
			t.Errorf("%s: got other bytes, %v", place, err)
		}
	}
}

// TestLargeFilesBecomeWhatIsConfigured: others arrive, unless the pass fails, and
// what was at the path of a large one stays or gives way to a text.
func TestLargeFilesBecomeWhatIsConfigured(t *testing.T) {
	for name, c := range map[string]struct {
		options, more string
		status        int
		says          string
		commits       int
		file          string // at the path of the large one; "": as it was
	}{
		"fail":        {"large_files: fail", "on_error: stop", 1, "in/large: it is larger than max_file_size: 20KiB", 1, ""},
		"dead letter": {"large_files: fail", "on_error: dead_letter\n    dead_letters: {file: {path: ./dead}}", 3, "", 2, ""},
		"skip":        {"large_files: skip", "on_error: stop", 0, "larger than max_file_size were left out", 2, ""},
		"pointer":     {"large_files: pointer", "on_error: stop", 0, "texts that stand for them", 2, "size: 40960\n"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackup(t, content{"large": "small\n", "a.yaml": "1\n", "b.yaml": "1\n"})
			b.configure(t, pipelines(entry("sync", b.bucket.stage(b.store.URL, "prefix: in/"), "[]",
				gitStage(b.remote.URL+"/backup.git", "path: clusters", "strip: in/", "max_file_size: 20KiB", c.options), c.more)))
			b.want(t, 0, "sync")
			b.same(t)
			b.put(t, content{"large": noise(40 << 10), "a.yaml": "2\n"})
			o := b.want(t, c.status, "sync")
			o.says(t, c.says)
			if c.status == 0 {
				o.says(t, "last=in/large", "count=1")
			}
			if n := len(b.letters(t, "sync")); (n == 1) != (c.status == 3) {
				t.Errorf("got %d dead letters", n)
			}
			got := b.history.at(t, "main").below("clusters/")
			want := content{"large": "small\n", "a.yaml": "2\n", "b.yaml": "1\n"}
			if c.commits == 1 {
				want["a.yaml"] = "1\n"
			}
			if c.file != "" {
				if !strings.Contains(got["large"], c.file) || len(got["large"]) > 300 {
					t.Errorf("got %.400q, want %q in it", got["large"], c.file)
				}
				want["large"] = got["large"]
			}
			equal(t, "main", got, want)
			b.want(t, c.status, "sync")
			if n := len(b.history.commits(t)); n != c.commits {
				t.Errorf("got %d commits, want %d", n, c.commits)
			}
			b.history.sound(t)
		})
	}
}
