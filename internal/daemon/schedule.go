package daemon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	_ "time/tzdata" // the program has the time zones with it

	"github.com/robfig/cron/v3"
)

// Schedule says when passes are due.
type Schedule interface {
	// Next is the first time, from some time on, at which a pass is due after the
	// one that began last.
	Next(last, from time.Time) time.Time
}

// Every is a schedule of passes that are due so long after the last one began.
type Every time.Duration

// Next implements [Schedule].
func (e Every) Next(last, from time.Time) time.Time {
	n := max(1, (from.Sub(last)+time.Duration(e)-1)/time.Duration(e))
	return last.Add(n * time.Duration(e))
}

// Cron is a schedule by minute, hour, day of month, month and day of week, as
// the clocks of a place show them.
//
// When these are put forward, what was due in the hour that is left out is due
// as long after midnight as on other days; when they are put back, what was due
// in the hour that comes twice is due in the first of them. A schedule of every
// hour follows the real ones.
type Cron struct {
	spec  *cron.SpecSchedule
	place *time.Location
}

// anyHour is the bit by which the parser marks a field that was *.
const anyHour = 1 << 63

// ParseCron reads the five fields of a line of cron, or @daily and the like.
func ParseCron(text string, place *time.Location) (*Cron, error) {
	if strings.Contains(text, "TZ=") {
		return nil, fmt.Errorf("%q names a time zone; that is the option time_zone", text)
	}
	fields := cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor
	parsed, err := cron.NewParser(fields).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q cannot be read: %w; write minute, hour, day of month, month and day of week, as in 0 3 * * *", text, err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("%q: that is the option every", text)
	}
	spec.Location = time.UTC
	c := &Cron{spec, place}
	if c.after(time.Now()).IsZero() {
		return nil, fmt.Errorf("%q is never", text)
	}
	return c, nil
}

// Next implements [Schedule].
func (c *Cron) Next(last, from time.Time) time.Time {
	if before := from.Add(-time.Second); before.After(last) {
		last = before
	}
	return c.after(last)
}

// after is the first time after one at which a pass is due; zero: there is none.
func (c *Cron) after(after time.Time) time.Time {
	after = after.In(c.place)
	if c.spec.Hour&anyHour != 0 {
		spec := *c.spec
		spec.Location = c.place
		return spec.Next(after)
	}
	for wall := time.Date(after.Year(), after.Month(), after.Day(), after.Hour(), after.Minute(), after.Second(), 0, time.UTC); ; {
		if wall = c.spec.Next(wall); wall.IsZero() {
			return time.Time{}
		}
		if next := c.first(wall); next.After(after) {
			return next
		}
	}
}

// first is the time at which the clocks show wall, for the first time if they
// do so twice.
func (c *Cron) first(wall time.Time) time.Time {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), 0, 0, c.place)
	_, before := at.Add(-6 * time.Hour).Zone()
	_, then := at.Zone()
	if sooner := at.Add(-time.Duration(before-then) * time.Second); before > then && sooner.Hour() == at.Hour() && sooner.Minute() == at.Minute() {
		return sooner
	}
	return at
}

// longest is the longest time between passes that are due in the next time to
// come; 0 without a schedule.
func longest(s Schedule, now time.Time) (most time.Duration) {
	if s == nil {
		return 0
	}
	last := s.Next(now, now)
	for range 20 {
		next := s.Next(last, last)
		if next.IsZero() {
			break
		}
		most, last = max(most, next.Sub(last)), next
	}
	return most
}

// The bounds of waiting after failures.
const (
	shortestWait = time.Second
	longestWait  = 10 * time.Minute
)

// backOff is how long to wait after so many failures in a row: some time of up
// to 1 s, and of up to twice as much after each, until it is 10 minutes. That it
// is any of that time keeps pipelines that fail together from coming back
// together.
func backOff(failures int) time.Duration {
	most := longestWait
	if n := failures - 1; n < 10 {
		most = min(most, shortestWait<<n)
	}
	return 1 + rand.N(most)
}

// glance is the longest time without a look at the clock: it may be set, and the
// machine may have slept.
const glance = time.Minute

// until waits for a time, or until something comes from wake, or ctx ends. A
// zero time never comes.
func until(ctx context.Context, at time.Time, wake <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		left := glance
		if !at.IsZero() {
			if left = min(left, at.Sub(time.Now().Round(0))); left <= 0 { // without Round, Sub would not see that the clock was set
				return
			}
		}
		timer.Reset(left)
		select {
		case <-timer.C:
		case <-wake:
			return
		case <-ctx.Done():
			return
		}
	}
}
