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
	"testing/synctest"
	"time"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// ends is a source and a sink made of functions.
type ends struct {
	plan     []pipeline.Lane
	read     func(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error
	write    func(ctx context.Context, lane pipeline.Lane, state string, in <-chan *pipeline.Item) error
	skip     func(*pipeline.Item) bool
	finished int
	closed   int
}

type source struct{ *ends }
type sink struct{ *ends }

func (s source) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }
func (s source) Plan(context.Context) ([]pipeline.Lane, error)                 { return s.plan, nil }
func (s source) Close() error                                                  { s.closed++; return nil }
func (s source) Read(ctx context.Context, l pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	return s.read(ctx, l, from, out)
}
func (s sink) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return s, nil }
func (s sink) Write(ctx context.Context, l pipeline.Lane, state string, in <-chan *pipeline.Item) error {
	return s.write(ctx, l, state, in)
}
func (s sink) Finish(context.Context) error { s.finished++; return nil }
func (s sink) Close() error                 { s.closed++; return nil }
func (s sink) Skip(_ context.Context, _ pipeline.Lane, it *pipeline.Item) (bool, error) {
	return s.skip != nil && s.skip(it), nil
}

func (e *ends) pipeline(w *pipelinetest.World, stages ...pipeline.Stage) *pipeline.Pipeline {
	return &pipeline.Pipeline{Source: source{e}, Sink: sink{e}, Stages: stages, Store: &pipelinetest.Store{World: w},
		Lanes: 4, Depth: 1, Grace: 8 * time.Second}
}

func names(n ...string) (plan []pipeline.Lane) {
	for _, n := range n {
		plan = append(plan, pipeline.Lane{Name: n, ID: n})
	}
	return plan
}

// counted reads items 0..n-1 of one record each, as blocks.
func counted(n int) func(context.Context, pipeline.Lane, pipeline.Position, chan<- *pipeline.Item) error {
	return func(ctx context.Context, _ pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
		k := 0
		fmt.Sscan(from.Token, &k)
		q := pipeline.NewQuota(100)
		for ; k < n; k++ {
			b, err := q.Block(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(b, "%d\n", k)
			it := b.Item(fmt.Sprint(k), pipeline.Position{Token: fmt.Sprint(k + 1)}, 1)
			it.Notes = []pipeline.Row{{Bucket: "source.known", Key: it.Key, Value: []byte("v")}}
			if err := pipeline.Send(ctx, out, it); err != nil {
				return err
			}
		}
		return nil
	}
}

// noted gives the keys of the notes that were saved.
func noted(p *pipeline.Pipeline) (keys []string) {
	p.Store.Range("source.known", "", func(key string, _ []byte) error { keys = append(keys, key); return nil })
	return keys
}

// each calls f with the content of every item and then Done.
func each(f func(string) error) func(context.Context, pipeline.Lane, string, <-chan *pipeline.Item) error {
	return func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
		for {
			it, ok, err := pipeline.Receive(ctx, in)
			if !ok {
				return err
			}
			r, err := it.Body.Open(ctx)
			if err != nil {
				return err
			}
			b, err := io.ReadAll(r)
			if err = errors.Join(err, r.Close()); err != nil {
				return err
			}
			if err = f(string(b)); err != nil {
				return err
			}
			if err := it.Done(); err != nil {
				return err
			}
		}
	}
}

func bubble(t *testing.T, times int, f func(t *testing.T)) {
	t.Helper()
	for range times {
		if synctest.Test(t, f); t.Failed() {
			return
		}
	}
}

func TestPositionNeverPassesAnItemThatIsNotDone(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		e := &ends{plan: names("a"), read: counted(4)}
		e.write = func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
			var items []*pipeline.Item
			for len(items) < 4 {
				it, _, err := pipeline.Receive(ctx, in)
				if err != nil {
					return err
				}
				items = append(items, it)
			}
			for _, k := range []int{3, 1, 0} {
				if err := items[k].Done(); err != nil {
					return err
				}
			}
			return errors.New("disk full")
		}
		p := e.pipeline(&pipelinetest.World{})
		res, err := p.Run(t.Context())
		if err == nil || res.Complete || res.Counts.Written != 2 {
			t.Fatalf("%+v, %v", res, err)
		}
		if got := noted(p); fmt.Sprint(got) != "[0 1]" {
			t.Errorf("notes of %v were saved, want those of 0 and 1", got)
		}
		var got []string
		e.write = each(func(s string) error { got = append(got, s); return nil })
		if res, err = p.Run(t.Context()); err != nil || fmt.Sprint(got) != "[2\n 3\n]" || res.Counts.Written != 4 || res.Pass != 1 {
			t.Fatalf("%q, %+v, %v", got, res, err)
		}
	})
}

