package ops

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Lines logs a line every 10 seconds for each pipeline of a board that runs a
// pass, until ctx ends.
func Lines(ctx context.Context, log *slog.Logger, board *Board) {
	var lookers lookers
	tick(ctx, 10*time.Second, func(now time.Time) {
		for _, l := range lookers.at(board) {
			if v := l.look(now); v.Running && v.Pass > 0 {
				log.LogAttrs(ctx, slog.LevelInfo, "progress", v.attrs()...)
			}
		}
	})
}

// Bars draws a bar for each pipeline of a board at the bottom of the console,
// until ctx ends; then they are gone.
func Bars(ctx context.Context, c *Console, board *Board) {
	// Not ended by ctx: bars that are drawn while they are removed would stay.
	progress := mpb.New(mpb.WithOutput(c.out), mpb.WithRefreshRate(200*time.Millisecond), mpb.ContainerOptional(mpb.WithAutoRefresh(), c.Terminal))
	var lookers lookers
	bars := map[*looker]*bar{}
	draw := func(now time.Time) {
		for _, l := range lookers.at(board) {
			if bars[l] == nil {
				bars[l] = newBar(progress, l)
			}
			v := l.look(now)
			bars[l].shown.Store(&v)
		}
		for l, b := range bars {
			if !slices.Contains(lookers, l) {
				b.Abort(true)
				delete(bars, l)
			}
		}
	}
	draw(time.Now())
	c.setAbove(progress)
	tick(ctx, 500*time.Millisecond, draw)
	c.setAbove(nil)
	for _, b := range bars {
		b.Abort(true)
	}
	progress.Wait()
}

// bar is the bar of one pipeline.
type bar struct {
	*mpb.Bar
	shown atomic.Pointer[look]
}

func newBar(progress *mpb.Progress, l *looker) *bar {
	b := new(bar)
	v := l.look(time.Now())
	b.shown.Store(&v)
	line := mpb.BarFillerFunc(func(out io.Writer, s decor.Statistics) error {
		return fill(out, b.shown.Load().done, s.AvailableWidth)
	})
	text := decor.Any(func(decor.Statistics) string { return b.shown.Load().text() })
	name := decor.Name(l.watch.Name(), decor.WC{C: decor.DindentRight | decor.DSyncWidth})
	b.Bar = progress.MustAdd(0, line, mpb.PrependDecorators(name), mpb.AppendDecorators(text))
	return b
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
