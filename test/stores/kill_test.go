package stores_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/crash"
	"sluice/internal/objects/objectstest"
	"sluice/test/faultproxy"
)

// job is a directory in which the program runs.
type job struct{ dir string }

// newJob makes a configuration with two pipelines whose objects have several
// parts: one rolls records, one copies the objects below in/, on the server where
// endpoint is that of the store. Both write below a prefix of the bucket, seen
// at endpoint.
func newJob(t *testing.T, b *objectstest.Bucket, endpoint, prefix, roll string) job {
	t.Helper()
	j := job{t.TempDir()}
	store := func(endpoint string) string {
		return fmt.Sprintf("bucket: %s, endpoint: %q, region: %s, access_key: %s, secret_key: %s, retry: 20s",
			b.Name, endpoint, b.Store.Region, b.Store.AccessKey, b.Store.SecretKey)
	}
	config := fmt.Sprintf(`state: ./state
pipelines:
  roll:
    source: {generate: {records: 50000, bytes: 700}}
    sink: {s3: {%s, key: "%sroll/{lane}-{sequence:4}.ndjson", roll: {%s}, part: 5MiB}}
    lanes: 2
  copy:
    source: {s3: {%s, prefix: in/}}
    sink: {s3: {%s, key: "%scopy/{key}", part: 5MiB}}
    lanes: 2
`, store(endpoint), prefix, roll, store(b.Store.Endpoint), store(endpoint), prefix)
	if err := os.WriteFile(filepath.Join(j.dir, "sluice.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return j
}

// fill makes the objects that are copied.
func fill(b *objectstest.Bucket) {
	for i, n := range []int{100, 2*part + 1, part, 3*part - 1, 0, part + 10} {
		b.Put(fmt.Sprintf("in/%d", i), random(byte(i), n))
	}
}

// start starts a pipeline, which crashes at a point; "" is none.
func (j job) start(t *testing.T, pipeline, at string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "run", pipeline)
	cmd.Dir, cmd.Stderr = j.dir, &out
	cmd.Env = append(os.Environ(), "SLUICE_CRASH="+at)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &out
}

// run runs a pipeline and says whether it was killed. Any other failure is one
// of the test.
func (j job) run(t *testing.T, pipeline, at string) (killed bool) {
	t.Helper()
	cmd, out := j.start(t, pipeline, at)
	err := cmd.Wait()
	if dead(cmd) {
		return true
	}
	if err != nil {
		t.Fatalf("%s, crash at %q: %v\n%s", pipeline, at, err, out)
	}
	return false
}

func dead(cmd *exec.Cmd) bool {
	s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && s.Signaled() && s.Signal() == syscall.SIGKILL
}

// below gives the objects below a prefix, without it, and removes them.
func below(b *objectstest.Bucket, prefix string) map[string]string {
	all := map[string]string{}
	for _, key := range b.Keys() {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			all[rest] = string(b.Get(key))
			b.Delete(key)
		}
	}
	return all
}

// joined is the bytes of objects in the order of their keys.
func joined(objects map[string]string) string {
	var all strings.Builder
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		all.WriteString(objects[key])
	}
	return all.String()
}

// calm is what both pipelines make when nothing disturbs them.
func calm(t *testing.T, b *objectstest.Bucket) map[string]string {
	t.Helper()
	j := newJob(t, b, b.Store.Endpoint, "calm/", "bytes: 12MiB")
	for _, p := range []string{"roll", "copy"} {
		if j.run(t, p, "") {
			t.Fatal("it was killed")
		}
	}
	objects := below(b, "calm/")
	if len(objects) < 8 {
		t.Fatalf("got objects %q, want more", slices.Sorted(maps.Keys(objects)))
	}
	return objects
}

// elsewhere is crash points that these pipelines do not come to.
var elsewhere = slices.Concat([]string{crash.AfterContext, crash.AfterRename, crash.AfterBulkReply, crash.AfterDeadLetter}, crash.Around, crash.Git)

func TestACrashAtEveryPointOfAnUploadChangesNothing(t *testing.T) {
	long(t)
	b := objectstest.New(t)
	fill(b)
	want, kills := calm(t, b), 0
	for _, point := range crash.Points {
		if slices.Contains(elsewhere, point) {
			continue
		}
		roll := "bytes: 12MiB"
		if point == crash.AfterCut {
			roll = "bytes: 1GiB, every: 10ms"
		}
		for n := range 3 {
			at := fmt.Sprintf("%s:%d", point, n+1)
			j, killed := newJob(t, b, b.Store.Endpoint, "wild/", roll), false
			for _, p := range []string{"roll", "copy"} {
				if j.run(t, p, at) {
					killed = true
					kills++
					j.run(t, p, "")
				}
			}
			if !killed && n == 0 {
				t.Errorf("%s is not reached", at)
			}
			got := below(b, "wild/")
			if point != crash.AfterCut && !maps.Equal(got, want) {
				t.Errorf("%s: got objects %q, or their bytes differ, want %q", at, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
			if joined(got) != joined(want) {
				t.Errorf("%s: what the objects hold differs", at)
			}
			if left := b.Uploads(); len(left) > 0 {
				t.Errorf("%s: got uploads %q, want none", at, left)
				b.AbortUploads()
			}
		}
	}
	t.Logf("%d kills", kills)
}

// TestWhatADeadRunUploadedIsGone kills the program as soon as the store has
// uploads, and at random.
func TestWhatADeadRunUploadedIsGone(t *testing.T) {
	long(t)
	b := objectstest.New(t)
	fill(b)
	want := calm(t, b)
	slow := faultproxy.New(t, b.Store.Endpoint)
	slow.Add(&faultproxy.Rule{Method: "PUT", Times: -1, Delay: 200 * time.Millisecond})
	j, orphans := newJob(t, b, slow.URL, "wild/", "bytes: 12MiB"), 0
	for _, p := range []string{"roll", "copy"} {
		for range 4 {
			cmd, out := j.start(t, p, "")
			for deadline := time.Now().Add(5 * time.Second); len(b.Uploads()) == 0 && time.Now().Before(deadline); {
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
			cmd.Process.Kill()
			cmd.Wait()
			if !dead(cmd) {
				t.Fatalf("%s ended before it was killed\n%s", p, out)
			}
			orphans += len(b.Uploads())
		}
		if j.run(t, p, "") {
			t.Fatal("it was killed")
		}
	}
	if orphans == 0 {
		t.Fatal("no kill left an upload")
	}
	if got := below(b, "wild/"); !maps.Equal(got, want) {
		t.Errorf("got objects %q, or their bytes differ, want %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	left := b.Uploads()
	t.Logf("8 kills left %d uploads behind, and %d in the end", orphans, len(left))
	if len(left) > 0 {
		t.Errorf("got uploads %q, want none", left)
	}
}

// long skips a test that `make test-stores` runs and `make test` does not.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("SLUICE_TEST_FAULTS") == "" {
		t.Skip("it takes long: make test-stores runs it")
	}
}
