package roll_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"sluice/internal/keys"
	"sluice/internal/roll"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// job is one run of scripted items into a bucket.
type job struct {
	script
	bucket
	store  *pipelinetest.Store
	giveUp bool
}

func newJob(t *testing.T, key string, o roll.Options, items ...*pipeline.Item) *job {
	w := &pipelinetest.World{}
	return &job{script: script{items: items}, store: &pipelinetest.Store{World: w},
		bucket: bucket{World: w, Key: key, Roll: o, Bad: t.Errorf, Objects: map[string]made{}}}
}

func (j *job) run(t *testing.T, ctx context.Context) (pipeline.Result, error) {
	t.Helper()
	p := &pipeline.Pipeline{Name: "p", Log: slog.New(slog.DiscardHandler), Source: &j.script, Sink: &j.bucket, Store: j.store,
		GiveUp: j.giveUp, Dead: &pipelinetest.Letters{World: j.World, Durable: map[string]string{}}, Lanes: 1, Grace: time.Second}
	res, err := p.Run(ctx)
	if j.Open_ != 0 {
		t.Errorf("%d objects neither committed nor aborted", j.Open_)
	}
	return res, err
}

func (j *job) contents() (all []string) {
	for _, key := range slices.Sorted(maps.Keys(j.Objects)) {
		all = append(all, key+"="+j.Objects[key].Content)
	}
	return all
}

// stream is an item whose body is a stream.
func stream(key, content string) *pipeline.Item {
	return &pipeline.Item{Key: key, Size: int64(len(content)), Records: int64(strings.Count(content, "\n")), Body: pipeline.BodyFunc(
		func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil })}
}

func failing(key, content string, err error) *pipeline.Item {
	it := stream(key, content)
	it.Size, it.Records = -1, -1
	it.Body = pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) {
		if content == "" {
			return nil, err
		}
		return io.NopCloser(io.MultiReader(strings.NewReader(content), iotest.ErrReader(err))), nil
	})
	return it
}

func unplaced(it *pipeline.Item) *pipeline.Item {
	it.Pos.Token = "none"
	return it
}

const rolled = "{lane}_{sequence}"

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestWhereObjectsEnd(t *testing.T) {
	abc := func() []*pipeline.Item {
		return []*pipeline.Item{stream("a", "1\n2\n"), stream("b", "3\n"), stream("c", "4\n"), stream("d", "5\n6\n"), stream("e", "7\n")}
	}
	held := abc()
	unplaced(held[0])
	unplaced(held[1])
	for _, c := range []struct {
		name  string
		o     roll.Options
		items []*pipeline.Item
		want  []string
	}{
		{"at the item that reaches the bytes", roll.Options{Bytes: 5}, abc(), []string{"l_0=1\n2\n3\n", "l_1=4\n5\n6\n", "l_2=7\n"}},
		{"exactly at the bytes", roll.Options{Bytes: 6}, abc(), []string{"l_0=1\n2\n3\n", "l_1=4\n5\n6\n", "l_2=7\n"}},
		{"before the records are too many", roll.Options{Records: 3}, abc(), []string{"l_0=1\n2\n3\n", "l_1=4\n5\n6\n", "l_2=7\n"}},
		{"not at records that fit", roll.Options{Records: 4}, abc(), []string{"l_0=1\n2\n3\n4\n", "l_1=5\n6\n7\n"}},
		{"bytes wait for a position", roll.Options{Bytes: 1}, held, []string{"l_0=1\n2\n3\n4\n", "l_1=5\n6\n", "l_2=7\n"}},
		{"records do not wait for a position", roll.Options{Records: 2}, held, []string{"l_0=1\n2\n", "l_1=3\n4\n", "l_2=5\n6\n", "l_3=7\n"}},
		{"without limits at the end", roll.Options{}, abc(), []string{"l_0=1\n2\n3\n4\n5\n6\n7\n"}},
		{"nothing makes no object", roll.Options{}, []*pipeline.Item{stream("a", ""), stream("b", "")}, nil},
		{"nothing in front", roll.Options{Bytes: 1}, []*pipeline.Item{stream("a", ""), stream("b", "1\n")}, []string{"l_0=1\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := newJob(t, rolled, c.o, c.items...)
			res, err := j.run(t, t.Context())
			if err != nil || !res.Complete {
				t.Fatalf("got %+v, %v", res, err)
			}
			equal(t, "objects", j.contents(), c.want)
			if res.Counts.ObjectsWritten != int64(len(c.want)) {
				t.Errorf("counted %d objects, want %d", res.Counts.ObjectsWritten, len(c.want))
			}
		})
	}
}

