package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// doubled shows each byte of a body twice.
func doubled(it *pipeline.Item) pipeline.Body {
	b := it.Body
	return pipeline.BodyFunc(func(ctx context.Context) (io.ReadCloser, error) {
		r, err := b.Open(ctx)
		if err != nil {
			return nil, err
		}
		return doubling{r}, nil
	})
}

type doubling struct{ io.ReadCloser }

func (d doubling) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p[:len(p)/2])
	for i := n - 1; i >= 0; i-- {
		p[2*i], p[2*i+1] = p[i], p[i]
	}
	return 2 * n, err
}

func TestBlocksSeenThroughViewsComeBack(t *testing.T) {
	twice, again := pipeline.Stage{Name: "double", Transform: pipeline.View(doubled)}, pipeline.Stage{Name: "again", Transform: pipeline.View(doubled)}
	for name, stages := range map[string][]pipeline.Stage{
		"views":               {twice, again},
		"a view, then a lazy": {twice, shout},
		"views, then lines":   {twice, again, split},
	} {
		bubble(t, 1, func(t *testing.T) {
			e := &ends{plan: names("a"), read: func(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
				q := pipeline.NewQuota(1)
				for k := range 20 {
					b, err := q.Block(ctx)
					if err != nil {
						return err
					}
					io.WriteString(b, "a\n")
					if err := pipeline.Send(ctx, out, b.Item("k", pipeline.Position{Token: fmt.Sprint(k)}, 1)); err != nil {
						return err
					}
				}
				return nil
			}}
			var got strings.Builder
			e.write = each(func(s string) error { got.WriteString(s); return nil })
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			res, err := e.pipeline(&pipelinetest.World{}, stages...).Run(ctx)
			if n := got.Len(); err != nil || !res.Complete || n == 0 || n%20 != 0 {
				t.Fatalf("%s: %+v, %v, %q", name, res, err, got.String())
			}
		})
	}
}

func TestErrorsOfViewsNameStageAndItemWhoeverReadsThem(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		reset := errors.New("reset")
		for _, c := range []struct {
			stages []pipeline.Stage
			want   string
		}{
			{[]pipeline.Stage{{Name: "double", Transform: pipeline.View(doubled)}}, "sink: lane a: double: k: reset"},
			{[]pipeline.Stage{{Name: "double", Transform: pipeline.View(doubled)}, split}, "lines: lane a: at 4: double: k: reset"},
			{[]pipeline.Stage{shout}, "sink: lane a: upper: k: reset"},
			{[]pipeline.Stage{split}, "lines: lane a: k: at 2: reset"},
		} {
			e := stream(&pipeline.Item{Key: "k"}, func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader("x\n"), broken{reset})), nil
			})
			e.write = each(func(string) error { return nil })
			_, err := e.pipeline(&pipelinetest.World{}, c.stages...).Run(t.Context())
			if !errors.Is(err, reset) || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		}
	})
}

// Of the blocks that a stage makes, in all lanes, one at a time is large. The
// lane that has the right when it fails gives it back, though the block that
// it made was never released.
func TestOneBlockOfAStageIsLargeAtATime(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		now, most := 0, 0
		broken := errors.New("broken")
		e := &ends{plan: names("a", "b", "c", "d"), read: func(ctx context.Context, l pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
			q := pipeline.NewQuota(2)
			for k := range 3 {
				b, err := q.Block(ctx)
				if err != nil {
					return err
				}
				io.WriteString(b, "kept\n")
				if err := b.Reserve(ctx, 3<<20); err != nil {
					return err
				}
				if string(b.B()) != "kept\n" || cap(b.B()) != 3<<20 {
					t.Errorf("got %q of %d, want what was written, with room", b.B(), cap(b.B()))
				}
				if err := errors.Join(b.Reserve(ctx, 1), b.Reserve(ctx, 4<<20)); err != nil { // it has the right already
					return err
				}
				now++
				most = max(most, now)
				if l.Name == "b" && k == 1 {
					now--
					return broken
				}
				if err := pipeline.Send(ctx, out, b.Item("k", pipeline.Position{Token: fmt.Sprint(k)}, 1)); err != nil {
					return err
				}
			}
			return nil
		}}
		e.write = func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
			var unit pipeline.Unit
			for {
				it, ok, err := pipeline.Receive(ctx, in)
				if !ok {
					return err
				}
				time.Sleep(time.Second)
				now--
				it.Release()
				unit.Add(it)
				if err := unit.Done(""); err != nil {
					return err
				}
			}
		}
		p := e.pipeline(&pipelinetest.World{})
		p.Lanes = 4
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		res, err := p.Run(ctx)
		if !errors.Is(err, broken) || res.Counts.Written < 9 || res.Counts.Written > 10 {
			t.Errorf("%+v, %v, want all of three lanes and one that is broken", res.Counts, err)
		}
		if most != 1 {
			t.Errorf("got %d blocks that are large at a time, want 1", most)
		}
	})
}

