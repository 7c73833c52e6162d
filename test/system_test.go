package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/test/servers"
)

// letter is a line of a dead-letter file.
type letter struct {
	Pipeline, Stage, Type, Reason string
	Status                        int
	Record                        string
}

// letters reads the dead letters of a pipeline.
func (j *job) letters(t *testing.T, pipeline string) (all []letter) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(j.dir, "dead", pipeline, "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			var l letter
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			all = append(all, l)
		}
	}
	return all
}

// tiny mounts a file system of a few hundred KiB at dir.
func tiny(t *testing.T, dir, size string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
}

func TestADiskThatIsFullIsReportedAndRepaired(t *testing.T) {
	long(t)
	for name, full := range map[string]string{"state": "state", "file sink": "out"} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, pipelines(entry("p", stage("generate", "records: 20000", "bytes: 400"), "[]",
				stage("file", "path: ./out", `key: "{lane}-{sequence}"`, "roll: {bytes: 1KiB}"), "lanes: 2")))
			dir := filepath.Join(j.dir, full)
			tiny(t, dir, map[string]string{"state": "16k", "out": "2m"}[full])
			o := j.want(t, 1, "p")
			o.says(t, "no space left on device")
			if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
				t.Fatal(err)
			}
			j.want(t, 0, "p")
			n := 0
			files, err := filepath.Glob(filepath.Join(j.dir, "out", "*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				n += strings.Count(string(b), "\n")
			}
			if n != 20000 {
				t.Errorf("%d records in %d files, want 20000", n, len(files))
			}
		})
	}
}

// TestAServerThatRestartsLosesNothing restarts an OpenSearch of its own while
// it is loaded: bulks are tried again until it is back.
func TestAServerThatRestartsLosesNothing(t *testing.T) {
	long(t)
	c, b := openSearch(t), newBucket(t)
	from := unique(t)
	c.index(t, from, 2, "")
	c.put(t, from, generated(40000, 700))
	ctx, cancel := within(3 * time.Minute)
	defer cancel()
	own, err := servers.StartOpenSearch(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(own.Kill)
	target := cluster{own.URL}
	target.call(t, "PUT", "/restarted", `{"settings":{"number_of_replicas":0},"mappings":{"dynamic":false}}`)
	slow := slowly(t, own.URL, 60*time.Millisecond)
	j := newJob(t, pipelines(
		dump("dump", searchStage(c.url, from), b.stage(b.store.Endpoint, "key: "+rolled)),
		load("load", b.stage(b.store.Endpoint), stage("opensearch", `url: "`+slow.URL+`"`, "index: restarted", "bulk: 300KiB", "retry: 3m")),
	))
	j.want(t, 0, "dump")
	p := j.start(t, "run", "load")
	time.Sleep(1500 * time.Millisecond)
	own.Kill()
	if err := own.Start(ctx); err != nil {
		t.Fatal(err)
	}
	o := p.wait(t)
	if o.Status != 0 || len(o.Reports["load"].Retries) == 0 {
		t.Fatalf("exit status %d, %+v\n%s", o.Status, o.Reports, o.Stderr)
	}
	same(t, "index", target.documents(t, "restarted"), c.documents(t, from))
}
