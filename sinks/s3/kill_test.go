package s3_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice/internal/crash"
	"sluice/internal/kind"
	"sluice/internal/objects/objectstest"
	"sluice/internal/roll"
	"sluice/internal/state"
	"sluice/internal/unit"
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

// work is items that become an object of two parts and a small one; or one each,
// of which one is not small.
func work(key string) (src items) {
	sizes := []int{5<<20 - 10, 30, 10, 20}
	if key == "{key}" {
		sizes[0] = 300 << 10
	}
	for i, n := range sizes {
		src = append(src, item(fmt.Sprint(i), random(byte(i), n)))
	}
	return src
}

// keys of the two ways of making objects.
var keys = []string{"{lane}-{sequence}", "{key}"}

// into is a sink for that work.
func into(b *objectstest.Bucket, endpoint, key string, retry time.Duration) *pipeline.Pipeline {
	c := options(b, endpoint, key)
	c.Retry, c.Quirks.ConditionalWrites = unit.Duration(retry), "probe"
	c.Roll.Bytes = 5 << 20
	c.Manifest = "m/{pass}/_manifest.ndjson"
	sink, err := c.Build(kind.Env{})
	if err != nil {
		panic(err)
	}
	return &pipeline.Pipeline{Name: "mine", Source: work(key), Sink: sink, Lanes: 1}
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
	p := into(&objectstest.Bucket{Name: bucket, Store: at}, "", os.Getenv("SLUICE_S3_TEST_KEY"), 20*time.Second)
	p.Store = store
	if res, err := p.Run(context.Background()); err != nil || !res.Complete {
		fmt.Fprintln(os.Stderr, res, err)
		return 1
	}
	return 0
}

// spawn runs the child and says whether it was killed.
func spawn(t *testing.T, bucket, dir, key, at string) (killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childBucket+"="+bucket, "SLUICE_S3_TEST_STATE="+dir, "SLUICE_S3_TEST_KEY="+key, "SLUICE_CRASH="+at)
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
func want(t *testing.T, key string) map[string]string {
	t.Helper()
	src, content := work(key), map[string]string{}
	objects := []string{"lane-0", "lane-0", "lane-1", "lane-1"}
	if key == "{key}" {
		objects = []string{"0", "1", "2", "3"}
	}
	for i, key := range objects {
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

// data gives the objects but for the manifest, which must be right about each.
func data(t *testing.T, b *objectstest.Bucket) map[string]string {
	t.Helper()
	const manifest = "m/1/_manifest.ndjson"
	objects := b.Objects()
	lines := strings.Split(objects[manifest], "\n")
	delete(objects, manifest)
	if len(lines) != len(objects)+3 {
		t.Errorf("got %d lines of a manifest of %d objects: %q", len(lines), len(objects), lines)
		return objects
	}
	for _, text := range lines[1 : len(lines)-2] {
		var l roll.Line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Error(err)
		}
		h, err := b.API.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: &b.Name, Key: &l.Key})
		if err != nil {
			t.Error(err)
			continue
		}
		sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum([]byte(objects[l.Key]), crc32.MakeTable(crc32.Castagnoli)))
		if l.Bytes != *h.ContentLength || `"`+l.ETag+`"` != *h.ETag || l.CRC32C != base64.StdEncoding.EncodeToString(sum) {
			t.Errorf("the manifest says %+v, the store has %d bytes, ETag %s, CRC %x", l, *h.ContentLength, *h.ETag, sum)
		}
	}
	return objects
}

func TestAKillAtACrashPointLeavesTheSameObjectsAndNoUploads(t *testing.T) {
	t.Parallel()
	for _, key := range keys {
		want := want(t, key)
		for _, point := range []string{crash.AfterBegin, crash.AfterLastPart, crash.AfterComplete} {
			least := 2
			if point == crash.AfterBegin {
				least = strings.Count(key, "{sequence}")
			}
			for n := 1; ; n++ {
				b, dir := objectstest.New(t), filepath.Join(t.TempDir(), "state")
				killed := spawn(t, b.Name, dir, key, fmt.Sprintf("%s:%d", point, n))
				if !killed && n <= least {
					t.Errorf("%s:%d is never reached", point, n)
				}
				if killed {
					spawn(t, b.Name, dir, key, "")
				}
				if cmp.Diff(want, data(t, b)) != "" {
					t.Errorf("%s, %s:%d: got objects %q, or their bytes differ", key, point, n, b.Keys())
				}
				if got := b.Uploads(); len(got) > 0 {
					t.Errorf("%s, %s:%d: got uploads %q, want none", key, point, n, got)
				}
				if !killed {
					break
				}
			}
		}
	}
}

// The network goes away at each request in turn, before or after the store has
// done it: nothing the process does then has an effect, as if it were killed.
func TestAProcessThatEndsAtAnyRequestLosesNothing(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) { t.Parallel(); endsAtAnyRequest(t, keys[i/2], i%2 == 1) })
	}
}

func endsAtAnyRequest(t *testing.T, key string, late bool) {
	want := want(t, key)
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
		first := into(b, p.URL, key, 0)
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
		p.Clear()
		again := into(b, p.URL, key, 20*time.Second)
		again.Store = store
		res, err := again.Run(t.Context())
		if err != nil || !res.Complete || cmp.Diff(want, data(t, b)) != "" {
			t.Errorf("%s lost, late %v: complete %v, %v, objects %q, or their bytes differ", last, late, res.Complete, err, b.Keys())
		}
		if got := b.Uploads(); len(got) > 0 {
			t.Errorf("%s lost, late %v: got uploads %q, want none", last, late, got)
		}
	}
}
