package stores_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"sluice/internal/objects"
	"sluice/internal/objects/objectstest"
	"sluice/test/servers"
)

// awkward is keys that AWS takes, and that somebody has lost.
var awkward = []string{
	"plain",
	"control-\x01-\x1f",
	"tab\tnewline\ncarriage\rreturn",
	"delete-\x7f",
	"a//double",
	"/leading",
	"double-end//",
	"./dot",
	"up/./here",
	"up/../other",
	"../above",
	"...",
	".hidden",
	"plus+plus",
	"percent%",
	"escaped%2Fslash",
	"escaped%00nul",
	"escaped+%2B+%20",
	" blank first",
	"blank last ",
	"two  blanks",
	"composed-caf\u00e9",
	"decomposed-cafe\u0301",
	"emoji-🎉/🧪",
	"日本語/キー",
	"right-to-left-\u05d0\u05d1",
	"invisible-\u200b\u2028\ufeff",
	"no-character-\ufffe",
	"last-\U0010ffff",
	"long-" + strings.Repeat("segments/", 113) + "xx", // 1,024 bytes
	"segment-" + strings.Repeat("s", 247),             // 255 bytes
	segment300,
	oneSegment,
	"trail/",
	"parent",
	"parent/child",
	"parent-",
	`quotes"'` + "`",
	"markup&<>&amp;",
	`back\slash`,
	"what?is=this#here",
	"semi;colon,comma:at@dollar$",
	"brackets[]{}()*|^~!",
	"Case",
	"case",
	"s3://bucket/key",
}

var (
	segment300 = "segment-" + strings.Repeat("s", 292) // bytes: no name of a file
	oneSegment = strings.Repeat("é", 512)              // 1,024 bytes
)

// refused says which of them a store does not take.
var refused = map[string][]string{
	"versitygw": {"double-end//", "../above", segment300, oneSegment, "trail/", "parent/child"},
	"minio":     {"a//double", "double-end//", "./dot", "up/./here", "up/../other", "../above", segment300, oneSegment, "s3://bucket/key"},
}

// misplaced says which of them a store takes and lists as something else; ""
// is not at all.
var misplaced = map[string]map[string]string{
	"versitygw": {
		"control-\x01-\x1f": "control-\ufffd-\ufffd", "no-character-\ufffe": "no-character-\ufffd",
		"a//double": "a/double", "/leading": "leading", "./dot": "dot", "up/./here": "up/here", "up/../other": "other", "s3://bucket/key": "s3:/bucket/key",
	},
	"minio":  {"/leading": "leading", "parent/child": ""},
	"garage": {"/leading": "leading"},
}

// fit returns the awkward keys that a store keeps as they are.
func fit(s servers.Store) (keys []string) {
	for _, key := range awkward {
		if _, lost := misplaced[s.Name][key]; !lost && !slices.Contains(refused[s.Name], key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// bucket is a bucket that is emptied of awkward keys, which some stores list as
// others.
func bucket(t *testing.T) *objectstest.Bucket {
	b := objectstest.New(t)
	t.Cleanup(func() {
		for _, key := range awkward {
			b.API.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &b.Name, Key: &key})
		}
	})
	return b
}

// TestAwkwardKeysGoThereAndBack puts an object under each key by the sink,
// copies the bucket from source to sink, and reads the copy by the source.
func TestAwkwardKeysGoThereAndBack(t *testing.T) {
	from, to := bucket(t), bucket(t)
	want := map[string]string{}
	for _, key := range fit(from.Store) {
		want[key] = fmt.Sprintf("the body of %q", key)
		if err := run(t, items{{key, []byte(want[key])}}, sink(t, from, "")); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
	if err := run(t, source(t, from), sink(t, to, "")); err != nil {
		t.Fatal(err)
	}
	var got memory
	if err := run(t, source(t, to), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.objects); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if order := slices.Sorted(maps.Keys(want)); !slices.Equal(got.order, order) {
		t.Errorf("got the keys in order %q, want %q", got.order, order)
	}
}

// TestAKeyThatTheStoreDoesNotTakeIsNamed: what the store refuses is an error
// that names it.
func TestAKeyThatTheStoreDoesNotTakeIsNamed(t *testing.T) {
	b := bucket(t)
	b.Put("parent", []byte("x"))
	for _, key := range refused[b.Store.Name] {
		err := run(t, items{{key, []byte("x")}}, sink(t, b, ""))
		if err == nil || !strings.Contains(err.Error(), b.Name+"/"+key) {
			t.Errorf("%q: got %v, want an error that names it", key, err)
		}
	}
	if got := b.Keys(); !slices.Equal(got, []string{"parent"}) {
		t.Errorf("got %q in the bucket, want what was there before", got)
	}
}

// TestAKeyThatTheStoreMisplacesIsNamed: a key that a store takes for another
// one is an error that names it. Where this fails otherwise, a store lists a key
// as it is now, or makes another one of it.
func TestAKeyThatTheStoreMisplacesIsNamed(t *testing.T) {
	b := bucket(t)
	b.Put("parent", []byte("x"))
	for key, as := range misplaced[b.Store.Name] {
		err := run(t, items{{key, []byte("x")}}, sink(t, b, ""))
		if as == "" { // it can be read, and is not listed; nothing about the key tells that
			as = "parent"
		} else if err == nil || !strings.Contains(err.Error(), b.Name+"/"+key+": ") || !strings.Contains(err.Error(), fmt.Sprintf("%q", key)) {
			t.Errorf("%q: got %v, want an error that names it", key, err)
		}
		want := slices.Compact(slices.Sorted(slices.Values([]string{"parent", as})))
		if got := b.Keys(); !slices.Equal(got, want) {
			t.Errorf("%q: got %q in the bucket, want %q", key, got, want)
		}
		b.Delete(key)
	}
}

// TestAListingGoesOnAfterEachAwkwardKey lists after each key, as a run does
// that goes on there.
func TestAListingGoesOnAfterEachAwkwardKey(t *testing.T) {
	b := bucket(t)
	var keys []string
	var src items
	for _, key := range slices.Sorted(slices.Values(fit(b.Store))) {
		keys = append(keys, key)
		src = append(src, item{key, []byte("x")})
	}
	if err := run(t, src, sink(t, b, "")); err != nil {
		t.Fatal(err)
	}
	config := b.Config("")
	client, err := config.Client(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i, after := range append([]string{""}, keys...) {
		var got []string
		err := client.List(t.Context(), "", after, func(o objects.Object) error {
			got = append(got, o.Key)
			return nil
		})
		if err != nil || !slices.Equal(got, keys[i:]) {
			t.Fatalf("after %q: got %q, %v, want %q", after, got, err, keys[i:])
		}
	}
}

// TestLanesShareOutAwkwardKeys reads the bucket by several lanes.
func TestLanesShareOutAwkwardKeys(t *testing.T) {
	b := bucket(t)
	var src items
	want := map[string]string{}
	for _, key := range fit(b.Store) {
		want[key] = "body of " + key
		src = append(src, item{key, []byte(want[key])})
	}
	if err := run(t, src, sink(t, b, "")); err != nil {
		t.Fatal(err)
	}
	var got memory
	p := pipe(source(t, b), &got)
	p.Lanes = 5
	if res, err := p.Run(t.Context()); err != nil || !res.Complete {
		t.Fatalf("complete %v, %v", res.Complete, err)
	}
	if diff := cmp.Diff(want, got.objects); diff != "" || len(got.order) != len(want) {
		t.Errorf("%d objects (-want +got):\n%s", len(got.order), diff)
	}
}
