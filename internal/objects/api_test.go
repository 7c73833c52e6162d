package objects_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/objects"
	"sluice/internal/objects/objectstest"
)

func TestAListingEndsWhereItIsTold(t *testing.T) {
	b := objectstest.New(t)
	c := client(t, b.Config(""))
	put(t, c, []string{"a/1", "a/2", "b/1", "b/2", "c", "d"})
	for _, tc := range []struct {
		prefix, after, until string
		want                 []string
	}{
		{"", "a/1", "b/1", []string{"a/2", "b/1"}},
		{"", "", "b", []string{"a/1", "a/2"}},
		{"b/", "b/1", "c", []string{"b/2"}},
		{"", "c", "", []string{"d"}},
		{"", "c", "c", nil},
	} {
		var got []string
		err := c.ListUntil(t.Context(), tc.prefix, tc.after, tc.until, func(o objects.Object) error {
			got = append(got, o.Key)
			return nil
		})
		if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
			t.Errorf("prefix %q, after %q until %q: %v (-want +got):\n%s", tc.prefix, tc.after, tc.until, err, diff)
		}
	}
	page, more, err := c.Page(t.Context(), "", "a/2", 2)
	if got := keysOf(page); err != nil || !more || !cmp.Equal(got, []string{"b/1", "b/2"}) {
		t.Errorf("page: got %q, %v, %v, want two keys and more", got, more, err)
	}
	prefixes, more, err := c.Prefixes(t.Context(), "", "/", "a/")
	if err != nil || more || !cmp.Equal(prefixes, []string{"b/"}) {
		t.Errorf("prefixes: got %q, %v, %v, want b/", prefixes, more, err)
	}
}

