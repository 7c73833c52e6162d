package ops

import (
	"context"
	"log/slog"
	"time"
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

// Bars draws what the pipelines of a board do at the bottom of the console,
// until ctx ends; then it is gone. A console that cannot be written to has no
// bars: what else is written to it says so.
func Bars(ctx context.Context, c *Console, board *Board) {
	var lookers lookers
	draw := func(now time.Time) {
		var looks []look
		for _, l := range lookers.at(board) {
			looks = append(looks, l.look(now))
		}
		width, height := c.Size()
		p := picture{width: width, height: height, color: c.Color, fine: c.fine, now: now}
		c.show(p.rows(looks))
	}
	draw(time.Now())
	tick(ctx, 500*time.Millisecond, draw)
	c.show(nil)
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
