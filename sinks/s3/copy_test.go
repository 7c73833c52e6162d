package s3_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"sluice/internal/objects"
	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
	"sluice/sinks/s3"
	"sluice/test/faultproxy"
)

// body is the bytes of an object as it is. It implements [objects.Stored].
type body struct {
	client *objects.Client
	object objects.Object
	opened *int
}

func (b body) Stored() (*objects.Client, objects.Object) { return b.client, b.object }

func (b body) Open(ctx context.Context) (io.ReadCloser, error) {
	if b.opened != nil {
		*b.opened++
	}
	r, err := b.client.Get(ctx, b.object, 0)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// listed gives the objects below a prefix as a source of items. opened counts
// how often one is read; not safe for several at a time.
func listed(t *testing.T, cfg objects.Config, prefix string, opened *int) (src items) {
	t.Helper()
	c, err := cfg.Client(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	err = c.List(t.Context(), prefix, "", func(o objects.Object) error {
		src = append(src, &pipeline.Item{Key: strings.TrimPrefix(o.Key, prefix), Version: o.ETag, Size: o.Size, Records: -1, Body: body{c, o, opened}})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// rich puts an object that has all that an object can have.
func rich(t *testing.T, b *objectstest.Bucket, key, content string) {
	t.Helper()
	_, err := b.API.PutObject(t.Context(), &awss3.PutObjectInput{
		Bucket: &b.Name, Key: &key, Body: strings.NewReader(content), ContentType: ptr("text/x-log"), CacheControl: ptr("max-age=7"),
		ContentEncoding: ptr("br"), ContentDisposition: ptr("inline"), ContentLanguage: ptr("de"), Tagging: ptr("team=search&env=a%20b"),
		Metadata: map[string]string{"owner": "ann", "sluice-pipeline": "other", "sluice-key": "x", "sluice-pass": "9", "sluice-start": "0"},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// seen is what can be seen of an object beside its bytes.
func seen(t *testing.T, b *objectstest.Bucket, key string) map[string]string {
	t.Helper()
	h, err := b.API.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: &b.Name, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for name, v := range map[string]*string{"type": h.ContentType, "cache": h.CacheControl, "encoding": h.ContentEncoding, "disposition": h.ContentDisposition, "language": h.ContentLanguage} {
		if v != nil {
			all[name] = *v
		}
	}
	for name, v := range h.Metadata {
		if !strings.HasPrefix(name, "sluice-") {
			all["meta "+name] = v
		} else if name == "sluice-pipeline" {
			all["pipeline"] = v
		}
	}
	tags, err := b.API.GetObjectTagging(t.Context(), &awss3.GetObjectTaggingInput{Bucket: &b.Name, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range tags.TagSet {
		all["tag "+*tag.Key] = *tag.Value
	}
	return all
}

func TestAnObjectKeepsWhatItHasFromBucketToBucket(t *testing.T) {
	from, to := objectstest.New(t), objectstest.New(t)
	from.Needs("tags", from.Store.Tags())
	for key, n := range map[string]int{"small": 10, "part": 1 << 20, "parts": 11 << 20} {
		rich(t, from, "in/"+key, random(1, n))
	}
	kept := map[string]string{
		"type": "text/x-log", "cache": "max-age=7", "encoding": "br", "disposition": "inline", "language": "de",
		"meta owner": "ann", "tag team": "search", "tag env": "a b", "pipeline": "mine",
	}
	said := map[string]string{
		"type": "text/plain", "cache": "no-store", "encoding": "br", "disposition": "inline", "language": "de",
		"meta owner": "ann", "tag x": "y=z", "pipeline": "mine",
	}
	for name, tc := range map[string]struct {
		server bool // copied on the server
		change func(*s3.Config)
		want   map[string]string
	}{
		"on the server": {true, func(*s3.Config) {}, kept},
		"on the server, and options": {true, func(c *s3.Config) {
			c.ContentType, c.CacheControl, c.Tags = "text/plain", "no-store", []string{"x=y=z"}
		}, said},
		"on the server, not kept": {true, func(c *s3.Config) { c.Preserve, c.ContentType = false, "a/b" }, map[string]string{"type": "a/b", "pipeline": "mine"}},
		"through Sluice":          {false, func(*s3.Config) {}, kept},
		"through Sluice and options": {false, func(c *s3.Config) {
			c.ContentType, c.CacheControl, c.Tags = "text/plain", "no-store", []string{"x=y=z"}
		}, said},
		"through Sluice, not kept": {false, func(c *s3.Config) { c.Preserve, c.ContentType = false, "a/b" }, map[string]string{"type": "a/b", "pipeline": "mine"}},
	} {
		p := faultproxy.New(t, to.Store.Endpoint)
		c := options(to, p.URL, name+"/{key}")
		tc.change(c)
		cfg, opened := from.Config(p.URL), 0
		if !tc.server {
			cfg.Endpoint = from.Store.Endpoint
		}
		src := listed(t, cfg, "in/", &opened)
		store := fresh()
		res, err := pipe(t, src, c, store).Run(t.Context())
		if err != nil || !res.Complete || res.Counts.BytesWritten != 10+1<<20+11<<20 || res.Counts.BytesRead != res.Counts.BytesWritten || res.Counts.ObjectsWritten != 3 {
			t.Errorf("%s: got %+v, %v", name, res, err)
		}
		if server := opened == 0; server != tc.server {
			t.Errorf("%s: %d objects were read", name, opened)
		}
		for _, it := range src {
			key := name + "/" + it.Key
			if diff := cmp.Diff(tc.want, seen(t, to, key)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", key, diff)
			}
			if string(to.Get(key)) != random(1, int(it.Size)) {
				t.Errorf("%s: the bytes differ", key)
			}
		}
		clean(t, to, store)
		if res, err := pipe(t, src, c, store).Run(t.Context()); err != nil || !res.Complete {
			t.Errorf("%s: again: %+v, %v", name, res, err)
		}
	}
}

func TestAStoreThatRefusesToCopyIsAskedOnce(t *testing.T) {
	for _, status := range []int{403, 501, 405} {
		f := newFake(t)
		for i := range 60 {
			f.objects[fmt.Sprintf("in/%02d", i)] = stored{body: []byte(fmt.Sprint(i)), header: http.Header{"Content-Type": {"a/b"}}}
		}
		f.refuse = func(r *http.Request) (int, string) {
			if r.Header.Get("X-Amz-Copy-Source") != "" {
				return status, "AccessDenied"
			}
			return 0, ""
		}
		c := f.config("out/{key}")
		res, err := pipe(t, listed(t, c.Config, "in/", nil), c, fresh()).Run(t.Context())
		if err != nil || !res.Complete || res.Counts.ObjectsWritten != 60 || res.Counts.BytesWritten != 110 {
			t.Errorf("%d: got %+v, %v", status, res, err)
		}
		for i := range 60 {
			if key := fmt.Sprintf("out/%02d", i); f.contents()[key] != fmt.Sprint(i) || f.header(key).Get("Content-Type") != "a/b" {
				t.Errorf("%d: %s: got %q, %v", status, key, f.contents()[key], f.header(key))
			}
		}
		copies := 0
		for _, h := range f.headers {
			if h.Get("X-Amz-Copy-Source") != "" {
				copies++
			}
		}
		if copies > 16 {
			t.Errorf("%d: asked %d times, want no more than were under way at the first", status, copies)
		}
	}
}

// put puts an object with user metadata into the fake, and lists it.
func (f *fake) source(t *testing.T, c *s3.Config, key, content string, header http.Header) items {
	t.Helper()
	f.mu.Lock()
	f.objects["in/"+key] = stored{body: []byte(content), header: header}
	f.mu.Unlock()
	return f.relist(t, c, key)
}

func (f *fake) relist(t *testing.T, c *s3.Config, key string) items {
	t.Helper()
	src := listed(t, c.Config, "in/"+key, nil)
	src[0].Key = key
	return src
}

func TestUserMetadataHasToFit(t *testing.T) {
	for name, tc := range map[string]struct {
		user  int  // bytes of user metadata
		short bool // ours is hashed
		fits  bool
	}{"easily": {1000, false, true}, "with ours hashed": {1600, true, true}, "not": {1990, true, false}} {
		f := newFake(t)
		c := f.config("out/{key}")
		long := strings.Repeat("k", 190)
		src := f.source(t, c, "x", "hello", http.Header{"X-Amz-Meta-Of-User": {strings.Repeat("u", tc.user-len("of-user"))}})
		src[0].Key, src[0].Version = long, strings.Repeat("v", 190)
		p := pipe(t, src, c, fresh())
		p.Name = strings.Repeat("p", 64)
		for pass := range 3 {
			if pass == 2 {
				c.Preserve = false // and what carries hashes is still known for ours
				store := p.Store
				p = pipe(t, src, c, store)
				p.Name = strings.Repeat("p", 64)
			}
			res, err := p.Run(t.Context())
			if !tc.fits && pass < 2 {
				if err == nil || !strings.Contains(err.Error(), "put b/out/"+long) || !strings.Contains(err.Error(), "preserve: false") {
					t.Errorf("%s: got %+v, %v, want an error that names the object", name, res, err)
				}
				continue
			}
			if err != nil || !res.Complete {
				t.Errorf("%s: pass %d: got %+v, %v", name, pass+1, res, err)
			}
			h := f.header("out/" + long)
			size := 0
			for name, v := range h {
				if user, ok := strings.CutPrefix(name, "X-Amz-Meta-"); ok {
					size += len(user) + len(v[0])
				}
			}
			if hashed := strings.HasPrefix(h.Get("X-Amz-Meta-Sluice-Key"), "sha256:"); size > 2048 || pass < 2 && hashed != tc.short || pass < 2 && len(h.Get("X-Amz-Meta-Of-User")) != tc.user-7 {
				t.Errorf("%s: pass %d: %d bytes, ours hashed %v: %v", name, pass+1, size, hashed, h)
			}
		}
	}
}

// An object that was replaced since it was listed is not copied: the one who
// reads it finds out, and says so.
func TestAReplacedObjectIsNotCopied(t *testing.T) {
	for _, last := range []bool{false, true} { // in the last moment
		f := newFake(t)
		c := f.config("out/{key}")
		src := append(f.source(t, c, "a", "old", nil), f.source(t, c, "b", "good", nil)...)
		f.refuse = func(r *http.Request) (int, string) {
			if !last || r.Header.Get("X-Amz-Copy-Source") == "b/in/a" {
				f.objects["in/a"] = stored{body: []byte("new")}
			}
			return 0, ""
		}
		if res, err := pipe(t, src, c, fresh()).Run(t.Context()); err == nil || res.Complete || !strings.Contains(err.Error(), "in/a: replaced since it was listed") {
			t.Errorf("got %+v, %v, want that it was replaced", res, err)
		}
		if got := f.contents(); got["out/a"] != "" {
			t.Errorf("got %v, want no object of the bytes that nobody listed", got)
		}
	}
}

func TestACopyDoesNotReplaceWhatIsAnothers(t *testing.T) {
	f := newFake(t)
	c := f.config("out/{key}")
	src := f.source(t, c, "a", "mine", nil)
	f.objects["out/a"] = stored{body: []byte("theirs")}
	if res, err := pipe(t, src, c, fresh()).Run(t.Context()); err == nil || res.Complete || !strings.Contains(err.Error(), "b/out/a exists and was not written") || f.contents()["out/a"] != "theirs" {
		t.Errorf("got %+v, %v, %q, want that it is another's", res, err, f.contents()["out/a"])
	}
}

// told is a body that was told, when it was read, what its object is, and that
// this is another one than was listed.
type told struct {
	body
	item *pipeline.Item
	info *objects.Info
}

func (b told) Info() objects.Info { return *b.info }

func (b told) Open(ctx context.Context) (io.ReadCloser, error) {
	info, err := b.client.Head(ctx, b.object.Key)
	if err != nil {
		return nil, err
	}
	*b.info, b.item.Version, b.item.Size, b.object = info, info.ETag, info.Size, info.Object
	return b.body.Open(ctx)
}

func TestWhatTheReaderWasToldIsNotAskedAgain(t *testing.T) {
	f := newFake(t)
	from := newFake(t)
	c := f.config("out/{key}")
	src := from.source(t, from.config("x"), "a", "old", nil)
	it := src[0]
	src[0].Body = told{it.Body.(body), it, new(objects.Info)}
	from.objects["in/a"] = stored{body: []byte("newer"), header: http.Header{"Content-Type": {"new/type"}, "X-Amz-Meta-Of": {"new"}}}
	lone := lone{it}
	if res, err := pipe(t, lone, c, fresh()).Run(t.Context()); err != nil || !res.Complete || res.Counts.BytesWritten != 5 {
		t.Fatalf("got %+v, %v", res, err)
	}
	h := f.header("out/a")
	if h.Get("Content-Type") != "new/type" || h.Get("X-Amz-Meta-Of") != "new" || h.Get("X-Amz-Meta-Sluice-Version") != it.Version || f.contents()["out/a"] != "newer" {
		t.Errorf("got %q, %v, want what was read", f.contents()["out/a"], h)
	}
	if got := from.asked("HEAD"); len(got) != 1 {
		t.Errorf("got %q, want nothing asked but by the reader", got)
	}
	for _, r := range from.asked("GET") {
		if strings.Contains(r, "tagging") {
			t.Errorf("got %q, want no tags asked for: there are none", r)
		}
	}
}

// lone is a source of one item, which it gives as it is.
type lone struct{ it *pipeline.Item }

func (s lone) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }
func (s lone) Close() error                                                  { return nil }

func (s lone) Plan(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{{Name: "lane", ID: "id", Parts: 1}}, nil
}

func (s lone) Read(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
	s.it.Pos.Token = "1"
	return pipeline.Send(ctx, out, s.it)
}

// A copy of more than 5 GiB is an upload, whose id is known while it lasts: a
// run that is killed leaves one behind, and the next one aborts it.
func TestALargeObjectIsCopiedInPartsThatAKillDoesNotLeave(t *testing.T) {
	f := newFake(t)
	c := f.config("out/{key}")
	f.source(t, c, "a", "x", http.Header{"X-Amz-Tagging": {"a=b"}})
	f.objects["in/a"] = stored{body: []byte("x"), header: f.objects["in/a"].header, size: 6 << 30}
	src := f.relist(t, c, "a")
	var rows []string
	died := false
	store := fresh()
	f.refuse = func(r *http.Request) (int, string) {
		if r.Header.Get("X-Amz-Copy-Source-Range") == "bytes=536870912-1073741823" && !died { // the process ends here: what it does after this has no effect
			died = true
			rows = uploads(t, store)
			store.World.Restart()
			return 403, "AccessDenied"
		}
		return 0, ""
	}
	dead := uploadsStay{store}
	if res, err := pipe(t, src, c, dead).Run(t.Context()); err == nil && res.Complete {
		t.Error("complete, want it to die")
	}
	if len(rows) != 1 || rows[0] != "out/a" {
		t.Errorf("got rows %q while it is copied, want the upload", rows)
	}
	f.uploads["1"] = http.Header{} // it was not aborted: nobody was left to do so
	res, err := pipe(t, src, c, store).Run(t.Context())
	if err != nil || !res.Complete || res.Counts.BytesWritten != 6<<30 {
		t.Errorf("got %+v, %v", res, err)
	}
	if len(f.uploads) != 0 || len(uploads(t, store)) != 0 {
		t.Errorf("got uploads %v and rows %q, want none", f.uploads, uploads(t, store))
	}
	want := 0
	for i := range 12 {
		if strings.Contains(f.contents()["out/a"], fmt.Sprintf("bytes=%d-%d", i<<29, (i+1)<<29-1)) {
			want++
		}
	}
	if h := f.header("out/a"); want != 12 || h.Get("X-Amz-Tagging") != "a=b" || h.Get("X-Amz-Meta-Sluice-Key") == "" {
		t.Errorf("got %d of 12 parts, %v", want, h)
	}
}

// uploadsStay is a store from which no upload is removed.
type uploadsStay struct{ pipeline.Store }

func (s uploadsStay) Put(rows ...pipeline.Row) error {
	if rows[0].Bucket == "sink.uploads" && rows[0].Value == nil {
		return errStore
	}
	return s.Store.Put(rows...)
}
