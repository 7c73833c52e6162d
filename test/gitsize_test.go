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
		entry("sync", b.bucket.stage(b.bucket.store.Endpoint, "prefix: in/"), "[]", gitStage(b.history.URL, "path: clusters", "strip: in/", "max_file_size: 1GiB")),
		entry("back", gitStage(b.history.URL, "path: clusters"), "[]", stage("file", "path: ./back")),
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