func TestMisuseOfUnitsEndsTheLane(t *testing.T) {
	for name, write := range map[string]func(context.Context, pipeline.Lane, string, <-chan *pipeline.Item) error{
		"forgotten": func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
			for {
				if _, ok, err := pipeline.Receive(ctx, in); !ok {
					return err
				}
			}
		},
		"twice": func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
			for {
				it, ok, err := pipeline.Receive(ctx, in)
				if !ok {
					return err
				}
				it.Done()
				it.Done()
			}
		},
		"inside": func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
			var u pipeline.Unit
			for {
				it, ok, err := pipeline.Receive(ctx, in)
				if !ok {
					u.Done("")
					return err
				}
				if u.Add(it); u.Len() == 2 {
					u.Done("") // the second of three has no position
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, func(t *testing.T) {
				e := &ends{plan: names("a"), write: write}
				e.read = func(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
					q := pipeline.NewQuota(9)
					for k := range 3 {
						b, _ := q.Block(ctx)
						io.WriteString(b, "x\n")
						pos := pipeline.Position{}
						if k == 2 {
							pos.Token = "end"
						}
						if err := pipeline.Send(ctx, out, b.Item("k", pos, 1)); err != nil {
							return err
						}
					}
					return nil
				}
				res, err := e.pipeline(&pipelinetest.World{}).Run(t.Context())
				if err == nil || res.Complete || e.finished > 0 || !strings.Contains(err.Error(), "BUG") {
					t.Fatalf("%+v, %v", res, err)
				}
			})
		})
	}
}

func TestAFailureUpstreamIsNeverAnEnd(t *testing.T) {
	bubble(t, 3, func(t *testing.T) {
		e := &ends{plan: names("a")}
		e.read = func(ctx context.Context, l pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
			counted(2)(ctx, l, from, out)
			return slowError{}
		}
		e.write = func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
			for {
				it, ok := <-in // a sink that does not look at the context before the end
				if !ok {
					if ctx.Err() == nil {
						t.Error("a failure looks like an end")
					}
					return context.Cause(ctx)
				}
				time.Sleep(time.Second)
				it.Done()
			}
		}
		res, err := e.pipeline(&pipelinetest.World{}).Run(t.Context())
		if err == nil || res.Complete || !strings.Contains(err.Error(), "source: lane a: 503") || e.closed != 2 {
			t.Fatalf("%+v, %v", res, err)
		}
	})
}

// slowError takes its time between the end of its stage and the end of the context.
type slowError struct{}

func (slowError) Error() string { time.Sleep(time.Minute); return "503" }

func TestNothingAfterAFailedBlockIsDelivered(t *testing.T) {
	bubble(t, 1000, func(t *testing.T) {
		got := 0
		e := &ends{plan: names("a"), read: counted(7), write: each(func(string) error { got++; return nil })}
		bad := pipeline.Edit(func(_ context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
			if string(rec) == "3\n" {
				time.Sleep(time.Millisecond)
				return pipeline.Keep, errors.New("bad record")
			}
			dst.Write(rec)
			return pipeline.Keep, nil
		})
		res, err := e.pipeline(&pipelinetest.World{}, pipeline.Stage{Name: "bad", Transform: bad.Transform(4, 0)}).Run(t.Context())
		if err == nil || res.Complete || got > 3 || !strings.Contains(err.Error(), "bad: lane a: 3: record 0: bad record") {
			t.Fatalf("%d, %+v, %v", got, res, err)
		}
	})
}

