package roll_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"sluice/internal/roll"
	"sluice/pipeline"
)

// many are n streams of one byte. opened counts the bodies that are read.
func many(n int, opened *atomic.Int32) (items []*pipeline.Item) {
	for i := range n {
		items = append(items, &pipeline.Item{Key: fmt.Sprintf("%03d", i), Size: 1, Records: -1, Body: pipeline.BodyFunc(
			func(context.Context) (io.ReadCloser, error) {
				opened.Add(1)
				return reading{strings.NewReader("x"), opened}, nil
			})})
	}
	return items
}

type reading struct {
	io.Reader
	opened *atomic.Int32
}

func (r reading) Close() error { r.opened.Add(-1); return nil }

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func TestObjectsAreCommittedWhileTheNextAreRead(t *testing.T) {
	for _, copied := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var opened, under, most atomic.Int32
			j := newJob(t, "{key}", roll.Options{}, many(160, &opened)...)
			j.Late, j.Copied = true, copied
			j.Committed = func(ctx context.Context, _ string) error {
				n := under.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				defer under.Add(-1)
				if opened.Load() > 1 && !copied {
					t.Errorf("%d bodies are open", opened.Load())
				}
				return pause(ctx, 10*time.Millisecond)
			}
			began := time.Now()
			res, err := j.run(t, t.Context())
			if took := time.Since(began); err != nil || !res.Complete || len(j.Objects) != 160 || took > 150*time.Millisecond || most.Load() != roll.InFlight {
				t.Errorf("copied %v: got %d objects in %v, %d at a time, %+v, %v; want 160 in a tenth of the time, %d at a time", copied, len(j.Objects), took, most.Load(), res, err, roll.InFlight)
			}
		})
	}
}

// Objects that cannot be copied after all are read one after the other, too.
func TestOneBodyIsReadAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened atomic.Int32
		items := many(40, &opened)
		for _, it := range items {
			inner := it.Body
			it.Body = pipeline.BodyFunc(func(ctx context.Context) (io.ReadCloser, error) {
				body, err := inner.Open(ctx)
				if n := opened.Load(); n > 1 {
					t.Errorf("%d bodies are open", n)
				}
				return body, errors.Join(err, pause(ctx, time.Millisecond))
			})
		}
		for _, late := range []bool{false, true} {
			j := newJob(t, "{key}", roll.Options{}, items...)
			j.Copied, j.Refused, j.Late = true, true, late
			if res, err := j.run(t, t.Context()); err != nil || !res.Complete || len(j.Objects) != 40 {
				t.Errorf("got %+v, %v, %d objects", res, err, len(j.Objects))
			}
		}
	})
}

var errLate = errors.New("late")

// TestALateErrorLosesNothing: one object fails after the next ones have been
// committed. What lies before it is saved, and it is made by the next run.
func TestALateErrorLosesNothing(t *testing.T) {
	for _, copied := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var opened atomic.Int32
			j := newJob(t, "{key}", roll.Options{}, many(40, &opened)...)
			j.Late, j.Copied = true, copied
			failing := true
			j.Committed = func(ctx context.Context, key string) error {
				if key != "004" || !failing {
					return nil
				}
				time.Sleep(time.Second)
				return errLate
			}
			res, err := j.run(t, t.Context())
			b, _ := j.store.Get("lanes", "l")
			if !errors.Is(err, errLate) || res.Complete || !strings.Contains(string(b), `"Token":"4"`) || len(j.Objects) != 39 {
				t.Errorf("got %+v, %v, %d objects, lane %s, want the error and four items saved", res, err, len(j.Objects), b)
			}
			failing = false
			if res, err = j.run(t, t.Context()); err != nil || !res.Complete || len(j.Objects) != 40 || res.Counts.ObjectsWritten != 40 {
				t.Errorf("again: got %+v, %v, %d objects, want 40", res, err, len(j.Objects))
			}
		})
	}
}

func TestAnErrorEndsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened atomic.Int32
		j := newJob(t, "{key}", roll.Options{}, many(40, &opened)...)
		j.Late = true
		j.Committed = func(ctx context.Context, key string) error {
			if key == "012" {
				return errLate
			}
			return pause(ctx, time.Hour)
		}
		began := time.Now()
		if _, err := j.run(t, t.Context()); !errors.Is(err, errLate) || time.Since(began) > time.Minute {
			t.Errorf("got %v after %v, want the error at once", err, time.Since(began))
		}
	})
}

func TestTwoObjectsOfOneKeyAreNeverUnderWayTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		items := []*pipeline.Item{stream("a", "1"), stream("b", "2"), stream("a", "3"), stream("c", "5"), stream("a", "4")}
		items[2].Version, items[4].Version = "2", "3"
		j := newJob(t, "{key}", roll.Options{}, items...)
		j.Late, j.Bad = true, func(string, ...any) {}
		var under atomic.Int32
		j.Committed = func(ctx context.Context, key string) error {
			if key != "a" {
				return nil
			}
			if under.Add(1) > 1 {
				t.Error("two of one key")
			}
			defer under.Add(-1)
			return pause(ctx, time.Second)
		}
		if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
			t.Errorf("got %+v, %v", res, err)
		}
		equal(t, "objects", j.contents(), []string{"a=4", "b=2", "c=5"})
	})
}

func TestVersionsOfAnObjectHaveKeysOfTheirOwn(t *testing.T) {
	items := []*pipeline.Item{stream("a", "1"), stream("a", "2"), stream("b", "3")}
	for i, it := range items {
		it.Version = fmt.Sprint("v", i)
	}
	j := newJob(t, "{key}/{version}", roll.Options{}, items...)
	if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
		t.Errorf("got %+v, %v", res, err)
	}
	equal(t, "objects", j.contents(), []string{"a/v0=1", "a/v1=2", "b/v2=3"})
}

// replaced is a body whose bytes are gone in their middle, and others are in
// their place.
type replaced struct {
	it    *pipeline.Item
	times int // that happens
	n     int
}

// Open implements [pipeline.Body].
func (r *replaced) Open(context.Context) (io.ReadCloser, error) {
	if r.n < r.times {
		return io.NopCloser(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(fmt.Errorf("replaced: %w", pipeline.ErrGone)))), nil
	}
	return io.NopCloser(strings.NewReader(fmt.Sprint("version ", r.n))), nil
}

// Renew implements [pipeline.Renewer].
func (r *replaced) Renew(context.Context, error) (bool, error) {
	if r.n == 3 {
		return false, nil
	}
	r.n++
	r.it.Version = fmt.Sprint(r.n)
	return true, nil
}

func TestAnItemThatIsReplacedWhileItIsWrittenBeginsAgain(t *testing.T) {
	for times, want := range map[int][]string{1: {"a=version 1", "b=2"}, 3: {"a=version 3", "b=2"}, 9: {"b=2"}} {
		it := stream("a", "")
		it.Size, it.Records = -1, -1
		it.Body = &replaced{it: it, times: times}
		j := newJob(t, "{key}", roll.Options{}, it, stream("b", "2"))
		j.giveUp = true
		if res, err := j.run(t, t.Context()); err != nil || !res.Complete || res.Counts.GivenUp != int64(2-len(want)) {
			t.Errorf("replaced %d times: got %+v, %v", times, res, err)
		}
		equal(t, fmt.Sprint(times), j.contents(), want)
		if j.Open_ != 0 {
			t.Errorf("replaced %d times: %d objects were neither committed nor aborted", times, j.Open_)
		}
	}
}