func TestAnObjectThatIsOldEndsWhileNothingComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJob(t, rolled, roll.Options{Every: unit.Duration(10 * time.Second)},
			stream("a", "1\n"), unplaced(stream("b", "2\n")), stream("c", "3\n"), stream("d", "4\n"))
		gaps := []time.Duration{25 * time.Second, 25 * time.Second, time.Second, 0}
		var seen [][]string
		j.after = func(_ context.Context, n int) {
			time.Sleep(gaps[n])
			synctest.Wait()
			j.World.Look(func() { seen = append(seen, j.contents()) })
		}
		if _, err := j.run(t, t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "25 s after the first", seen[0], []string{"l_0=1\n"})
		equal(t, "25 s after one without a position", seen[1], []string{"l_0=1\n"})
		equal(t, "1 s after the next that has one", seen[2], []string{"l_0=1\n", "l_1=2\n3\n"})
		equal(t, "at the end", j.contents(), []string{"l_0=1\n", "l_1=2\n3\n", "l_2=4\n"})
	})
}

// TestAReplayEndsObjectsWhereTheFirstRunDid crashes at any operation, and
// replays at a pace at which time would end objects sooner.
func TestAReplayEndsObjectsWhereTheFirstRunDid(t *testing.T) {
	for _, o := range []roll.Options{{Every: unit.Duration(time.Second)}, {Every: unit.Duration(time.Second), Bytes: 4}} {
		for at := 1; replay(t, o, at); at++ {
		}
	}
}

// replay is false if the first run ended before operation at.
func replay(t *testing.T, o roll.Options, at int) (more bool) {
	var items []*pipeline.Item
	for i := range 9 {
		items = append(items, stream(fmt.Sprint(i), fmt.Sprintln(i)))
	}
	synctest.Test(t, func(t *testing.T) {
		j := newJob(t, rolled, o, items...)
		j.World.At = at
		pace := 300 * time.Millisecond
		j.after = func(context.Context, int) { time.Sleep(pace) }
		if _, err := j.run(t, t.Context()); err == nil || complete(j.store, 1) {
			return
		}
		more = true
		first := maps.Clone(j.Objects)
		cuts := 0
		j.store.Range("sink.cuts", "", func(string, []byte) error { cuts++; return nil })
		j.World.Restart()
		j.Open_ = 0
		pace = 2100 * time.Millisecond
		if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
			t.Fatalf("%+v at %d: %+v, %v", o, at, res, err)
		}
		for key, m := range first {
			if got := j.Objects[key]; got.Content != m.Content {
				t.Errorf("%+v at %d: %s was %q, is %q", o, at, key, m.Content, got.Content)
			}
		}
		if next := j.Objects[fmt.Sprintf("l_%d", len(first))]; cuts > len(first) && strings.Count(next.Content, "\n") < 2 {
			t.Errorf("%+v at %d: the end of object %d was recorded; it holds %q", o, at, len(first), next.Content)
		}
	})
	return more && !t.Failed()
}

func TestAStopEndsTheObjectAndRecordsWhere(t *testing.T) {
	for _, placed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			last := stream("b", "2\n")
			want := []string{"l_0=1\n2\n", "l_1=3\n"}
			if !placed {
				unplaced(last)
				want = []string{"l_0=1\n2\n3\n"}
			}
			j := newJob(t, rolled, roll.Options{}, stream("a", "1\n"), last, stream("c", "3\n"))
			ctx, stop := context.WithCancel(t.Context())
			j.after = func(ctx context.Context, n int) {
				if n == 1 {
					synctest.Wait()
					stop()
					<-ctx.Done()
				}
			}
			recorded := false
			j.store.Check = func(rows map[string]map[string][]byte) { recorded = recorded || len(rows["sink.cuts"]) > 0 }
			res, err := j.run(t, ctx)
			if err != nil || res.Complete {
				t.Fatalf("stopped: got %+v, %v", res, err)
			}
			if recorded != placed {
				t.Errorf("position %v: cut recorded %v", placed, recorded)
			}
			j.after = nil
			if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
				t.Fatalf("again: got %+v, %v", res, err)
			}
			equal(t, "objects", j.contents(), want)
		})
	}
}