func TestASourceErrorEndsItsLaneOnly(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		reads := map[string]int{}
		var mu sync.Mutex
		fail := true
		e := &ends{plan: names("a", "b", "c"), write: each(func(string) error { time.Sleep(time.Second); return nil })}
		e.read = func(ctx context.Context, l pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
			mu.Lock()
			reads[l.Name]++
			mu.Unlock()
			if l.Name != "b" && fail {
				return errors.New("503 " + l.Name)
			}
			return counted(5)(ctx, l, from, out)
		}
		p := e.pipeline(&pipelinetest.World{})
		res, err := p.Run(t.Context())
		if err == nil || res.Counts.Written != 5 || !strings.Contains(err.Error(), "503 a") || !strings.Contains(err.Error(), "503 c") || e.finished > 0 {
			t.Fatalf("%+v, %v", res, err)
		}
		fail = false
		if res, err = p.Run(t.Context()); err != nil || res.Counts.Written != 15 || !res.Complete || e.finished != 1 {
			t.Fatalf("%+v, %v", res, err)
		}
		if fmt.Sprint(reads) != "map[a:2 b:1 c:2]" {
			t.Fatalf("an ended lane was opened again: %v", reads)
		}
	})
}

func TestAStopIsNotAnEndWhateverTheSourceReturns(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		e := &ends{plan: names("a"), write: each(func(string) error { return nil })}
		e.read = func(ctx context.Context, l pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
			counted(2)(ctx, l, from, out)
			<-ctx.Done()
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begin := time.Now()
		res, err := e.pipeline(&pipelinetest.World{}).Run(ctx)
		if err != nil || res.Complete || e.finished > 0 || res.Counts.Written != 2 || time.Since(begin) != time.Second {
			t.Fatalf("%+v, %v", res, err)
		}
	})
}

func TestAStopTakesNoLongerThanGrace(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		e := &ends{plan: names("a"), read: counted(9)}
		e.write = func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
			(<-in).Done()
			select { // stuck
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Hour):
				return errors.New("nobody came")
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begin := time.Now()
		res, err := e.pipeline(&pipelinetest.World{}).Run(ctx)
		if err != nil || res.Complete || res.Counts.Written != 1 || time.Since(begin) != 9*time.Second {
			t.Fatalf("%+v, %v, %v", res, err, time.Since(begin))
		}
	})
}

func TestATruncatedBodyIsAnError(t *testing.T) {
	for _, cut := range []error{io.ErrUnexpectedEOF, errors.New("reset")} {
		bubble(t, 1, func(t *testing.T) {
			e := stream(&pipeline.Item{Key: "k", Version: "1"}, func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x\n", 300)+"x"), broken{cut})), nil
			})
			e.write = each(func(string) error { return nil })
			res, err := e.pipeline(&pipelinetest.World{}, split).Run(t.Context())
			if err == nil || res.Complete || !errors.Is(err, cut) {
				t.Fatalf("%+v, %v", res, err)
			}
		})
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// stream is a source of one streamed item.
func stream(it *pipeline.Item, body pipeline.BodyFunc) *ends {
	return &ends{plan: names("a"), read: func(ctx context.Context, _ pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
		if from.Token == "end" {
			return nil
		}
		c := *it
		c.Size, c.Records, c.Pos, c.Body = -1, -1, pipeline.Position{Token: "end"}, body
		return pipeline.Send(ctx, out, &c)
	}}
}

func TestAReplacedItemIsGivenUpAndStartsOver(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		it := &pipeline.Item{Key: "k", Version: "1"}
		e := stream(it, func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(strings.Repeat(it.Version+"\n", 300))), nil
		})
		n, fail := 0, 2
		e.write = each(func(string) error {
			if n++; n == fail {
				return errors.New("disk full")
			}
			return nil
		})
		letters := map[string]string{}
		w := &pipelinetest.World{}
		p := e.pipeline(w, split)
		p.Dead = &pipelinetest.Letters{World: w, Durable: letters}
		if res, err := p.Run(t.Context()); err == nil || res.Counts.Written != 128 {
			t.Fatalf("%+v, %v", res, err)
		}
		it.Version = "2"
		if _, err := p.Run(t.Context()); !errors.Is(err, pipeline.ErrGone) {
			t.Fatalf("on_error: stop: %v", err)
		}
		p.GiveUp = true
		res, err := p.Run(t.Context())
		if err != nil || !res.Complete || res.Counts.Written != 428 || res.Counts.GivenUp != 1 || len(letters) != 1 {
			t.Fatalf("%+v, %v, %v", res, err, letters)
		}
	})
}

