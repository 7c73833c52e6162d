// Package s3_test moves objects from a bucket to another through the whole
// frame: source, frame and sink at once.
package s3_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"sluice/internal/kind"
	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	sinks3 "sluice/sinks/s3"
	sources3 "sluice/sources/s3"
	"sluice/test/faultproxy"
	"sluice/transforms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func source(t *testing.T, b *objectstest.Bucket, endpoint string) pipeline.Source {
	t.Helper()
	src, err := (&sources3.Config{Config: b.Config(endpoint)}).Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func sink(t *testing.T, b *objectstest.Bucket, endpoint, key string) pipeline.Sink {
	t.Helper()
	c := &sinks3.Config{Config: b.Config(endpoint), Key: key, Part: 8 << 20, Overwrite: "own"}
	c.Roll.Bytes = 150
	s, err := c.Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestABucketIsCopiedThroughABadNetwork(t *testing.T) {
	from, to := objectstest.New(t), objectstest.New(t)
	want := map[string]string{}
	for i := range 40 {
		key := fmt.Sprintf("dir %d/é+%%%d", i%3, i)
		want[key] = strings.Repeat(fmt.Sprintf("%s line\n", key), i*50)
		from.Put(key, []byte(want[key]))
	}
	in, out := faultproxy.New(t, from.Store.Endpoint), faultproxy.New(t, to.Store.Endpoint)
	for i := range 8 {
		in.Add(&faultproxy.Rule{Method: "GET", Skip: 6 * i, CutAfter: int64(1 + 777*i)})
		in.Add(&faultproxy.Rule{Skip: 9 * i, Status: 503})
		out.Add(&faultproxy.Rule{Method: "PUT", Skip: 5 * i, Late: true, Status: 504})
		out.Add(&faultproxy.Rule{Skip: 11 * i, Cut: true})
	}
	p := &pipeline.Pipeline{Name: "copy", Source: source(t, from, in.URL), Sink: sink(t, to, out.URL, "{key}"), Lanes: 3,
		Store: &pipelinetest.Store{World: &pipelinetest.World{}}}
	res, err := p.Run(t.Context())
	if diff := cmp.Diff(want, to.Objects()); diff != "" || err != nil || !res.Complete {
		t.Errorf("complete %v, %v (-want +got):\n%s", res.Complete, err, diff)
	}
	if c := res.Counts; c.ObjectsRead != 40 || c.ObjectsWritten != 40 || c.BytesRead != c.BytesWritten {
		t.Errorf("got counts %+v, want 40 objects and as many bytes on both sides", c)
	}
	if s, _ := p.Status(); len(s.Retries) < 3 {
		t.Errorf("got retries %v, want several causes", s.Retries)
	}
}

// TestObjectsKeepWhatTheyHave moves objects as they are: within one store it
// copies them, between two it asks for nothing but the bytes.
func TestObjectsKeepWhatTheyHave(t *testing.T) {
	from, to := objectstest.New(t), objectstest.New(t)
	from.Needs("tags", from.Store.Tags())
	for i, n := range []int{5, 100 << 10, 3 << 20, 9 << 20} {
		key := fmt.Sprint(i)
		_, err := from.API.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: &from.Name, Key: &key, Body: bytes.NewReader(make([]byte, n)),
			ContentType: aws.String("a/b"), Metadata: map[string]string{"of": "user"}, Tagging: aws.String("x=" + key)})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, same := range []bool{true, false} {
		in, out := faultproxy.New(t, from.Store.Endpoint), faultproxy.New(t, to.Store.Endpoint)
		c := &sinks3.Config{Config: to.Config(out.URL), Key: fmt.Sprint(same, "/{key}"), Part: 8 << 20, Overwrite: "own", Preserve: true}
		src := source(t, from, in.URL)
		if same {
			src = source(t, from, out.URL)
		}
		dst, err := c.Build(kind.Env{})
		if err != nil {
			t.Fatal(err)
		}
		p := &pipeline.Pipeline{Name: "copy", Source: src, Sink: dst, Lanes: 1, Store: &pipelinetest.Store{World: &pipelinetest.World{}}}
		res, err := p.Run(t.Context())
		if err != nil || !res.Complete || res.Counts.BytesWritten != 5+100<<10+12<<20 || res.Counts.BytesRead != res.Counts.BytesWritten {
			t.Fatalf("one store %v: %+v, %v", same, res, err)
		}
		for i := range 4 {
			key := fmt.Sprintf("%v/%d", same, i)
			h, err := to.API.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: &to.Name, Key: &key})
			tags, terr := to.API.GetObjectTagging(t.Context(), &awss3.GetObjectTaggingInput{Bucket: &to.Name, Key: &key})
			if err != nil || terr != nil || *h.ContentType != "a/b" || h.Metadata["of"] != "user" || len(tags.TagSet) != 1 || *tags.TagSet[0].Value != fmt.Sprint(i) {
				t.Errorf("%s: got %+v, %+v, %v", key, h, tags, errors.Join(err, terr))
			}
		}
		object := "/" + from.Name + "/"
		if gets := len(out.Requests("GET", object)); same && gets > 0 {
			t.Errorf("one store: %d objects were read", gets)
		}
		if heads := len(in.Requests("HEAD", object)); !same && heads > 0 {
			t.Errorf("two stores: %d objects were asked about, want what the reader was told", heads)
		}
	}
}