func TestEachItemIsAnObject(t *testing.T) {
	j := newJob(t, "x/{key}", roll.Options{Bytes: 1}, stream("a", "1\n"), stream("b/c", ""), stream("d", "3\n4\n"))
	j.script.items[0].Version = "v7"
	res, err := j.run(t, t.Context())
	if err != nil || !res.Complete || res.Counts.ObjectsWritten != 3 || res.Counts.BytesWritten != 6 {
		t.Fatalf("got %+v, %v", res, err)
	}
	equal(t, "objects", j.contents(), []string{"x/a=1\n", "x/b/c=", "x/d=3\n4\n"})
	want := roll.Owner{Pipeline: "p", Pass: 1, Lane: "L", Source: "a", Version: "v7"}
	if got := j.Objects["x/a"].Owner; got != want {
		t.Errorf("owner: got %+v, want %+v", got, want)
	}
}

func TestWhatCannotBeStoredIsAnErrorThatNamesIt(t *testing.T) {
	short, long := stream("k1", "123"), stream("k1", "123")
	short.Size, long.Size = 5, 2
	deleted := stream("k1", "")
	deleted.Body, deleted.Delete = nil, true
	named := func(key, index string) *pipeline.Item {
		it := stream(key, "1\n")
		it.Meta = &pipeline.Meta{Index: index}
		return it
	}
	b, err := pipeline.NewQuota(1).Block(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.Write([]byte("1\n"))
	for _, c := range []struct {
		key   string
		items []*pipeline.Item
		want  string
	}{
		{"{key}", []*pipeline.Item{short}, "k1: 3 of 5 bytes: unexpected EOF"},
		{rolled, []*pipeline.Item{short}, "k1: 3 of 5 bytes: unexpected EOF"},
		{"{key}", []*pipeline.Item{long}, "k1: 3 bytes, more than the 2 expected"},
		{"{key}", []*pipeline.Item{failing("k1", "12", errors.New("cut"))}, "k1: cut"},
		{"{key}", []*pipeline.Item{failing("k1", "", pipeline.ErrGone)}, "k1: cannot be had"},
		{rolled, []*pipeline.Item{failing("k1", "12", pipeline.ErrGone)}, "k1: cannot be had"},
		{"{pass}/{key}", []*pipeline.Item{deleted}, "k1: it was deleted at the source, and {pass} does not say"},
		{rolled, []*pipeline.Item{deleted}, "k1: it was deleted at the source, and an object of several items cannot lose one"},
		{"{key}", []*pipeline.Item{stream("k1", ""), stream("k1", "")}, "k1: several items share this key: add {version}"},
		{"{key}", []*pipeline.Item{b.Item("k1", pipeline.Position{}, 1)}, "k1: several items share this key: add {sequence}"},
		{"{key}", []*pipeline.Item{stream("../k1", "")}, "no segment .."},
		{rolled, []*pipeline.Item{stream("k1", "1\n2\n3\n4\n5\n6\n7\n")}, "k1: one block holds 7 records, more than roll.records 6"},
		{"{index}_{sequence}", []*pipeline.Item{stream("k1", "1")}, "have no index"},
		{"{index}_{sequence}", []*pipeline.Item{named("k0", "i"), named("k1", "j")}, "k1: the lane holds items of the indices i and j"},
	} {
		j := newJob(t, c.key, roll.Options{Records: 6}, c.items...)
		res, err := j.run(t, t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || res.Complete {
			t.Errorf("%s: got %v, want %q", c.key, err, c.want)
		}
		if len(j.Objects) > 0 && c.items[0].Key == "k1" && len(c.items) == 1 {
			t.Errorf("%s: %s: objects are visible: %q", c.key, c.want, j.contents())
		}
	}
}

func TestAnItemThatCannotBeHadIsPassedOver(t *testing.T) {
	for key, want := range map[string][]string{"{key}": {"a=1\n", "c=3\n"}, rolled: {"l_0=1\n3\n"}} {
		j := newJob(t, key, roll.Options{}, stream("a", "1\n"), failing("b", "", fmt.Errorf("vanished: %w", pipeline.ErrGone)), stream("c", "3\n"))
		j.giveUp = true
		res, err := j.run(t, t.Context())
		if err != nil || !res.Complete || res.Counts.GivenUp != 1 || res.Counts.ObjectsWritten != int64(len(want)) {
			t.Errorf("%s: got %+v, %v", key, res, err)
		}
		equal(t, key, j.contents(), want)
	}
	j := newJob(t, "{key}", roll.Options{}, failing("b", "half", pipeline.ErrGone), stream("c", "3\n"))
	j.giveUp = true
	if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
		t.Errorf("gone in the middle: got %+v, %v", res, err)
	}
	equal(t, "gone in the middle", j.contents(), []string{"c=3\n"})

	j = newJob(t, rolled, roll.Options{}, stream("a", "1\n"), failing("b", "half", pipeline.ErrGone), stream("c", "3\n"))
	j.giveUp = true
	if res, err := j.run(t, t.Context()); !errors.Is(err, pipeline.ErrGone) || res.Complete || len(j.Objects) > 0 {
		t.Errorf("gone when the object holds a part of it: got %+v, %v, %q", res, err, j.contents())
	}
}

// TestAWalkThatBeginsAgainLeavesNothingOfTheOneBefore crashes before anything
// is saved, and reads less, and in another order, the second time.
func TestAWalkThatBeginsAgainLeavesNothingOfTheOneBefore(t *testing.T) {
	most := 0
	for at := 3; ; at++ {
		j := newJob(t, rolled, roll.Options{Bytes: 1}, stream("a", "1\n"), stream("b", "2\n"), stream("c", "3\n"), stream("d", "4\n"))
		j.World.At = at
		if _, err := j.run(t, t.Context()); err == nil || complete(j.store, 1) {
			break
		}
		most = max(most, len(j.Objects))
		if b, _ := j.store.Get("lanes", "l"); !strings.Contains(string(b), `"Token":""`) {
			continue
		}
		j.World.Restart()
		j.Open_ = 0
		j.items = []*pipeline.Item{unplaced(stream("x", "9\n")), stream("y", "8\n"), stream("z", "7\n")}
		j.Bad = func(string, ...any) {}
		if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
			t.Fatalf("at %d: got %+v, %v", at, res, err)
		}
		equal(t, fmt.Sprint("at ", at), j.contents(), []string{"l_0=9\n8\n", "l_1=7\n"})
	}
	if most < 3 {
		t.Errorf("at most %d objects before a crash, want more than are made later", most)
	}
}