func TestAnItemThatVanishedHalfwayIsGivenUpAtTheEnd(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		e := stream(&pipeline.Item{Key: "k"}, func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(strings.Repeat("x\n", 300))), nil
		})
		n := 0
		e.write = each(func(string) error {
			if n++; n == 2 {
				return errors.New("disk full")
			}
			return nil
		})
		w := &pipelinetest.World{}
		p := e.pipeline(w, split)
		p.Dead, p.GiveUp = &pipelinetest.Letters{World: w, Durable: map[string]string{}}, true
		p.Run(t.Context())
		e.read = counted(0)
		res, err := p.Run(t.Context())
		if err != nil || !res.Complete || res.Counts.GivenUp != 1 || laneState(p.Store.(*pipelinetest.Store), "a").Pos.Inner != "" {
			t.Fatalf("%+v, %v", res, err)
		}
	})
}

func TestAPlaceInsideThatNoStageTakesIsAnError(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		e := stream(&pipeline.Item{Key: "k"}, func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(strings.Repeat("x\n", 300))), nil
		})
		n := 0
		e.write = each(func(string) error {
			if n++; n == 2 {
				return errors.New("disk full")
			}
			return nil
		})
		p := e.pipeline(&pipelinetest.World{}, split)
		p.Run(t.Context())
		p.Stages = nil
		if res, err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "BUG") || res.Complete {
			t.Fatalf("%+v, %v", res, err)
		}
	})
}

func TestExpandingEditsNeverWaitForEachOther(t *testing.T) {
	bubble(t, 3, func(t *testing.T) {
		big := bytes.Repeat([]byte{'x'}, pipeline.BlockSize/3)
		big[len(big)-1] = '\n'
		var size, n int
		e := &ends{plan: names("a"), read: counted(20), write: each(func(s string) error { n++; size += len(s); return nil })}
		grow := pipeline.Edit(func(_ context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
			dst.Write(big)
			return pipeline.Keep, nil
		})
		many := pipeline.Edit(func(_ context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
			for range 7 {
				dst.Write(rec[:len(rec)/7])
				dst.Write([]byte{'\n'})
			}
			return pipeline.Keep, nil
		})
		double := pipeline.Filter(func(_ context.Context, dst io.Writer, src io.Reader) error {
			b, err := io.ReadAll(src)
			for range 12 {
				dst.Write(b)
			}
			return err
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		res, err := e.pipeline(&pipelinetest.World{},
			pipeline.Stage{Name: "double", Transform: double.Transform(3)},
			pipeline.Stage{Name: "grow", Transform: grow.Transform(4, 0)},
			pipeline.Stage{Name: "many", Transform: many.Transform(4, 0)}).Run(ctx)
		if err == nil || !strings.Contains(err.Error(), "counts do not agree") && res.Complete {
			t.Fatalf("a filter that changes the number of records: %+v, %v", res, err)
		}
		if n < 80 || res.Counts.Written != 20*12*7 {
			t.Fatalf("%d blocks, %d bytes, %+v", n, size, res)
		}
	})
}

func TestAnExpandingHeadDoesNotWaitForTheWorkersBehindIt(t *testing.T) {
	bubble(t, 2, func(t *testing.T) {
		big := bytes.Repeat([]byte{'x'}, pipeline.BlockSize/2)
		big[len(big)-1] = '\n'
		e := &ends{plan: names("a"), write: each(func(s string) error { return nil })}
		e.read = func(ctx context.Context, l pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
			q := pipeline.NewQuota(9)
			for i := range 8 {
				b, err := q.Block(ctx)
				if err != nil {
					return err
				}
				b.Write(bytes.Repeat([]byte{byte('0' + i), '\n'}, 8))
				if err := pipeline.Send(ctx, out, b.Item("k", pipeline.Position{Token: fmt.Sprint(i)}, 8)); err != nil {
					return err
				}
			}
			return nil
		}
		grow := pipeline.Edit(func(_ context.Context, rec []byte, dst *pipeline.Block) (pipeline.Verdict, error) {
			if rec[0] == '0' {
				time.Sleep(time.Second) // the head is slow
			}
			dst.Write(big)
			return pipeline.Keep, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		res, err := e.pipeline(&pipelinetest.World{}, pipeline.Stage{Name: "grow", Transform: grow.Transform(3, 0)}).Run(ctx)
		if err != nil || !res.Complete || res.Counts.Written != 64 {
			t.Fatalf("%+v, %v", res, err)
		}
	})
}

func TestBlocksDoNotDependOnReads(t *testing.T) {
	cuts := map[string]bool{}
	for _, size := range []int{1, 7, 100, 4096} {
		bubble(t, 1, func(t *testing.T) {
			var content strings.Builder
			for i := range 500 {
				fmt.Fprintf(&content, "%d%s\n", i, strings.Repeat("x", i%90))
			}
			e := stream(&pipeline.Item{Key: "k"}, func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(smallReads{strings.NewReader(content.String()), size}), nil
			})
			got := ""
			e.write = each(func(s string) error { got += fmt.Sprint(len(s), " "); return nil })
			if res, err := e.pipeline(&pipelinetest.World{}, split).Run(t.Context()); err != nil || res.Counts.Written != 500 {
				t.Fatalf("%+v, %v", res, err)
			}
			cuts[got] = true
		})
	}
	if len(cuts) != 1 {
		t.Fatal(cuts)
	}
}

type smallReads struct {
	io.Reader
	n int
}

func (r smallReads) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), r.n)]) }

