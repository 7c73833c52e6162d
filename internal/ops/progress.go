package ops

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Lines logs a line every 10 seconds for each pipeline that runs a pass, until
// ctx ends.
func Lines(ctx context.Context, log *slog.Logger, watches ...*Watch) {
	lookers := newLookers(watches)
	tick(ctx, 10*time.Second, func(now time.Time) {
		for _, l := range lookers {
			if v := l.look(now); v.Running && v.Pass > 0 {
				log.LogAttrs(ctx, slog.LevelInfo, "progress", v.attrs()...)
			}
		}
	})
}

// Bars draws a bar for each pipeline at the bottom of the console, until ctx
// ends; then they are gone.
func Bars(ctx context.Context, c *Console, watches ...*Watch) {
	// Not ended by ctx: bars that are drawn while they are removed would stay.
	progress := mpb.New(mpb.WithOutput(c.out), mpb.WithRefreshRate(200*time.Millisecond), mpb.ContainerOptional(mpb.WithAutoRefresh(), c.Terminal))
	width := 0
	for _, w := range watches {
		width = max(width, len(w.Name()))
	}
	lookers := newLookers(watches)
	shown := make([]atomic.Pointer[look], len(watches))
	bars := make([]*mpb.Bar, len(watches))
	for i, l := range lookers {
		v := l.look(time.Now())
		shown[i].Store(&v)
		fill := mpb.BarFillerFunc(func(out io.Writer, s decor.Statistics) error {
			return fill(out, shown[i].Load().done, s.AvailableWidth)
		})
		text := decor.Any(func(decor.Statistics) string { return shown[i].Load().text() })
		bars[i] = progress.MustAdd(0, fill, mpb.PrependDecorators(decor.Name(l.watch.Name(), decor.WC{W: width, C: decor.DindentRight})), mpb.AppendDecorators(text))
	}
	c.setAbove(progress)
	tick(ctx, 500*time.Millisecond, func(now time.Time) {
		for i, l := range lookers {
			v := l.look(now)
			shown[i].Store(&v)
		}
	})
	c.setAbove(nil)
	for _, b := range bars {
		b.Abort(true)
	}
	progress.Wait()
}

// fill draws the bar itself: how much is done, or nothing if that is unknown
// or there is no room.
func fill(out io.Writer, done float64, room int) error {
	width := min(20, room-2)
	if done < 0 || width < 6 {
		return nil
	}
	n := int(done * float64(width))
	_, err := io.WriteString(out, "["+strings.Repeat("=", n)+strings.Repeat("-", width-n)+"]")
	return err
}

// tick calls f again and again until ctx ends.
func tick(ctx context.Context, every time.Duration, f func(now time.Time)) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			f(now)
		case <-ctx.Done():
			return
		}
	}
}