func TestLinesOfObjectsAreRolledAndACrashChangesNothing(t *testing.T) {
	from := objectstest.New(t)
	for i := range 3 {
		var b strings.Builder
		for j := range 20 {
			fmt.Fprintf(&b, "%d-%d %s\n", i, j, strings.Repeat("x", j))
		}
		from.Put(fmt.Sprint(i), []byte(b.String()))
	}
	try := func(at int) (map[string]string, int) {
		to, world := objectstest.New(t), &pipelinetest.World{At: at}
		store := &pipelinetest.Store{World: world}
		for complete := false; !complete; world.Restart() {
			p := &pipeline.Pipeline{Name: "copy", Source: source(t, from, ""), Sink: sink(t, to, "", "{pass}-{sequence:3}-of-{lane}"), Store: store, Lanes: 1,
				Stages: []pipeline.Stage{{Name: "lines", Transform: pipeline.Lines{Size: 100}}}}
			res, err := p.Run(t.Context())
			if err == nil != res.Complete {
				t.Fatalf("crash at %d: complete %v, %v", at, res.Complete, err)
			}
			complete = res.Complete
		}
		got := to.Objects()
		maps.DeleteFunc(got, func(key, _ string) bool { return !strings.HasPrefix(key, "1-") }) // after the last save, the next run is a second pass
		return got, world.Ops()
	}
	want, ops := try(0)
	if len(want) < 5 || ops < 4 {
		t.Fatalf("got %d objects and %d operations, want more", len(want), ops)
	}
	for at := 1; at <= ops; at++ {
		got, _ := try(at)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("crash at %d (-want +got):\n%s", at, diff)
		}
	}
}

// big is a source of one stream of n bytes.
type big struct{ n int64 }

func (s big) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }
func (s big) Close() error                                                  { return nil }
func (s big) bytes() io.Reader                                              { return io.LimitReader(rand.NewChaCha8([32]byte{7}), s.n) }

func (s big) Plan(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{{Name: "l", ID: "l", Parts: 1}}, nil
}

func (s big) Read(ctx context.Context, _ pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	return pipeline.Send(ctx, out, &pipeline.Item{Key: "big", Size: s.n, Records: -1, Pos: pipeline.Position{Token: "1"},
		Body: pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) { return io.NopCloser(s.bytes()), nil })})
}

