package stores_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"sluice/internal/objects/objectstest"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// random is n bytes that follow from a seed.
func random(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// TestObjectsOfAllSizesGoThereAndBack: none, few bytes, and the sizes around
// those of one part and of several.
func TestObjectsOfAllSizesGoThereAndBack(t *testing.T) {
	from, to := objectstest.New(t), objectstest.New(t)
	var src items
	want := map[string]string{}
	for i, n := range []int{0, 1, part - 1, part, part + 1, 2 * part, 3 * part, 3*part + 7} {
		src = append(src, item{fmt.Sprintf("%d-%d", i, n), random(byte(i), n)})
		want[src[i].key] = string(src[i].body)
	}
	if err := run(t, src, sink(t, from, "")); err != nil {
		t.Fatal(err)
	}
	if err := run(t, source(t, from), sink(t, to, "")); err != nil {
		t.Fatal(err)
	}
	var got memory
	if err := run(t, source(t, to), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.objects) != len(want) {
		t.Errorf("got objects %q, want %d", got.order, len(want))
	}
	for key, body := range want {
		if got.objects[key] != body {
			t.Errorf("%s: got %d bytes, or others, want %d", key, len(got.objects[key]), len(body))
		}
	}
	if left := append(from.Uploads(), to.Uploads()...); len(left) > 0 {
		t.Errorf("got uploads %q, want none", left)
	}
}

const racers = 16

// race runs pipelines that write the same key at the same time, and returns
// which of them say that they are complete.
func race(t *testing.T, b *objectstest.Bucket, name func(i int) string, body func(i int) []byte) (complete []int) {
	t.Helper()
	var mu sync.Mutex
	var g errgroup.Group
	for i := range racers {
		p := &pipeline.Pipeline{Name: name(i), Source: items{{"contested", body(i)}}, Sink: sink(t, b, ""), Lanes: 1,
			Store: &pipelinetest.Store{World: &pipelinetest.World{}}}
		g.Go(func() error {
			res, err := p.Run(t.Context())
			if err == nil && res.Complete {
				mu.Lock()
				defer mu.Unlock()
				complete = append(complete, i)
				return nil
			}
			if !strings.Contains(err.Error(), "contested") {
				return fmt.Errorf("an error that does not name the object: %w", err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	return complete
}

// TestOneOfSixteenPipelinesWinsAKey: each has another body and another name. A
// store that does not honour conditions lets several of them win; one that
// does, one, and what is there is its body.
func TestOneOfSixteenPipelinesWinsAKey(t *testing.T) {
	for what, size := range map[string]int{"one request": 1 << 10, "parts": part + 1} {
		t.Run(what, func(t *testing.T) {
			b := objectstest.New(t)
			if size > part && !b.Store.Conditional() {
				t.Skip("it takes no conditions")
			}
			body := func(i int) []byte { return random(byte(i), size) }
			won := race(t, b, func(i int) string { return fmt.Sprint("racer-", i) }, body)
			if b.Store.Conditional() && len(won) != 1 || len(won) == 0 {
				t.Fatalf("racers %v are complete, want one", won)
			}
			got := b.Get("contested")
			if !slices.ContainsFunc(won, func(i int) bool { return bytes.Equal(got, body(i)) }) {
				t.Errorf("racers %v are complete, and the object is of none of them", won)
			}
			t.Logf("%s: %d of %d are complete", b.Store, len(won), racers)
			if left := b.Uploads(); len(left) > 0 {
				t.Errorf("got uploads %q, want none", left)
			}
		})
	}
}

// TestSixteenRunsOfOnePipelineMakeTheSameBytes: whoever wins, and whatever the
// store does with conditions.
func TestSixteenRunsOfOnePipelineMakeTheSameBytes(t *testing.T) {
	b := objectstest.New(t)
	body := random(1, part+1)
	won := race(t, b, func(int) string { return "racer" }, func(int) []byte { return body })
	if b.Store.Conditional() && len(won) != racers || len(won) == 0 { // else what another uploads may be dropped when one is done
		t.Errorf("%d of %d are complete, want all", len(won), racers)
	}
	if !bytes.Equal(b.Get("contested"), body) {
		t.Error("the object has other bytes")
	}
	if left := b.Uploads(); len(left) > 0 {
		t.Errorf("got uploads %q, want none", left)
	}
}

// TestAProbeSaysWhatTheStoreDoesWithConditions and leaves nothing behind.
func TestAProbeSaysWhatTheStoreDoesWithConditions(t *testing.T) {
	b := objectstest.New(t)
	config := b.Config("")
	client, err := config.Client(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got, err := client.Conditional(t.Context(), "probe"); err != nil || got != b.Store.Conditional() {
		t.Errorf("%s: got %v, %v, want %v", b.Store, got, err, b.Store.Conditional())
	}
	if got, err := client.Versioned(t.Context()); err != nil || got {
		t.Errorf("%s: versioned %v, %v, want that it is not", b.Store, got, err)
	}
	if keys, uploads := b.Keys(), b.Uploads(); len(keys)+len(uploads) > 0 {
		t.Errorf("got objects %q and uploads %q, want none", keys, uploads)
	}
}