func TestAPositionIsNeverInsideOneOfSeveralOpenUnits(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		e := &ends{plan: names("a"), read: counted(4)}
		e.write = func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
			var even, odd pipeline.Unit
			for i := range 4 {
				it, _, err := pipeline.Receive(ctx, in)
				if err != nil {
					return err
				}
				if i%2 == 0 {
					even.Add(it)
				} else {
					odd.Add(it)
				}
			}
			return errors.Join(even.Done("even"), errors.New("disk full"))
		}
		p := e.pipeline(&pipelinetest.World{})
		if res, err := p.Run(t.Context()); err == nil || res.Counts.Written != 0 {
			t.Fatalf("%+v, %v", res, err)
		}
	})
}

func TestUnwantedItemsAreNotOpened(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		e := stream(&pipeline.Item{Key: "k"}, func(context.Context) (io.ReadCloser, error) { return nil, errors.New("opened") })
		e.write = each(func(string) error { return nil })
		e.skip = func(it *pipeline.Item) bool { return it.Key == "k" }
		res, err := e.pipeline(&pipelinetest.World{}, split).Run(t.Context())
		if err != nil || !res.Complete || res.Counts.Skipped != 1 {
			t.Fatalf("%+v, %v", res, err)
		}
	})
}

func TestRecordsThatAreTooLongAreLetters(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		long := strings.Repeat("y", 70<<10)
		e := stream(&pipeline.Item{Key: "k"}, func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(strings.Repeat("x\n", 200) + long + "\n" + "z\n" + long)), nil
		})
		var got strings.Builder
		e.write = each(func(s string) error { got.WriteString(s); return nil })
		w := &pipelinetest.World{}
		letters := map[string]string{}
		p := e.pipeline(w, pipeline.Stage{Name: "lines", Transform: pipeline.Lines{Size: 256, MaxRecord: 1000}})
		if _, err := p.Run(t.Context()); err == nil {
			t.Fatal("no dead letters, no error")
		}
		p.Dead = &pipelinetest.Letters{World: w, Durable: letters}
		got.Reset()
		res, err := p.Run(t.Context())
		if err != nil || res.Counts.Dead != 2 || res.Counts.Read != 203 || len(letters) != 2 || !strings.HasSuffix(got.String(), "x\nz\n") {
			t.Fatalf("%+v, %v, %v", res, err, letters)
		}
	})
}

// marked is a body with a mark every 100 bytes.
type marked struct {
	content string
	opened  *[]string
}

type markedReader struct {
	*strings.Reader
	size int64
}

func (m marked) Open(context.Context) (io.ReadCloser, error) {
	*m.opened = append(*m.opened, "0")
	return &markedReader{strings.NewReader(m.content), int64(len(m.content))}, nil
}
func (m marked) OpenFrom(_ context.Context, mark string) (io.ReadCloser, error) {
	*m.opened = append(*m.opened, mark)
	at := 0
	fmt.Sscan(mark, &at)
	return &markedReader{strings.NewReader(m.content[at:]), int64(len(m.content))}, nil
}
func (r *markedReader) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 90)]) }
func (r *markedReader) Close() error               { return nil }
func (r *markedReader) Mark() (string, int64) {
	at := (r.size - int64(r.Len())) / 100 * 100
	return fmt.Sprint(at), at
}