func TestALargeObjectTakesLittleMemory(t *testing.T) {
	const size, ceiling = 200 << 20, 64 << 20
	a, b := objectstest.New(t), objectstest.New(t)
	run := func(src pipeline.Source, dst pipeline.Sink) (peak uint64) {
		t.Helper()
		runtime.GC()
		var most atomic.Uint64
		ctx, end := context.WithCancel(t.Context())
		var g errgroup.Group
		g.Go(func() error {
			var m runtime.MemStats
			for ctx.Err() == nil {
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), m.HeapInuse))
				select {
				case <-time.After(10 * time.Millisecond):
				case <-ctx.Done():
				}
			}
			return nil
		})
		p := &pipeline.Pipeline{Name: "copy", Source: src, Sink: dst, Store: &pipelinetest.Store{World: &pipelinetest.World{}}, Lanes: 1}
		res, err := p.Run(t.Context())
		end()
		g.Wait()
		if err != nil || !res.Complete || res.Counts.BytesWritten != size {
			t.Fatalf("complete %v, %d bytes, %v", res.Complete, res.Counts.BytesWritten, err)
		}
		return most.Load()
	}
	in := run(big{size}, sink(t, a, "", "{key}"))
	through := run(source(t, a, ""), sink(t, b, "", "{key}"))
	t.Logf("heap: %d MiB into the bucket, %d MiB from one to the other", in>>20, through>>20)
	if in > ceiling || through > ceiling {
		t.Errorf("got %d and %d MiB of heap, want at most %d", in>>20, through>>20, ceiling>>20)
	}
	want, got := sha256.New(), sha256.Sum256(b.Get("big"))
	io.Copy(want, big{size}.bytes())
	if string(want.Sum(nil)) != string(got[:]) {
		t.Error("the bytes differ")
	}
}

// TestAGzipCutInTransferIsNeverWhole: a file of two members is cut at every
// byte, by a connection that breaks for good and by a reply that is short and says
// so. Each run fails and names the object; the next one delivers each line once.
func TestAGzipCutInTransferIsNeverWhole(t *testing.T) {
	from := objectstest.New(t)
	const want = "one\ntwo\nthree\nfour\n"
	var file bytes.Buffer
	for _, part := range []string{want[:8], want[8:]} {
		z := gzip.NewWriter(&file)
		io.WriteString(z, part)
		z.Close()
	}
	from.Put("logs.gz", file.Bytes())
	p := faultproxy.New(t, from.Store.Endpoint)
	c := &sources3.Config{Config: from.Config(p.URL)}
	c.Retry = 0
	impatient, err := c.Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	for at := range file.Len() {
		for name, rule := range map[string]*faultproxy.Rule{
			"broken": {CutAfter: int64(max(1, at))},
			"short": {Edit: func(r *http.Response) {
				r.Body, r.ContentLength = io.NopCloser(io.LimitReader(r.Body, int64(at))), int64(at)
				r.Header.Set("Content-Length", strconv.Itoa(at))
			}},
		} {
			p.Clear()
			rule.Method, rule.Path, rule.Times = "GET", "logs.gz", -1
			p.Add(rule)
			w := &pipelinetest.World{}
			sink := &pipelinetest.Sink{World: w, Roll: 1, Objects: map[string]string{}}
			pipe := &pipeline.Pipeline{Name: "load", Source: impatient, Stages: expand(t), Sink: sink, Lanes: 1, Store: &pipelinetest.Store{World: w}}
			if res, err := pipe.Run(t.Context()); err == nil || res.Complete || !strings.Contains(err.Error(), "logs.gz") {
				t.Fatalf("%s at %d: complete %v, %v, want an error that names the object", name, at, res.Complete, err)
			}
			p.Clear()
			if res, err := pipe.Run(t.Context()); err != nil || !res.Complete || res.Counts.Written != 4 {
				t.Fatalf("%s at %d, run again: %+v, %v", name, at, res, err)
			}
			var got string
			for _, key := range slices.Sorted(maps.Keys(sink.Objects)) {
				got += sink.Objects[key]
			}
			if got != want {
				t.Fatalf("%s at %d, run again: got %q, want %q", name, at, got, want)
			}
		}
	}
}

// expand is the transforms from compressed objects to records.
func expand(t *testing.T) []pipeline.Stage {
	t.Helper()
	d, err := (&transforms.Decompress{MaxRatio: 1000, MaxWindow: 8 << 20}).Build(kind.Env{MaxRecord: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return []pipeline.Stage{{Name: "decompress", Transform: d}, {Name: "lines", Transform: pipeline.Lines{}}}
}