// Three lanes share the right of each stage to be large.
func TestLargeRecordsNeverWaitForEachOther(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 2<<20)
	var want bytes.Buffer
	for i := range 12 {
		fmt.Fprintf(&want, "%d %s\n", i, big[:len(big)*(i%3)/2])
	}
	bubble(t, 3, func(t *testing.T) {
		e := stream(&pipeline.Item{Key: "k"}, func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(want.Bytes())), nil
		})
		e.plan = names("a", "b", "c")
		e.write = func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
			var got strings.Builder
			err := each(func(s string) error { got.WriteString(s); return nil })(ctx, pipeline.Lane{}, "", in)
			if err == nil && got.String() != want.String() {
				t.Errorf("got %d bytes, want %d", got.Len(), want.Len())
			}
			return err
		}
		lower := pipeline.Filter(func(ctx context.Context, dst io.Writer, src io.Reader) error {
			time.Sleep(time.Millisecond)
			_, err := io.Copy(dst, src)
			return err
		})
		p := e.pipeline(&pipelinetest.World{}, pipeline.Stage{Name: "lines", Transform: pipeline.Lines{MaxRecord: 3 << 20, Blocks: 4}},
			pipeline.Stage{Name: "copy", Transform: lower.Transform(3)}, pipeline.Stage{Name: "edit", Transform: same.Transform(3, 0)})
		p.Lanes = 3
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		res, err := p.Run(ctx)
		if err != nil || res.Counts.Written != 36 {
			t.Fatalf("%+v, %v", res, err)
		}
	})
}

// same is an edit that keeps records as they are.
var same = pipeline.Edit(func(_ context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
	dst.Write(rec)
	return pipeline.Keep, nil
})

// What an edit makes of large records is memory like any other: one block of
// the stage at a time, and no larger than the record wants it.
func TestOneBlockOfAnEditIsLargeAtATime(t *testing.T) {
	big := append(bytes.Repeat([]byte("x"), 2<<20), "\nsmall\n"...)
	bubble(t, 3, func(t *testing.T) {
		var mu sync.Mutex
		now, most, size := 0, 0, 0
		e := stream(&pipeline.Item{Key: "k"}, func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(bytes.Repeat(big, 4))), nil
		})
		e.plan = names("a", "b", "c")
		e.write = func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
			for {
				it, ok, err := pipeline.Receive(ctx, in)
				if !ok {
					return err
				}
				large := 0
				mu.Lock()
				if b, ok := it.Body.(*pipeline.Block); ok && cap(b.B()) > 1<<20 {
					large, size = 1, max(size, cap(b.B()))
				}
				now += large
				most = max(most, now)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				now -= large
				mu.Unlock()
				if err := it.Done(); err != nil {
					return err
				}
			}
		}
		p := e.pipeline(&pipelinetest.World{}, pipeline.Stage{Name: "lines", Transform: pipeline.Lines{MaxRecord: 3 << 20, Blocks: 4}},
			pipeline.Stage{Name: "edit", Transform: same.Transform(3, 0)})
		p.Lanes = 3
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		res, err := p.Run(ctx)
		if err != nil || res.Counts.Written != 24 || most != 1 || size > 2<<20+64<<10 {
			t.Errorf("%+v, %v: got %d large blocks at a time, of up to %d bytes, want 1 of little more than 2 MiB", res.Counts, err, most, size)
		}
	})
}