func TestALaneGoesOnAtAMark(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		var want, got strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&want, "%d\n", i)
		}
		var opened []string
		e := &ends{plan: names("a"), read: func(ctx context.Context, _ pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
			return pipeline.Send(ctx, out, &pipeline.Item{Key: "k", Version: "1", Records: -1, Pos: pipeline.Position{Token: "end"}, Body: marked{want.String(), &opened}})
		}}
		n := 0
		e.write = each(func(s string) error {
			if n++; n == 7 {
				return errors.New("disk full")
			}
			got.WriteString(s)
			return nil
		})
		p := e.pipeline(&pipelinetest.World{}, split)
		p.Run(t.Context())
		res, err := p.Run(t.Context())
		if err != nil || got.String() != want.String() || res.Counts.Read != 1000 || len(opened) != 2 || opened[1] == "0" {
			t.Fatalf("%+v, %v, %v, %d bytes", res, err, opened, got.Len())
		}
	})
}

func TestLazyFiltersEndWithTheirReader(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		e := stream(&pipeline.Item{Key: "k"}, func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(strings.Repeat("x\n", 1<<20))), nil
		})
		e.write = func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
			it := <-in
			r, err := it.Body.Open(ctx)
			if err != nil {
				return err
			}
			b := make([]byte, 10)
			if _, err := io.ReadFull(r, b); err != nil || string(b) != "X\nX\nX\nX\nX\n" {
				return fmt.Errorf("%q, %w", b, err)
			}
			return errors.Join(r.Close(), it.Done()) // the rest is not read
		}
		if res, err := e.pipeline(&pipelinetest.World{}, shout).Run(t.Context()); err != nil || res.Counts.Unknown != 1 {
			t.Fatalf("%+v, %v", res, err)
		}
	})
}

func TestALaneThatAlwaysStartsOverFails(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		reads := 0
		e := &ends{plan: names("a"), write: each(func(string) error { return nil })}
		e.read = func(ctx context.Context, l pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
			reads++
			if l.Start != reads-1 {
				t.Errorf("read %d: start %d", reads, l.Start)
			}
			if reads > 20 {
				return errors.New("reads without end")
			}
			counted(2)(ctx, l, pipeline.Position{}, out)
			return fmt.Errorf("context expired: %w", pipeline.ErrStartOver)
		}
		res, err := e.pipeline(&pipelinetest.World{}).Run(t.Context())
		if !errors.Is(err, pipeline.ErrStartOver) || res.Complete || e.finished > 0 || reads != 6 {
			t.Fatalf("%d reads, %+v, %v", reads, res, err)
		}
	})
}

func TestPositionOnlyItemsMoveTheLaneOnBetweenUnits(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		e := &ends{plan: names("a")}
		e.read = func(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
			q := pipeline.NewQuota(9)
			for k := range 7 {
				it := &pipeline.Item{Key: "k", Pos: pipeline.Position{Token: fmt.Sprint(k)}, Notes: []pipeline.Row{{Bucket: "source.n", Key: fmt.Sprint(k), Value: []byte{1}}}}
				if k%3 == 1 { // 1 and 4; the others only move on
					b, _ := q.Block(ctx)
					io.WriteString(b, "x\n")
					pos, notes := it.Pos, it.Notes
					it = b.Item("k", pos, 1)
					it.Notes = notes
				}
				if err := pipeline.Send(ctx, out, it); err != nil {
					return err
				}
			}
			return errors.New("the end is not reached")
		}
		e.write = func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
			for {
				it, ok, err := pipeline.Receive(ctx, in)
				if !ok {
					return err
				}
				time.Sleep(time.Second)
				if it.Pos.Token == "4" {
					<-ctx.Done()
					return context.Cause(ctx)
				}
				if err := it.Done(); err != nil {
					return err
				}
			}
		}
		p := e.pipeline(&pipelinetest.World{})
		p.Run(t.Context())
		st := laneState(p.Store.(*pipelinetest.Store), "a")
		notes := 0
		p.Store.Range("source.n", "", func(string, []byte) error { notes++; return nil })
		if st.Pos.Token != "3" || notes != 4 || st.Counts.Written != 1 {
			t.Fatalf("position %+v, %d notes, want 3 and 4; %+v", st.Pos, notes, st.Counts)
		}
	})
}

