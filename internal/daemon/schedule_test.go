package daemon_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/daemon"
)

func TestWaitsGrowToTenMinutesWithFullJitter(t *testing.T) {
	for failures, most := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 10: 512 * time.Second, 11: 10 * time.Minute, 1000: 10 * time.Minute} {
		least, longest := most, time.Duration(0)
		for range 500 {
			wait := daemon.BackOff(failures)
			least, longest = min(least, wait), max(longest, wait)
		}
		if least <= 0 || least > most/20 || longest > most || longest < most*19/20 {
			t.Errorf("after %d failures: got %v to %v, want any time up to %v", failures, least, longest, most)
		}
	}
}

// clock is the time that clocks in Berlin show, which are put forward on March
// 29 at 2:00 and back on October 25 at 3:00.
func clock(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05 MST", text, berlin(t))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func berlin(t *testing.T) *time.Location {
	t.Helper()
	place, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return place
}

func TestCronFollowsTheClocksOfItsPlace(t *testing.T) {
	for _, test := range []struct {
		name, line, last string
		want             []string
	}{
		{"each day at three", "0 3 * * *", "2026-06-01 03:00:00 CEST", []string{"2026-06-02 03:00:00 CEST", "2026-06-03 03:00:00 CEST"}},
		{"the same time in winter", "0 3 * * *", "2026-10-24 03:00:00 CEST", []string{"2026-10-25 03:00:00 CET", "2026-10-26 03:00:00 CET"}},
		{"in the hour that is left out", "30 2 * * *", "2026-03-28 02:30:00 CET", []string{"2026-03-29 03:30:00 CEST", "2026-03-30 02:30:00 CEST"}},
		{"in the hour that comes twice", "30 2 * * *", "2026-10-24 02:30:00 CEST", []string{"2026-10-25 02:30:00 CEST", "2026-10-26 02:30:00 CET"}},
		{"each half hour, while it comes twice", "*/30 * * * *", "2026-10-25 02:30:00 CEST", []string{"2026-10-25 02:00:00 CET", "2026-10-25 02:30:00 CET", "2026-10-25 03:00:00 CET"}},
		{"on Mondays", "@weekly", "2026-06-01 03:00:00 CEST", []string{"2026-06-07 00:00:00 CEST"}},
		{"on leap days", "0 0 29 2 *", "2026-06-01 03:00:00 CEST", []string{"2028-02-29 00:00:00 CET"}},
		{"a second before", "0 3 * * *", "2026-06-01 02:59:59 CEST", []string{"2026-06-01 03:00:00 CEST"}},
	} {
		c, err := daemon.ParseCron(test.line, berlin(t))
		if err != nil {
			t.Fatal(err)
		}
		last := clock(t, test.last)
		for _, want := range test.want {
			got := c.Next(last, last)
			if !got.Equal(clock(t, want)) {
				t.Errorf("%s: after %v: got %v, want %s", test.name, last, got, want)
			}
			last = got
		}
	}
}

func TestWhatIsDueFromSomeTimeOnLeavesOutWhatWasMissed(t *testing.T) {
	c, err := daemon.ParseCron("0 * * * *", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	last := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		s            daemon.Schedule
		missed, want time.Duration
	}{
		{c, 0, time.Hour},
		{c, 90 * time.Minute, 2 * time.Hour},
		{c, 2 * time.Hour, 2 * time.Hour},
		{daemon.Every(time.Hour), 0, time.Hour},
		{daemon.Every(time.Hour), 90 * time.Minute, 2 * time.Hour},
		{daemon.Every(time.Hour), 2 * time.Hour, 2 * time.Hour},
		{daemon.Every(time.Millisecond), 8760 * time.Hour, 8760 * time.Hour},
	} {
		if got := test.s.Next(last, last.Add(test.missed)).Sub(last); got != test.want {
			t.Errorf("%T: got %v after the last, want %v", test.s, got, test.want)
		}
		if got, want := test.s.Next(last, last).Sub(last), test.s.Next(last, last.Add(1)).Sub(last); got != want {
			t.Errorf("%T: got %v, want the first after the last, %v", test.s, got, want)
		}
	}
}

func TestWhatIsNoLineOfCronIsRefused(t *testing.T) {
	for _, line := range []string{"", "* * * *", "* * * * * *", "60 * * * *", "0 0 31 2 *", "@every 5m", "TZ=Asia/Tokyo 0 3 * * *", "CRON_TZ=UTC 0 3 * * *", "TZ=0", "nonsense", "@never"} {
		if _, err := daemon.ParseCron(line, time.UTC); err == nil {
			t.Errorf("%q: got no error", line)
		}
	}
}

func FuzzCron(f *testing.F) {
	for _, line := range []string{"0 3 * * *", "*/5 1-3 1,15 jan-mar mon", "@daily", "TZ=0", "0 0 29 2 1", "59 23 31 12 7"} {
		f.Add(line, int64(1_790_000_000))
	}
	place, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line string, unix int64) {
		c, err := daemon.ParseCron(line, place)
		if err != nil {
			return
		}
		last := time.Unix(unix%4_000_000_000, 0)
		if next := c.Next(last, last); !next.IsZero() && !next.After(last) {
			t.Errorf("%q: got %v after %v", line, next, last)
		}
	})
}

func TestWaitingLooksAtTheClockEachMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		daemon.Until(t.Context(), began.Add(3*time.Hour+time.Second), nil)
		if got := time.Since(began); got != 3*time.Hour+time.Second {
			t.Errorf("got %v, want 3h1s", got)
		}
		wake := make(chan struct{}, 1)
		wake <- struct{}{}
		daemon.Until(t.Context(), time.Time{}, wake)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		daemon.Until(ctx, time.Time{}, nil)
		if got := time.Since(began); got != 4*time.Hour+time.Second {
			t.Errorf("got %v, want an hour more: a time that is zero never comes", got)
		}
	})
}
