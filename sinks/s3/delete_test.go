package s3_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/objects/objectstest"
	"sluice/internal/roll"
	"sluice/pipeline"
	"sluice/test/faultproxy"
)

// gone is the item of a key that no longer exists at the source.
func gone(key string) *pipeline.Item {
	return &pipeline.Item{Key: key, Size: -1, Records: -1, Delete: true}
}

func TestADeletedItemTakesItsObjectWithIt(t *testing.T) {
	b := objectstest.New(t)
	b.Put("x/theirs", []byte("theirs"))
	p := faultproxy.New(t, b.Store.Endpoint)
	c := options(b, p.URL, "x/{key}")
	store := fresh()
	run := func(overwrite string, list ...*pipeline.Item) (pipeline.Result, error) {
		c.Overwrite = overwrite
		return pipe(t, items(list), c, store).Run(t.Context())
	}
	if res, err := run(roll.Own, item("a", "1"), item("b", "2"), item("c", "3")); err != nil || !res.Complete {
		t.Fatalf("got %+v, %v", res, err)
	}
	p.Add(&faultproxy.Rule{Method: "DELETE", Late: true, Cut: true})
	res, err := run(roll.Own, gone("a"), gone("never"), gone("theirs"), gone("b"), item("b", "again"))
	if err != nil || !res.Complete || res.Counts.Deleted != 4 {
		t.Errorf("got %+v, %v, want 4 deleted", res, err)
	}
	want := map[string]string{"x/b": "again", "x/c": "3", "x/theirs": "theirs"}
	if diff := cmp.Diff(want, b.Objects()); diff != "" {
		t.Errorf("own (-want +got):\n%s", diff)
	}
	if _, err = run(roll.Never, gone("c")); err == nil || !strings.Contains(err.Error(), "x/c was deleted at the source, and is of pass 1") {
		t.Errorf("never: got %v, want that it is kept", err)
	}
	if res, err = run(roll.Always, gone("c"), gone("theirs")); err != nil || !res.Complete {
		t.Errorf("always: got %+v, %v", res, err)
	}
	if diff := cmp.Diff(map[string]string{"x/b": "again"}, b.Objects()); diff != "" {
		t.Errorf("always (-want +got):\n%s", diff)
	}
}
