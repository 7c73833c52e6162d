package test

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// sample is what the daemon takes at a moment.
type sample struct {
	at                time.Duration // since the begin
	process           int           // when it began, as the kernel counts
	resident          float64       // MB
	goroutines, files float64
}

// samples are taken while a soak goes on.
type samples struct {
	soak  *soak
	mu    sync.Mutex
	list  []sample
	marks []sample // moments with a name; only at is set
	names []string
	stop  context.CancelFunc
	ended sync.WaitGroup
}

// sample begins to take samples, some hundred of them.
func (s *soak) sample(t *testing.T) *samples {
	ctx, stop := context.WithCancel(t.Context())
	all := &samples{soak: s, stop: stop}
	t.Cleanup(stop)
	all.ended.Go(func() {
		for ctx.Err() == nil {
			if one, ok := s.look(ctx); ok {
				all.mu.Lock()
				all.list = append(all.list, one)
				all.mu.Unlock()
			}
			select {
			case <-ctx.Done():
			case <-time.After(max(time.Second, s.length/720)):
			}
		}
	})
	return all
}

// mark gives the moment a name.
func (a *samples) mark(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.marks, a.names = append(a.marks, sample{at: time.Since(a.soak.began)}), append(a.names, name)
}

// end takes no more samples, and writes them down.
func (a *samples) end(t *testing.T) {
	t.Helper()
	a.stop()
	a.ended.Wait()
	a.table(t)
	a.graph(t)
}

// look takes a sample; there is none while the daemon is being started.
func (s *soak) look(ctx context.Context) (sample, bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	m, err := s.scrape(ctx)
	if err != nil {
		return sample{}, false
	}
	return sample{time.Since(s.began), int(m["process_start_time_seconds"]), m["process_resident_memory_bytes"] / 1e6, m["go_goroutines"], m["process_open_fds"]}, true
}

// metrics reads the metrics of the daemon, by their names and labels.
func (s *soak) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	m, err := s.scrape(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (s *soak) scrape(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+s.port+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	m := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, ok := cutLast(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			m[name] = v
		}
	}
	return m, lines.Err()
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// flat fails if anything has grown between two moments: over all, and in the
// last process alone, which is the one that lives longest. Of goroutines and open
// files the least is looked at: what is under way takes some, the more the longer
// the servers take, but what is left behind is there when nothing is under way.
func (a *samples) flat(t *testing.T, from, until time.Duration) {
	t.Helper()
	var all, last []sample
	for _, s := range a.list {
		if s.at < from || s.at > until {
			continue
		}
		all = append(all, s)
		if len(last) > 0 && last[0].process != s.process {
			last = last[:0]
		}
		last = append(last, s)
	}
	for _, what := range []struct {
		name  string
		of    func(sample) float64
		least bool
	}{
		{"resident MB", func(s sample) float64 { return s.resident }, false},
		{"goroutines", func(s sample) float64 { return s.goroutines }, true},
		{"open files", func(s sample) float64 { return s.files }, true},
	} {
		for name, list := range map[string][]sample{"all": all, "the last process": last} {
			if len(list) < 30 {
				t.Fatalf("%s: %d samples of %s are not enough", what.name, len(list), name)
			}
			first, end := sorted(list[:len(list)/3], what.of), sorted(list[len(list)*2/3:], what.of)
			t.Logf("%s, %s: in the first third at least %.0f, mostly %.0f, at most %.0f; in the last %.0f, %.0f, %.0f", what.name, name,
				first[0], first[len(first)/2], first[len(first)-1], end[0], end[len(end)/2], end[len(end)-1])
			before, after := first[len(first)/2], end[len(end)/2]
			if what.least {
				before, after = first[0], end[0]
			}
			if after > before*1.1+5 {
				t.Errorf("%s has grown: %.0f, then %.0f (%s)", what.name, before, after, name)
			}
		}
	}
}

// sorted is one figure of samples, the least first.
func sorted(list []sample, of func(sample) float64) (all []float64) {
	for _, s := range list {
		all = append(all, of(s))
	}
	slices.Sort(all)
	return all
}

// table writes the samples as CSV.
func (a *samples) table(t *testing.T) {
	t.Helper()
	write(t, "soak.csv", func(w io.Writer) error {
		c := csv.NewWriter(w)
		c.Write([]string{"seconds", "process", "resident_mb", "goroutines", "open_files"})
		for _, s := range a.list {
			c.Write([]string{fmt.Sprintf("%.0f", s.at.Seconds()), fmt.Sprint(s.process), fmt.Sprintf("%.1f", s.resident), fmt.Sprint(s.goroutines), fmt.Sprint(s.files)})
		}
		c.Flush()
		return c.Error()
	})
}

// graph draws the samples: what happened is a line from top to bottom.
func (a *samples) graph(t *testing.T) {
	t.Helper()
	const width, height, gap = 1200.0, 160.0, 40.0
	write(t, "soak.svg", func(w io.Writer) error {
		fmt.Fprintf(w, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %v %v' font-family='sans-serif' font-size='12'>\n<rect width='100%%' height='100%%' fill='white'/>\n", width+60, 3*(height+gap)+gap)
		end := a.list[len(a.list)-1].at.Seconds()
		for i, m := range a.marks {
			colour := "#ddd"
			if a.names[i] == "kill -9" {
				colour = "#d33"
			} else if strings.HasPrefix(a.names[i], "reload") {
				colour = "#36c"
			}
			x := 50 + m.at.Seconds()/end*width
			fmt.Fprintf(w, "<line x1='%.1f' x2='%.1f' y1='%v' y2='%v' stroke='%s'><title>%s</title></line>\n", x, x, gap, 3*(height+gap), colour, a.names[i])
		}
		for i, c := range []struct {
			name string
			of   func(sample) float64
		}{
			{"resident memory, MB", func(s sample) float64 { return s.resident }},
			{"goroutines", func(s sample) float64 { return s.goroutines }},
			{"open files", func(s sample) float64 { return s.files }},
		} {
			top := gap + float64(i)*(height+gap)
			most := 1.0
			for _, s := range a.list {
				most = max(most, c.of(s))
			}
			fmt.Fprintf(w, "<text x='50' y='%v'>%s, up to %.0f</text>\n<polyline fill='none' stroke='black' points='", top-6, c.name, most)
			for _, s := range a.list {
				fmt.Fprintf(w, "%.1f,%.1f ", 50+s.at.Seconds()/end*width, top+height-c.of(s)/most*height)
			}
			fmt.Fprintf(w, "'/>\n<line x1='50' x2='%v' y1='%v' y2='%v' stroke='#999'/>\n", 50+width, top+height, top+height)
		}
		fmt.Fprintf(w, "<text x='50' y='%v'>%.0f s; red: kill -9, blue: reload, grey: a server's fault begins or ends</text>\n</svg>\n", 3*(height+gap)+20, end)
		return nil
	})
}

// write makes a file for people.
func write(t *testing.T, name string, f func(io.Writer) error) {
	t.Helper()
	file, err := os.Create(out(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := f(file); err != nil {
		t.Fatal(err)
	}
}