func TestAnotherPassDoesNotReplaceTheObjectsOfTheLast(t *testing.T) {
	j := newJob(t, rolled, roll.Options{}, stream("a", "1\n"))
	if _, err := j.run(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := j.run(t, t.Context())
	want := "l_0 exists and belongs to pass 1, this is pass 2: put {pass} into the key"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, want %q", err, want)
	}
	j.Overwrite = roll.Always
	if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
		t.Errorf("always: got %+v, %v", res, err)
	}
}

func TestWhichObjectsMayBeReplaced(t *testing.T) {
	mine := roll.Owner{Pipeline: "p", Pass: 2, Lane: "L", Start: 1, From: "9"}
	item := roll.Owner{Pipeline: "p", Pass: 2, Lane: "L", Source: "k", Version: "2"}
	with := func(o roll.Owner, f func(*roll.Owner)) *roll.Owner { f(&o); return &o }
	for _, c := range []struct {
		name       string
		mine       roll.Owner
		theirs     *roll.Owner
		own, never string // "": allowed
	}{
		{"the same place", mine, with(mine, func(o *roll.Owner) {}), "", ""},
		{"an earlier walk", mine, with(mine, func(o *roll.Owner) { o.Start, o.From = 0, "5" }), "", ""},
		{"another place of a walk that began again", mine, with(mine, func(o *roll.Owner) { o.From = "5" }), "", ""},
		{"a later walk", mine, with(mine, func(o *roll.Owner) { o.Start = 2 }), "another lane", "another lane"},
		{"another lane", mine, with(mine, func(o *roll.Owner) { o.Lane = "M" }), "another lane", "another lane"},
		{"another pass", mine, with(mine, func(o *roll.Owner) { o.Pass = 1 }), "pass 1", "pass 1"},
		{"another pipeline", mine, with(mine, func(o *roll.Owner) { o.Pipeline = "q" }), "pipeline q", "pipeline q"},
		{"of one item", mine, &item, `made of "k"`, `made of "k"`},
		{"nobody knows", mine, nil, "not written by pipeline p", "not written by pipeline p"},
		{"the same item", item, with(item, func(o *roll.Owner) { o.Version = "1" }), "", ""},
		{"the same item in an earlier pass", item, with(item, func(o *roll.Owner) { o.Pass = 1 }), "", "pass 1"},
		{"another item", item, with(item, func(o *roll.Owner) { o.Source = "j" }), `made of "j"`, `made of "j"`},
	} {
		for mode, want := range map[string]string{roll.Own: c.own, roll.Never: c.never, roll.Always: ""} {
			err := roll.Allow(mode, "name", c.mine, c.theirs)
			switch {
			case want == "" && err != nil:
				t.Errorf("%s, %s: got %v, want none", c.name, mode, err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "name exists") || !strings.Contains(err.Error(), "overwrite: always")):
				t.Errorf("%s, %s: got %v, want %q", c.name, mode, err, want)
			}
		}
	}
}