// TestTheNumberOfLanesMayChangeBetweenRuns: an interrupted pass keeps its
// plan, the next one has the new one, and nothing is missing from either.
func TestTheNumberOfLanesMayChangeBetweenRuns(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		var mu sync.Mutex
		got := map[string]int{}
		fail := true
		e := &ends{plan: names("half-0", "half-1")}
		e.read = func(ctx context.Context, l pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
			if l.Name == "half-1" && fail {
				return errors.New("503")
			}
			return counted(3)(ctx, l, from, out)
		}
		e.write = func(ctx context.Context, l pipeline.Lane, state string, in <-chan *pipeline.Item) error {
			return each(func(s string) error {
				mu.Lock()
				defer mu.Unlock()
				got[l.Name+" "+s]++
				return nil
			})(ctx, l, state, in)
		}
		p := e.pipeline(&pipelinetest.World{})
		if res, err := p.Run(t.Context()); err == nil || res.Complete {
			t.Fatal(res, err)
		}
		e.plan, fail = names("third-0", "third-1", "third-2"), false
		for pass := int64(1); pass <= 2; pass++ {
			if res, err := p.Run(t.Context()); err != nil || !res.Complete || res.Pass != pass {
				t.Fatal(res, err)
			}
			if want := map[int64]int{1: 6, 2: 15}[pass]; len(got) != want {
				t.Fatalf("pass %d: %v", pass, got)
			}
		}
		for k, n := range got {
			if n != 1 {
				t.Errorf("%q was delivered %d times", k, n)
			}
		}
	})
}

// TestACrashWithOneLaneLeftReadsThatLaneOnly counts what the source is asked for.
func TestACrashWithOneLaneLeftReadsThatLaneOnly(t *testing.T) {
	bubble(t, 1, func(t *testing.T) {
		reads := map[string]int{}
		var mu sync.Mutex
		w := &pipelinetest.World{Mode: pipelinetest.Crash}
		e := &ends{plan: names("a", "b", "c"), write: each(func(string) error { return nil })}
		e.read = func(ctx context.Context, l pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
			mu.Lock()
			reads[l.Name]++
			first := reads[l.Name] == 1
			mu.Unlock()
			if l.Name == "c" && first {
				time.Sleep(3 * time.Second) // a and b are saved as ended
				w.At = w.Ops() + 1
				w.Do(func() {}) // the process dies
			}
			return counted(3)(ctx, l, from, out)
		}
		p := e.pipeline(w)
		if _, err := p.Run(t.Context()); err == nil {
			t.Fatal("no crash")
		}
		w.Restart()
		if res, err := p.Run(t.Context()); err != nil || !res.Complete || res.Counts.Written != 9 {
			t.Fatal(res, err)
		}
		if fmt.Sprint(reads) != "map[a:1 b:1 c:2]" {
			t.Fatalf("reads %v", reads)
		}
	})
}

func TestNotesOfWhatIsNotDeliveredAreDropped(t *testing.T) {
	for _, by := range []string{"skip", "transform", "sink"} {
		bubble(t, 1, func(t *testing.T) {
			e := &ends{plan: names("a")}
			e.read = func(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
				for _, key := range []string{"1", "2", "3"} {
					it := &pipeline.Item{Key: key, Pos: pipeline.Position{Token: key}, Size: -1, Records: -1, Notes: []pipeline.Row{{Bucket: "source.known", Key: key, Value: []byte("v")}},
						Body: pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) {
							if key == "2" { // it is never opened if it is skipped
								return nil, fmt.Errorf("%s: %w", key, pipeline.ErrGone)
							}
							return io.NopCloser(strings.NewReader("x\n")), nil
						})}
					if err := pipeline.Send(ctx, out, it); err != nil {
						return err
					}
				}
				return nil
			}
			e.write = func(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
				for {
					it, ok, err := pipeline.Receive(ctx, in)
					if !ok {
						return err
					}
					if _, err := it.Body.Open(ctx); err != nil {
						if err := it.GiveUp(ctx, err); err != nil {
							return err
						}
					}
					it.Release()
					if err := it.Done(); err != nil {
						return err
					}
				}
			}
			w := &pipelinetest.World{}
			p := e.pipeline(w)
			switch by {
			case "transform":
				p = e.pipeline(w, split)
			case "skip":
				e.skip = func(it *pipeline.Item) bool { return it.Key == "2" }
			}
			p.Dead, p.GiveUp = &pipelinetest.Letters{World: w, Durable: map[string]string{}}, true
			res, err := p.Run(t.Context())
			if got := noted(p); err != nil || res.Counts.GivenUp+res.Counts.Skipped != 1 || fmt.Sprint(got) != "[1 3]" {
				t.Errorf("%s: notes of %v, %+v, %v, want those of 1 and 3", by, got, res.Counts, err)
			}
		})
	}
}
