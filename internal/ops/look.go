package ops

import (
	"log/slog"
	"slices"
	"time"
)

// look is what progress shows of a pipeline.
type look struct {
	Snapshot
	records, bytes float64       // a second, over the last half minute
	done           float64       // of 1; negative if unknown
	left           time.Duration // negative if unknown
	lanes          []laneLook    // that move; none if there is but one
}

// laneLook is what progress shows of a lane.
type laneLook struct {
	name string
	done float64 // of 1; negative if unknown
	text string
}

// looker looks at one pipeline again and again.
type looker struct {
	watch                *Watch
	records, bytes, read rate
}

// lookers looks at the pipelines of a board.
type lookers []*looker

// at are those of the pipelines that are on the board now.
func (ls *lookers) at(b *Board) []*looker {
	var now lookers
	for _, w := range b.Watches() {
		i := slices.IndexFunc(*ls, func(l *looker) bool { return l.watch == w })
		if i >= 0 {
			now = append(now, (*ls)[i])
			continue
		}
		l := &looker{watch: w}
		l.look(time.Now())
		now = append(now, l)
	}
	*ls = now
	return now
}

func (l *looker) look(now time.Time) look {
	s := l.watch.Snapshot()
	v := look{Snapshot: s, done: -1, left: -1, lanes: l.lanes()}
	v.records = l.records.add(now, s.Total.Read+s.Total.Created)
	v.bytes = l.bytes.add(now, max(s.Total.BytesRead, s.Total.BytesWritten))
	done, left := far(s.Counts, s.Expected, v.records, l.read.add(now, s.Total.BytesRead))
	if done != nil {
		v.done = *done
	}
	if left != nil {
		v.left = time.Duration(*left * float64(time.Second))
	}
	return v
}

// lanes are those that move, of a pass that has several.
func (l *looker) lanes() (lanes []laneLook) {
	s, _ := l.watch.Status()
	if len(s.Lanes) < 2 {
		return nil
	}
	for _, lane := range s.Lanes {
		if !lane.Open || lane.State.Ended {
			continue
		}
		c := lane.State.Counts
		v := laneLook{name: lane.Name, done: -1, text: Size(max(c.BytesRead, c.BytesWritten))}
		if have := c.Read + c.Created; c.Unknown == 0 && have > 0 {
			v.text = Count(have) + " records"
		}
		if done, _ := far(c, held(lane), 0, 0); done != nil {
			v.done = *done
		}
		lanes = append(lanes, v)
	}
	return lanes
}

// attrs is what a line of the log says of it.
func (v look) attrs() []slog.Attr {
	c := v.Counts
	attrs := []slog.Attr{
		slog.String("pipeline", v.Name), slog.Int64("pass", v.Pass),
		slog.Int64("records", c.Read+c.Created), slog.Int64("records_per_second", int64(v.records)),
		slog.String("read", Size(c.BytesRead)), slog.String("written", Size(c.BytesWritten)),
		slog.Int64("objects_read", c.ObjectsRead), slog.Int64("objects_written", c.ObjectsWritten),
		slog.Int("lanes_open", v.Lanes.Open), slog.Int("lanes_ended", v.Lanes.Ended), slog.Int("lanes", v.Lanes.Total),
		slog.Int64("retries", sum(v.Retries)), slog.Int64("dead", c.Dead),
	}
	if v.done >= 0 {
		attrs = append(attrs, slog.Int("percent", int(100*v.done)))
	}
	if v.left >= 0 {
		attrs = append(attrs, slog.String("eta", Span(v.left)))
	}
	return attrs
}

func sum(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

// rate is how fast a figure grows, over the last half minute: figures move
// when units are done, and units may be large.
type rate struct{ samples []sample }

type sample struct {
	at time.Time
	n  int64
}

func (r *rate) add(at time.Time, n int64) float64 {
	r.samples = append(r.samples, sample{at, n})
	for len(r.samples) > 2 && at.Sub(r.samples[1].at) >= 30*time.Second {
		r.samples = r.samples[1:]
	}
	first := r.samples[0]
	if seconds := at.Sub(first.at).Seconds(); seconds > 0 {
		return float64(n-first.n) / seconds
	}
	return 0
}