// Whoever had the right to be large before its turn would wait for the block
// before it, and that for the right.
func TestALargeEditWaitsForItsTurn(t *testing.T) {
	big := append(bytes.Repeat([]byte("x"), 2<<20), '\n')
	bubble(t, 3, func(t *testing.T) {
		e := &ends{plan: names("a"), write: take, read: func(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
			q := pipeline.NewQuota(2)
			for k, first := range []string{"slow\n", ""} {
				b, err := q.Block(ctx)
				if err != nil {
					return err
				}
				io.WriteString(b, first)
				b.Write(big)
				if err := pipeline.Send(ctx, out, b.Item("k", pipeline.Position{Token: fmt.Sprint(k)}, int64(2-k))); err != nil {
					return err
				}
			}
			return nil
		}}
		slow := pipeline.Edit(func(ctx context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
			if rec[0] == 's' {
				time.Sleep(time.Second)
			}
			return same(ctx, rec, dst)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		res, err := e.pipeline(&pipelinetest.World{}, pipeline.Stage{Name: "edit", Transform: slow.Transform(2, 0)}).Run(ctx)
		if err != nil || !res.Complete || res.Counts.Written != 3 {
			t.Errorf("%+v, %v", res, err)
		}
	})
}

func TestLargeBlocksOfASourceNeverWaitForEachOther(t *testing.T) {
	large := bytes.Repeat([]byte("x\n"), 1<<20)
	bubble(t, 20, func(t *testing.T) {
		e := &ends{plan: names("a"), read: func(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
			q := pipeline.NewQuota(8)
			for k := range 12 {
				b, err := q.Block(ctx)
				if err != nil {
					return err
				}
				b.Write(large)
				if err := pipeline.Send(ctx, out, b.Item("k", pipeline.Position{Token: fmt.Sprint(k)}, 1<<20)); err != nil {
					return err
				}
			}
			return nil
		}}
		e.write = take
		head := pipeline.Filter(func(_ context.Context, dst io.Writer, src io.Reader) error {
			_, err := io.CopyN(dst, src, 10)
			return err
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		res, err := e.pipeline(&pipelinetest.World{}, pipeline.Stage{Name: "head", Transform: head.Transform(3)}).Run(ctx)
		if err != nil || !res.Complete || res.Counts.Written != 12<<20 {
			t.Fatalf("%+v, %v", res, err)
		}
	})
}

// unending is a body that never ends, and counts how often it is open.
type unending struct{ open *int }

func (b unending) Open(context.Context) (io.ReadCloser, error) { *b.open++; return b, nil }
func (b unending) Close() error                                { *b.open--; return nil }
func (b unending) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	return copy(p, strings.Repeat("x\n", 32<<10)), nil
}

func TestOnTheWayToAPlaceInsideAStopIsHeeded(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		open := 0
		e := &ends{plan: names("a"), read: func(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
			return pipeline.Send(ctx, out, &pipeline.Item{Key: "k", Records: -1, Size: -1, Pos: pipeline.Position{Token: "end"}, Body: unending{&open}})
		}}
		e.write = each(func(string) error { return nil })
		w := &pipelinetest.World{}
		store := &pipelinetest.Store{World: w}
		p := e.pipeline(w, split)
		p.Store = store
		store.Put(pipeline.Row{Bucket: "pass", Key: "current", Value: []byte(`{"Number":1,"Lanes":[{"Name":"a","ID":"a"}]}`)},
			pipeline.Row{Bucket: "lanes", Key: "a", Value: []byte(`{"ID":"a","Pos":{"Inner":"1000000000","Key":"k"}}`)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		res, err := p.Run(ctx)
		if err != nil || res.Complete || time.Since(begin) > 70*time.Second || open != 0 {
			t.Fatalf("%+v, %v, after %v, %d open", res, err, time.Since(begin), open)
		}
	})
}

func TestAnItemOfKnownRecordsThatIsGivenUpHalfwayAgreesInItsCounts(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		e := &ends{plan: names("a"), read: func(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
			return pipeline.Send(ctx, out, &pipeline.Item{Key: "k", Records: 1000, Size: -1, Pos: pipeline.Position{Token: "end"},
				Body: pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) {
					return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x\n", 300)), broken{pipeline.ErrGone})), nil
				})})
		}}
		e.write = each(func(string) error { return nil })
		w := &pipelinetest.World{}
		p := e.pipeline(w, split)
		p.GiveUp, p.Dead = true, &pipelinetest.Letters{World: w, Durable: map[string]string{}}
		res, err := p.Run(t.Context())
		if err != nil || !res.Complete || res.Counts.GivenUp != 1 || res.Counts.Read != res.Counts.Written || res.Counts.Read == 0 {
			t.Fatalf("%+v, %v", res, err)
		}
	})
}
