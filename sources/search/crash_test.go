package search_test

import (
	"bytes"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/test/faultproxy"
)

// A crash comes at every operation that is durable, one run each: the context
// that is put into the store, each object, each save. The next run gives the
// same objects as one that was not disturbed.
func TestACrashAnywhereChangesNoObject(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 2500, 1000)
	for _, read := range ways(t) {
		c := config(i.url, i)
		c.Read = read
		want := newJob(c)
		want.complete(t)
		want.wants(t, i)
		for at := 1; ; at++ {
			j := newJob(c)
			j.world.At = at
			_, err := j.run(t.Context(), t)
			if err == nil {
				break // there are no more operations
			}
			if !errors.Is(err, pipelinetest.ErrCrash) {
				t.Fatalf("%s, operation %d: got %v, want the crash", read, at, err)
			}
			j.world.Restart()
			j.complete(t)
			if s, _ := j.last.Status(); read != "scroll" && s.Lanes[0].State.Start != 0 {
				t.Errorf("%s, operation %d: the lane started over, though its point in time lives", read, at)
			}
			if diff := cmp.Diff(want.sink.Objects, j.sink.Objects); diff != "" {
				t.Fatalf("%s, operation %d: objects (-undisturbed +got):\n%.500s", read, at, diff)
			}
		}
	}
}

// A scroll that gave all that it holds is not opened again, if all of that is
// durable and the crash came only before the lane was known to have ended.
func TestAScrollThatWasReadToItsEndIsNotReadAgain(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 100, 300)
	c := config(i.url, i)
	c.Read = "scroll"
	for at := 1; ; at++ {
		j := newJob(c)
		j.world.At = at
		if _, err := j.run(t.Context(), t); err == nil {
			t.Fatal("no crash came between the end of the lane and that of the pass")
		}
		j.world.Restart()
		lane, _ := j.store.Get("lanes", i.name+"-0")
		if !bytes.Contains(lane, []byte(`"Ended":true`)) {
			continue
		}
		before := bytes.Replace(lane, []byte(`"Ended":true`), []byte(`"Ended":false`), 1) // a save could come here
		if err := j.store.Put(pipeline.Row{Bucket: "lanes", Key: i.name + "-0", Value: before}); err != nil {
			t.Fatal(err)
		}
		j.complete(t)
		if s, _ := j.last.Status(); s.Lanes[0].State.Start != 0 {
			t.Errorf("operation %d: the lane started over after its end", at)
		}
		return
	}
}

// No page is asked for before its context is in the store: a process that dies
// in between would leave records behind that no context is known of.
func TestTheContextIsInTheStoreBeforeItsFirstPage(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 1200, 1000)
	for _, read := range snapshots(t) {
		c := config(i.url, i)
		c.Read = read
		j := newJob(c)
		known := false
		j.store.Check = func(rows map[string]map[string][]byte) {
			known = known || len(rows["source.contexts"]) > 0
			for lane, st := range rows["lanes"] {
				if !known && len(j.sink.Objects) > 0 {
					t.Errorf("%s: lane %s is at %s, and no context is known", read, lane, st)
				}
			}
		}
		j.complete(t)
		if !known {
			t.Errorf("%s: no context was put into the store", read)
		}
		j = newJob(c)
		j.stopAfter(t, 0)
		if v, _ := j.store.Get("source.contexts", i.name+"-0"); v == nil {
			t.Errorf("%s: nothing is known of the context of a run that was stopped", read)
		}
	}
}

// A process that dies right after a context was opened leaves behind what the
// next one closes: its name is in the store before anything else is asked.
func TestAContextIsKnownAsSoonAsItHasAName(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 100, 300)
	for _, read := range snapshots(t) {
		p := faultproxy.New(t, i.url)
		c := config(p.URL, i)
		c.Read = read
		j := newJob(c)
		opened := 0
		p.Add(&faultproxy.Rule{Match: func(r *http.Request) bool {
			known := 0
			j.store.Range("source.contexts", "", func(string, []byte) error { known++; return nil })
			if r.Method != http.MethodDelete && known < opened {
				t.Errorf("%s: %d contexts were opened, and %d are known at %s %s", read, opened, known, r.Method, r.URL)
			}
			if q := r.URL.Query(); q.Has("keep_alive") || q.Has("scroll") {
				opened++
			}
			return false
		}})
		j.complete(t)
		if opened == 0 {
			t.Errorf("%s: no context was opened", read)
		}
	}
}