func TestBlocksAreReleasedBeforeTheObjectEnds(t *testing.T) {
	synctest.Test(t, released)
}

func released(t *testing.T) {
	w := &pipelinetest.World{}
	src := &pipelinetest.Source{World: w, Lines: 1, Blocks: true, Bad: t.Errorf,
		Lanes: func(int64) []pipelinetest.Lane { return []pipelinetest.Lane{{Name: "a", ID: "A", To: 20}} }} // 3 blocks in flight
	sink := &bucket{World: w, Key: rolled, Bad: t.Errorf, Objects: map[string]made{}}
	p := &pipeline.Pipeline{Source: src, Sink: sink, Store: &pipelinetest.Store{World: w}, Lanes: 1}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if res, err := p.Run(ctx); err != nil || !res.Complete || len(sink.Objects) != 1 {
		t.Errorf("got %+v, %v, %d objects", res, err, len(sink.Objects))
	}
}

func TestRollOptionsNeedASequence(t *testing.T) {
	key, err := keys.Parse("{key}", keys.Files)
	if err != nil {
		t.Fatal(err)
	}
	got := roll.Options{Bytes: 1, Records: 1, Every: 1}.Problems(key)
	if len(got) != 2 || got[0].Option != "roll.records" || got[1].Option != "roll.every" {
		t.Errorf("got %+v", got)
	}
}

func TestRowsOfOtherPassesAreForgotten(t *testing.T) {
	j := newJob(t, "{date:2006}/{pass}/"+rolled, roll.Options{}, stream("a", "1\n"))
	old := pipeline.Row{Bucket: "sink.cuts", Key: "0000000000000000009/l/0/1", Value: []byte(`{"Token":"1"}`)}
	if err := j.store.Put(old); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := j.run(t, t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	rows := map[string]int{}
	for _, b := range []string{"sink.cuts", "sink.date"} {
		j.store.Range(b, "", func(string, []byte) error { rows[b]++; return nil })
	}
	if rows["sink.cuts"] != 0 || rows["sink.date"] != 1 {
		t.Errorf("got %v", rows)
	}
}

func TestAnObjectOfManySmallItemsEnds(t *testing.T) {
	var items []*pipeline.Item
	for i := range 12_000 {
		items = append(items, stream(fmt.Sprintf("%06d", i), "x"))
	}
	j := newJob(t, rolled, roll.Options{}, items...)
	if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
		t.Fatalf("got %+v, %v", res, err)
	}
	var sizes []string
	for _, content := range j.contents() {
		sizes = append(sizes, fmt.Sprint(strings.Count(content, "x")))
	}
	equal(t, "items in objects", sizes, []string{"5000", "5000", "2000"})
}
