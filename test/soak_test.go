package test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestSoak is a year in an hour: a daemon with five pipelines between real
// servers that are killed and started again, slowed, filled and cut off in turn,
// while it is told ten times of another configuration and killed five times.
// SLUICE_TEST_SOAK says how long it takes, as "1h"; `make soak` runs it.
//
// In the end every destination is exactly what its source is, and from a twelfth
// of the time on memory, goroutines and open files have not grown. Graph, samples
// and log are left in SLUICE_SOAK_OUT.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("SLUICE_TEST_SOAK"))
	if err != nil {
		t.Skip("it takes an hour: make soak runs it")
	}
	s := newSoak(t, length)
	s.run(t)
	s.seen = s.sample(t)
	s.load(t)
	late := time.Duration(0) // what takes its time, as the start of a server, moves all that is behind it
	for _, e := range s.plan() {
		time.Sleep(time.Until(s.began.Add(e.at + late)))
		t.Logf("%6s  %s", time.Since(s.began).Round(time.Second), e.what)
		s.seen.mark(e.what)
		e.do(t)
		late = max(late, time.Since(s.began)-e.at)
	}
	ended := time.Since(s.began)
	s.rest(t)
	s.settle(t)
	s.seen.end(t)
	s.ends(t, syscall.SIGTERM, 0)
	s.exact(t)
	s.seen.flat(t, length/12, ended)
}

// event is something that happens to the daemon.
type event struct {
	at   time.Duration
	what string
	do   func(*testing.T)
}

// plan is what happens, in order: one trouble after the other, each as long as the
// time until the next, and within them reloads and kills.
func (s *soak) plan() (all []event) {
	const reloads, kills = 10, 5
	troubles := s.troubles()
	part := func(i, of int) time.Duration { return s.length * time.Duration(i) / time.Duration(of) }
	for i := range 48 { // up to 0.83 of the time
		f := troubles[i%len(troubles)]
		all = append(all, event{part(2+i, 60), f.name, f.begin}, event{part(2+i, 60) + part(1, 100), "end of: " + f.name, f.end})
	}
	for i := range reloads {
		all = append(all, event{part(5+7*i, 100), fmt.Sprint("reload ", i+1), func(t *testing.T) { s.reload(t, i+1) }})
	}
	for i := range kills {
		all = append(all, event{part(8+9*i, 100), "kill -9", func(t *testing.T) {
			s.ends(t, syscall.SIGKILL, -1)
			s.run(t)
		}})
	}
	slices.SortStableFunc(all, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	return all
}

// reload brings version n of the configuration, behind a broken one if it is the
// fifth, and waits until the daemon has read it. Some of them it finds by itself.
func (s *soak) reload(t *testing.T, n int) {
	const errors, again = "the configuration has errors", "the configuration was read again"
	text := s.version(n)
	if n == 5 {
		before := s.count(t, errors)
		s.mount(t, 100+n, text+"    snik: {}\n")
		s.logs(t, before+1, errors)
	}
	before := s.count(t, again)
	s.mount(t, n, text)
	if n%3 != 0 {
		s.cmd.Process.Signal(syscall.SIGHUP)
	}
	s.logs(t, before+1, again)
}

// settle waits until each pipeline has completed a pass that has begun after all
// was at rest: that is the second one from now on.
func (s *soak) settle(t *testing.T) {
	t.Helper()
	complete := func(name string) int {
		return int(s.metrics(t)[fmt.Sprintf(`sluice_passes_total{outcome="complete",pipeline=%q}`, name)])
	}
	want := map[string]int{}
	for _, name := range soaked {
		want[name] = complete(name) + 2
	}
	for deadline := time.Now().Add(s.length/10 + 8*time.Minute); len(want) > 0; time.Sleep(time.Second) {
		for name, n := range want {
			if complete(name) >= n {
				delete(want, name)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("these have not completed two more passes: %v\n%s", want, tail(s.text(t)))
		}
	}
}

// tail is the end of a log.
func tail(text string) string { return text[max(0, len(text)-8000):] }

// out is where a file for people goes.
func out(t *testing.T, name string) string {
	t.Helper()
	dir := cmp.Or(os.Getenv("SLUICE_SOAK_OUT"), t.TempDir())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}
