package s3_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice/internal/crash"
	"sluice/internal/kind"
	"sluice/internal/objects/objectstest"
	"sluice/internal/state"
	"sluice/pipeline"
	"sluice/test/faultproxy"
	"sluice/test/servers"
)

// childBucket is set in a process that is to be killed.
const childBucket = "SLUICE_S3_TEST_BUCKET"

func TestMain(m *testing.M) {
	if name := os.Getenv(childBucket); name != "" {
		os.Exit(child(name, os.Getenv("SLUICE_S3_TEST_STATE")))
	}
	goleak.VerifyTestMain(m)
}

// work is items that become an object of two parts and a small one.
func work() (src items) {
	for i, n := range []int{5<<20 - 10, 30, 10, 20} {
		src = append(src, item(fmt.Sprint(i), random(byte(i), n)))
	}
	return src
}

// into is a sink for that work.
func into(b *objectstest.Bucket, endpoint string) *pipeline.Pipeline {
	c := options(b, endpoint, "{lane}-{sequence}")
	c.Roll.Bytes = 5 << 20
	if endpoint != "" {
		c.Retry = 0
	}
	sink, err := c.Build(kind.Env{})
	if err != nil {
		panic(err)
	}
	return &pipeline.Pipeline{Name: "mine", Source: work(), Sink: sink, Lanes: 1}
}

// child does the work in a process of its own.
func child(bucket, dir string) int {
	store, err := state.Open(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer store.Close()
	at, err := servers.StoreAt(os.Getenv("SLUICE_TEST_S3"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	p := into(&objectstest.Bucket{Name: bucket, Store: at}, "")
	p.Store = store
	if res, err := p.Run(context.Background()); err != nil || !res.Complete {
		fmt.Fprintln(os.Stderr, res, err)
		return 1
	}
	return 0
}

// spawn runs the child and says whether it was killed.
func spawn(t *testing.T, bucket, dir, at string) (killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childBucket+"="+bucket, "SLUICE_S3_TEST_STATE="+dir, "SLUICE_CRASH="+at)
	out, err := cmd.CombinedOutput()
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		t.Fatalf("at %s: %v\n%s", at, err, out)
	}
	return false
}

// want is what the work makes.
func want(t *testing.T) map[string]string {
	t.Helper()
	src, content := work(), map[string]string{}
	for i, key := range []string{"lane-0", "lane-0", "lane-1", "lane-1"} {
		body, err := src[i].Body.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		content[key] += string(b)
	}
	return content
}

func TestAKillAtACrashPointLeavesTheSameObjectsAndNoUploads(t *testing.T) {
	want := want(t)
	for _, point := range []string{crash.AfterLastPart, crash.AfterComplete} {
		for n := 1; ; n++ {
			b, dir := objectstest.New(t), filepath.Join(t.TempDir(), "state")
			killed := spawn(t, b.Name, dir, fmt.Sprintf("%s:%d", point, n))
			if !killed && n < 3 {
				t.Errorf("%s:%d is never reached", point, n)
			}
			if killed {
				spawn(t, b.Name, dir, "")
			}
			if cmp.Diff(want, b.Objects()) != "" {
				t.Errorf("%s:%d: got objects %q, or their bytes differ", point, n, b.Keys())
			}
			if got := b.Uploads(); len(got) > 0 {
				t.Errorf("%s:%d: got uploads %q, want none", point, n, got)
			}
			if !killed {
				break
			}
		}
	}
}

// The network goes away at each request in turn, before or after the store has
// done it: nothing the process does then has an effect, as if it were killed.
func TestAProcessThatEndsAtAnyRequestLosesNothing(t *testing.T) {
	want := want(t)
	for _, late := range []bool{false, true} {
		for n := 1; ; n++ {
			b := objectstest.New(t)
			p := faultproxy.New(t, b.Store.Endpoint)
			if late {
				p.Add(&faultproxy.Rule{Skip: n - 1, Late: true, Cut: true})
				p.Add(&faultproxy.Rule{Skip: n - 1, Times: -1, Cut: true})
			} else {
				p.Add(&faultproxy.Rule{Skip: n - 1, Times: -1, Cut: true})
			}
			store := fresh()
			first := into(b, p.URL)
			first.Store = store
			if res, err := first.Run(t.Context()); err == nil && res.Complete {
				if n < 8 {
					t.Errorf("complete with the %dth request lost", n)
				}
				break
			}
			last := ""
			if r := p.Requests(); len(r) >= n {
				last = r[n-1]
			}
			again := into(b, "")
			again.Store = store
			res, err := again.Run(t.Context())
			if err != nil || !res.Complete || cmp.Diff(want, b.Objects()) != "" {
				t.Errorf("%s lost, late %v: complete %v, %v, objects %q, or their bytes differ", last, late, res.Complete, err, b.Keys())
			}
			unknown := late && strings.HasPrefix(last, "POST") && strings.HasSuffix(last, "uploads=") // nobody knows this one's id
			if got := b.Uploads(); len(got) > 0 && !unknown {
				t.Errorf("%s lost, late %v: got uploads %q, want none", last, late, got)
			}
		}
	}
}
