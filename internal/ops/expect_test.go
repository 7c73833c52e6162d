package ops_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/ops"
	"sluice/pipeline"
)

// bucket is lanes of n objects of 10 bytes, one a second. It takes 15 seconds to
// count a lane.
type bucket struct{ *source }

func (b bucket) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return b, nil }

func (b bucket) Count(context.Context, pipeline.Lane, pipeline.Position) (objects, bytes int64, ok bool, err error) {
	time.Sleep(15 * time.Second)
	return int64(b.n), int64(10 * b.n), true, nil
}

func (b bucket) Read(ctx context.Context, _ pipeline.Lane, _ pipeline.Position, out chan<- *pipeline.Item) error {
	empty := pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil })
	for i := range b.n {
		time.Sleep(time.Second)
		it := &pipeline.Item{Key: fmt.Sprint(i), Pos: pipeline.Position{Token: fmt.Sprint(i + 1)}, Size: 10, Records: -1, Body: empty}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
	return nil
}

// unpacking is a sink that makes 50 bytes of 10.
type unpacking struct{ *sink }

func (s unpacking) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return s, nil }

func (s unpacking) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		it.Counts.BytesWritten += 5 * it.Size
		if err := it.Done(); err != nil {
			return err
		}
	}
}

// Nobody knows how many records a bucket holds, and how many objects only after
// a while. What is left is told by the bytes that are read, not those written.
func TestABucketThatIsCountedHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ops.NewWatch("p")
		w.Describe(ops.About{Stages: named, Lane: 10, Shared: 1})
		p := newPipeline(nil, unpacking{&sink{}}, newStore())
		p.Source = bucket{&source{n: 50, lanes: []string{"a", "b"}}}
		w.Use(p, nil)
		var log bytes.Buffer
		ctx, stop := context.WithCancel(t.Context())
		var g errgroup.Group
		g.Go(func() error {
			ops.Lines(ctx, ops.NewLogger(&log, true, slog.LevelInfo), ops.NewBoard(w))
			return nil
		})
		g.Go(func() error { ops.Sample(ctx, ops.NewBoard(w)); return nil })
		g.Go(func() error { w.Pass(ctx); return nil })

		time.Sleep(20500 * time.Millisecond) // one lane is counted
		if v := w.View(time.Now()); v.Pass.Done != nil || v.Pass.Left != nil || v.Lag.Objects != nil || v.Lag.Bytes != nil {
			t.Errorf("got %+v, %+v before all was counted", v.Pass, v.Lag)
		}
		time.Sleep(20 * time.Second)
		v := w.View(time.Now())
		if v.Pass.Expected != (ops.Expected{Bytes: 1000, Objects: 100}) || *v.Pass.Done != 0.4 || *v.Pass.Left < 55 || *v.Pass.Left > 65 {
			t.Errorf("got %+v, want 40 of 100 objects, and a minute to go", v.Pass)
		}
		if *v.Lag.Objects != 60 || *v.Lag.Bytes != 600 || v.Lag.Records != nil {
			t.Errorf("got %+v, want 60 objects behind", v.Lag)
		}
		if l := w.Detail(time.Now(), true).Lanes[0]; l.Expected.Objects != 50 || *l.Done != 0.8 {
			t.Errorf("got %+v, want 40 of 50 objects", l)
		}
		time.Sleep(70 * time.Second)
		if v := w.View(time.Now()); *v.Pass.Done != 1 || v.Pass.Expected != (ops.Expected{Bytes: 1000, Objects: 100}) {
			t.Errorf("got %+v, want an end", v.Pass)
		}
		stop()
		g.Wait()
		var said struct {
			Percent int
			ETA     string
		}
		line := strings.Split(log.String(), "\n")[3]
		if err := json.Unmarshal([]byte(line), &said); err != nil || said.Percent < 39 || said.Percent > 40 || !regexp.MustCompile(`^(5[5-9]s|1m)`).MatchString(said.ETA) {
			t.Errorf("got %v, %+v of %s, want 40 per cent and a minute", err, said, line)
		}
	})
}