func TestWhatIsSaidOfANewObjectComesBack(t *testing.T) {
	b := objectstest.New(t)
	c := client(t, b.Config(""))
	n := objects.New{
		Key: "k", ContentType: "text/csv", Meta: map[string]string{"sluice-a": "b c"}, CacheControl: "no-store", ContentEncoding: "x-none",
		ContentDisposition: "inline", ContentLanguage: "de", Tags: map[string]string{"a b": "c+d=e/ä"},
	}
	want := objects.Info{
		Object: objects.Object{Key: "k", Size: 4}, Meta: n.Meta, ContentType: "text/csv", CacheControl: "no-store", ContentEncoding: "x-none",
		ContentDisposition: "inline", ContentLanguage: "de",
	}
	switch {
	case !b.Store.Tags():
		n.Tags = nil
	case b.Store.Name == "minio":
		n.Tags = map[string]string{"a b": "c+d=e/"} // it wants ASCII
	}
	check := func(what string) {
		t.Helper()
		got, err := c.Head(t.Context(), "k")
		if got.ETag == "" || got.Modified.IsZero() {
			t.Errorf("%s: got %+v, want an ETag and a time", what, got)
		}
		got.ETag, got.Modified, got.Checksum, got.Parts, got.Tagged = "", time.Time{}, objects.Checksum{}, 0, 0
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
		}
		if n.Tags == nil {
			return
		}
		tags, err := c.Tags(t.Context(), "k", "")
		if diff := cmp.Diff(n.Tags, tags); diff != "" || err != nil {
			t.Errorf("%s: tags: %v (-want +got):\n%s", what, err, diff)
		}
	}
	if err := c.Put(t.Context(), n, []byte("1234")); err != nil {
		t.Fatal(err)
	}
	check("put")
	id, err := c.Begin(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	etag, err := c.Part(t.Context(), "k", id, 1, []byte("4321"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Complete(t.Context(), n, id, []string{etag}); err != nil {
		t.Fatal(err)
	}
	check("upload in parts")
	if n.Tags == nil {
		return
	}
	n.Tags = map[string]string{"x": "y"}
	if err := c.SetTags(t.Context(), "k", "", n.Tags); err != nil {
		t.Fatal(err)
	}
	check("tagged")
}

func TestUploadsAreListedUntilTheyEnd(t *testing.T) {
	b := objectstest.New(t)
	c := client(t, b.Config(""))
	want := map[string]string{}
	for _, key := range []string{"a b+c", "p/1", "p/2"} {
		id, err := c.Begin(t.Context(), objects.New{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		want[id] = key
	}
	list := func(prefix string) map[string]string {
		got := map[string]string{}
		err := c.Uploads(t.Context(), prefix, func(key, id string, begun time.Time) error {
			if time.Since(begun).Abs() > time.Hour {
				t.Errorf("%s was begun at %s", key, begun)
			}
			got[id] = key
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		return got
	}
	if diff := cmp.Diff(want, list("")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := list("p/"); len(got) != 2 && b.Store.Name != "minio" { // which takes a prefix for a whole key
		t.Errorf("with a prefix: got %q, want 2", got)
	}
	for id, key := range want {
		for range 2 { // gone the second time
			if err := c.Abort(t.Context(), key, id); err != nil {
				t.Error(err)
			}
		}
	}
	if got := list(""); len(got) != 0 {
		t.Errorf("got %q, want none", got)
	}
}

func TestVersionsAreListedNewestFirstAndCanBeHadAlone(t *testing.T) {
	b := objectstest.New(t)
	c := client(t, b.Config(""))
	if on, err := c.Versioned(t.Context()); on || err != nil {
		t.Errorf("got %v, %v, want a bucket without versions", on, err)
	}
	b.Versioned()
	c = client(t, b.Config(""))
	if on, err := c.Versioned(t.Context()); !on || err != nil {
		t.Errorf("got %v, %v, want a bucket with versions", on, err)
	}
	for i := range 3 {
		b.Put("a b", []byte(fmt.Sprint("a", i)))
		b.Put("c", []byte(fmt.Sprint("c", i)))
	}
	b.Delete("a b")
	var got []string
	var all []objects.Version
	versions := func(after string) {
		got, all = nil, nil
		err := c.Versions(t.Context(), "", after, func(v objects.Version) error {
			text := "deleted"
			if !v.Deleted {
				body, err := read(t, c, v.Object, 0)
				if err != nil {
					t.Error(err)
				}
				text = string(body)
			}
			got, all = append(got, fmt.Sprint(v.Key, ": ", text, " ", v.Latest)), append(all, v)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	versions("a b")
	if diff := cmp.Diff([]string{"c: c2 true", "c: c1 false", "c: c0 false"}, got); diff != "" {
		t.Errorf("after a key (-want +got):\n%s", diff)
	}
	versions("")
	want := []string{"a b: deleted true", "a b: a2 false", "a b: a1 false", "a b: a0 false", "c: c2 true", "c: c1 false", "c: c0 false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if info, err := c.HeadVersion(t.Context(), "a b", all[2].VersionID); err != nil || info.VersionID != all[2].VersionID || info.ETag != all[2].ETag {
		t.Errorf("head: got %+v, %v, want %+v", info, err, all[2])
	}
	for range 2 {
		if err := c.DeleteVersion(t.Context(), "a b", all[2].VersionID); err != nil {
			t.Error(err)
		}
	}
	versions("")
	want = append(want[:2:2], want[3:]...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with one removed (-want +got):\n%s", diff)
	}
}

func TestTheStoreIsAskedWhetherItHonoursConditions(t *testing.T) {
	b := objectstest.New(t)
	c := client(t, b.Config(""))
	if _, err := c.Begin(t.Context(), objects.New{Key: "p/probe"}); err != nil { // and was killed
		t.Fatal(err)
	}
	for range 2 {
		if honoured, err := c.Conditional(t.Context(), "p/probe"); honoured != b.Store.Conditional() || err != nil {
			t.Errorf("%s: got %v, %v", b.Store, honoured, err)
		}
	}
	if keys, uploads := b.Keys(), b.Uploads(); len(keys)+len(uploads) != 0 {
		t.Errorf("got objects %q and uploads %q left behind", keys, uploads)
	}
}

func TestOnlyWhatWasMeantIsDeleted(t *testing.T) {
	b := objectstest.New(t)
	c := client(t, b.Config(""))
	b.Put("k", []byte("one"))
	old := find(t, c, "k")
	b.Put("k", []byte("two"))
	if err := c.DeleteIf(t.Context(), old); !errors.Is(err, objects.ErrPrecondition) {
		t.Errorf("got %v, want %v", err, objects.ErrPrecondition)
	}
	now := find(t, c, "k")
	for range 2 { // gone the second time
		if err := c.DeleteIf(t.Context(), now); err != nil {
			t.Error(err)
		}
	}
	if keys := b.Keys(); len(keys) != 0 {
		t.Errorf("got %q, want it deleted", keys)
	}
}

func TestACopyIsOfWhatWasMeant(t *testing.T) {
	b, other := objectstest.New(t), objectstest.New(t)
	c, src := client(t, b.Config("")), client(t, other.Config(""))
	if !c.SameStore(src) {
		t.Error("got another store, want the same")
	}
	for _, key := range []string{"a", "ä+b %2F&c?d"} {
		if err := src.Put(t.Context(), objects.New{Key: key, ContentType: "a/b", Tags: map[string]string{"x": "y"}}, []byte(key)); err != nil {
			t.Fatal(err)
		}
		from := objects.From{Bucket: other.Name, Object: find(t, src, key)}
		n := objects.New{Key: "to/" + key, ContentType: "text/csv", Meta: map[string]string{"mine": "yes"}}
		if err := c.Copy(t.Context(), n, from); err != nil {
			t.Fatal(err)
		}
		info, err := c.Head(t.Context(), n.Key)
		if err != nil || info.ContentType != "text/csv" || info.Meta["mine"] != "yes" || string(b.Get(n.Key)) != key {
			t.Errorf("got %+v, %v, want what was said of it", info, err)
		}
		if tags, err := c.Tags(t.Context(), n.Key, ""); b.Store.Tags() && (err != nil || tags["x"] != "y") {
			t.Errorf("got tags %v, %v, want those of the source", tags, err)
		}
		other.Put(key, []byte("another"))
		if err := c.Copy(t.Context(), n, from); !errors.Is(err, objects.ErrPrecondition) {
			t.Errorf("replaced: got %v, want %v", err, objects.ErrPrecondition)
		}
		other.Delete(key)
		if err := c.Copy(t.Context(), n, from); !errors.Is(err, objects.ErrNotFound) {
			t.Errorf("gone: got %v, want %v", err, objects.ErrNotFound)
		}
	}
}

func TestAStoreTakesItsChecksumsAndWhatIsNotSigned(t *testing.T) {
	b := objectstest.New(t)
	for _, cfg := range []objects.Quirks{{Checksum: "crc32c"}, {Checksum: "md5"}, {Checksum: "none"}} {
		unsigned := true
		cfg.UnsignedPayload = &unsigned
		options := b.Config("")
		options.Quirks = cfg
		c := client(t, options)
		if err := c.Put(t.Context(), objects.New{Key: "k"}, []byte("1234")); err != nil {
			t.Errorf("%s: %v", cfg.Checksum, err)
		}
		id, err := c.Begin(t.Context(), objects.New{Key: "parts"})
		if err != nil {
			t.Fatal(err)
		}
		etags := make([]string, 2)
		for i, size := range []int{5 << 20, 10} {
			if etags[i], err = c.Part(t.Context(), "parts", id, i+1, random(size)); err != nil {
				t.Errorf("%s: %v", cfg.Checksum, err)
			}
		}
		if err := c.Complete(t.Context(), objects.New{Key: "parts"}, id, etags); err != nil {
			t.Errorf("%s: %v", cfg.Checksum, err)
		}
		if n := len(b.Get("parts")); n != 5<<20+10 {
			t.Errorf("%s: got %d bytes", cfg.Checksum, n)
		}
		info, err := c.Head(t.Context(), "parts")
		if want := cfg.Checksum == "crc32c"; err != nil || info.Parts != 2 || want && (info.Checksum.Algorithm != "crc32c" || !info.Checksum.Parts) {
			t.Errorf("%s: got %+v, %v", cfg.Checksum, info, err)
		}
		if err := c.Abort(t.Context(), "parts", id); err != nil {
			t.Error(err)
		}
	}
}
