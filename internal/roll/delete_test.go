package roll_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/roll"
	"sluice/pipeline"
)

// gone is the item of a key that no longer exists at the source.
func gone(key string) *pipeline.Item {
	return &pipeline.Item{Key: key, Size: -1, Records: -1, Delete: true}
}

// TestADeleteRemovesTheObjectOfItsItem crashes at every operation, and goes on.
func TestADeleteRemovesTheObjectOfItsItem(t *testing.T) {
	for at, more := 0, true; more; at++ {
		j := newJob(t, "x/{key}", roll.Options{}, stream("a", "1\n"), stream("b", "2\n"), gone("a"), gone("never"), gone("b"), stream("b", "3\n"), gone("foreign"))
		j.Objects["x/foreign"] = made{roll.Owner{Pipeline: "q", Source: "foreign"}, "theirs"}
		j.Bad = func(string, ...any) {} // b is written twice, with other bytes
		j.World.At = at
		res, err := j.run(t, t.Context())
		if more = at == 0 || !res.Complete; more && at > 0 {
			j.World.Restart()
			j.Open_ = 0
			if complete(j.store, 1) {
				continue
			}
			res, err = j.run(t, t.Context())
		}
		if err != nil || !res.Complete {
			t.Fatalf("at %d: got %+v, %v", at, res, err)
		}
		equal(t, fmt.Sprint("at ", at), j.contents(), []string{"x/b=3\n", "x/foreign=theirs"})
		if res.Counts.Deleted != 4 {
			t.Errorf("at %d: counted %d deletes, want 4", at, res.Counts.Deleted)
		}
	}
}

func TestADeleteWaitsForTheObjectThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJob(t, "{key}", roll.Options{}, stream("a", "1"), stream("b", "2"), gone("a"), gone("b"), stream("b", "3"))
		j.Late, j.Bad = true, func(string, ...any) {}
		j.Committed = func(ctx context.Context, _ string) error { return pause(ctx, time.Second) }
		if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
			t.Errorf("got %+v, %v", res, err)
		}
		equal(t, "objects", j.contents(), []string{"b=3"})
	})
}

func TestWhichObjectsADeleteRemoves(t *testing.T) {
	mine := roll.Owner{Pipeline: "p", Pass: 2, Source: "k"}
	for _, c := range []struct {
		name       string
		theirs     *roll.Owner
		own, never string // yes, no, or part of an error
	}{
		{"of this pass", &roll.Owner{Pipeline: "p", Pass: 2, Source: "k"}, "yes", "yes"},
		{"of an earlier pass", &roll.Owner{Pipeline: "p", Pass: 1, Source: "k", Version: "3"}, "yes", "set overwrite: own"},
		{"of another item", &roll.Owner{Pipeline: "p", Pass: 2, Source: "j"}, "no", "no"},
		{"of another pipeline", &roll.Owner{Pipeline: "q", Pass: 2, Source: "k"}, "no", "no"},
		{"of several items", &roll.Owner{Pipeline: "p", Pass: 2}, "no", "no"},
		{"nobody knows", nil, "no", "no"},
	} {
		for overwrite, want := range map[string]string{roll.Own: c.own, roll.Never: c.never, roll.Always: "yes"} {
			may, err := roll.Removable(overwrite, "name", mine, c.theirs)
			got := map[bool]string{true: "yes", false: "no"}[may]
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, want) {
				t.Errorf("%s, %s: got %q, want %q", c.name, overwrite, got, want)
			}
		}
	}
}

// stamps notes what it is told.
type stamps struct{}

func (stamps) Made(key string, it *pipeline.Item, s roll.Stamp) []pipeline.Row {
	return []pipeline.Row{{Bucket: "sink.stamps", Key: key, Value: fmt.Appendf(nil, "%s %s %d", it.Version, s.Tag, s.Size)}}
}

func (stamps) Removed(key string) []pipeline.Row {
	return []pipeline.Row{{Bucket: "sink.stamps", Key: key}}
}

func TestASaveNotesWhatWasMadeOfAnItem(t *testing.T) {
	j := newJob(t, "{key}", roll.Options{}, stream("a", "12\n"), stream("b", "3\n"), gone("b"), failing("c", "", pipeline.ErrGone))
	j.items[0].Version, j.giveUp, j.notes = "v", true, stamps{}
	if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
		t.Fatalf("got %+v, %v", res, err)
	}
	var rows []string
	j.store.Range("sink.stamps", "", func(key string, v []byte) error { rows = append(rows, key+"="+string(v)); return nil })
	equal(t, "rows", rows, []string{"a=v 3 3"})
}
