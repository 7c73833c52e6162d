package ops_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"sluice/internal/ops"
)

// drawn runs f with the console of a real terminal of a size, and returns what
// was written to it.
func drawn(t *testing.T, width, height int, env map[string]string, f func(*testing.T, *ops.Console)) string {
	t.Helper()
	master, slave := terminal(t, width, height)
	var b strings.Builder
	var g errgroup.Group
	g.Go(func() error {
		io.Copy(&b, master) // ends with an error when the slave is closed
		return nil
	})
	synctest.Test(t, func(t *testing.T) {
		c := ops.NewConsole(slave, func(name string) string { return env[name] })
		if !c.Terminal {
			t.Error("got no terminal")
		}
		f(t, c)
	})
	slave.Close()
	g.Wait()
	return b.String()
}

func terminal(t *testing.T, width, height int) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	err = errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)}))
	if err != nil {
		t.Fatal(err)
	}
	if slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

var sequence = regexp.MustCompile(`\x1b\[([?0-9;]*)([A-Za-z])`)

// screen shows what a terminal shows of a stream: all its rows, those included
// that have left it above. frames are what it shows after each picture.
func screen(t *testing.T, stream string, columns int) (end string, frames []string) {
	t.Helper()
	rows, y, x := []string{""}, 0, 0
	for len(stream) > 0 {
		if at := sequence.FindStringSubmatchIndex(stream); at != nil && at[0] == 0 {
			argument, command := stream[at[2]:at[3]], stream[at[4]]
			stream = stream[at[1]:]
			switch n, _ := strconv.Atoi(argument); {
			case command == 'A':
				y = max(0, y-n)
			case command == 'J':
				rows = append(rows[:y], string([]rune(rows[y])[:x]))
			case command == 'h':
				frames = append(frames, strings.Join(rows, "\n"))
			case command != 'm' && command != 'l':
				t.Errorf("got the sequence %q%c", argument, command)
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(stream)
		stream = stream[size:]
		switch r {
		case '\r':
			x = 0
		case '\n':
			if y++; y == len(rows) {
				rows = append(rows, "")
			}
		default:
			row := []rune(rows[y])
			rows[y] = string(append(row[:x:x], append([]rune{r}, row[min(len(row), x+1):]...)...))
			if x++; x > columns {
				t.Fatalf("got %q, wider than %d columns", rows[y], columns)
			}
		}
	}
	return strings.Join(rows, "\n"), frames
}

// moves draws a board while its pipelines make a pass, and writes a line after
// some seconds.
func moves(t *testing.T, c *ops.Console, watches ...*ops.Watch) {
	ctx, stop := context.WithCancel(t.Context())
	var g, passes errgroup.Group
	g.Go(func() error { ops.Bars(ctx, c, ops.NewBoard(watches...)); return nil })
	for _, w := range watches {
		passes.Go(func() error { w.Pass(ctx); return nil })
	}
	time.Sleep(20250 * time.Millisecond)
	io.WriteString(c, "a line of the log\n")
	passes.Wait()
	time.Sleep(time.Second)
	stop()
	g.Wait()
	io.WriteString(c, "the end\n")
}

func TestBarsStayBelowTheLogAndAreGoneAtTheEnd(t *testing.T) {
	stream := drawn(t, 120, 24, nil, func(t *testing.T, c *ops.Console) {
		moves(t, c, watch(&source{n: 40, expect: 40}, &sink{dead: 3}, newStore()))
	})
	end, frames := screen(t, stream, 120)
	if end != "a line of the log\nthe end\n" {
		t.Errorf("got %q at the end, want no bar", end)
	}
	middle := frames[45]
	want := regexp.MustCompile(`^a line of the log\np  \[=+-+\]   5\d%  \d\d records  1\.0/s  \d+ B  \d B/s  ETA [12]\ds  lanes 0/1  2\d retries  1 dead\n$`)
	if !want.MatchString(middle) {
		t.Errorf("got\n%swant the line, and below it a bar: %s", middle, want)
	}
	if last := frames[len(frames)-2]; !strings.Contains(last, "p  [========================]  partial\n") {
		t.Errorf("got\n%swant what became of it", last)
	}
	if !strings.Contains(stream, "\x1b[31m1 dead\x1b[0m") {
		t.Error("got no colours")
	}
}

func TestBarsKnowTheWidthOfTheTerminal(t *testing.T) {
	for _, width := range []int{20, 40, 80, 200} {
		stream := drawn(t, width, 24, nil, func(t *testing.T, c *ops.Console) {
			s := &source{n: 40, expect: 40, lanes: []string{"logs-of-a-name-that-is-long-0", "a\x1b[2J\nb", "c"}}
			moves(t, c, watch(s, &sink{dead: 3}, newStore()))
		})
		end, frames := screen(t, stream, width)
		if end != "a line of the log\nthe end\n" {
			t.Errorf("width %d: got %q at the end, want no bar", width, end)
		}
		if !strings.Contains(frames[45], "dead") && width > 20 {
			t.Errorf("width %d: got\n%swant what is dead, whatever there is room for", width, frames[45])
		}
	}
}

func TestLanesThatMoveHaveBarsOfTheirOwn(t *testing.T) {
	stream := drawn(t, 100, 24, map[string]string{"LANG": "de_DE.UTF-8", "NO_COLOR": "1"}, func(t *testing.T, c *ops.Console) {
		var names []string
		for i := range 8 {
			names = append(names, fmt.Sprintf("logs-%d", i))
		}
		s := &source{n: 40, expect: 40, lanes: names}
		w := ops.NewWatch("logs")
		p := newPipeline(s, &sink{}, newStore())
		p.Lanes = 8
		w.Use(p, nil)
		moves(t, c, w)
	})
	_, frames := screen(t, stream, 100)
	rows := strings.Split(strings.TrimSuffix(frames[45], "\n"), "\n")
	if len(rows) != 7 || !strings.HasPrefix(rows[1], "logs      ━") {
		t.Fatalf("got\n%swant the pipeline, four lanes and how many more there are", frames[45])
	}
	if want := regexp.MustCompile(`^  logs-0  ━+─+   5\d%  \d+ records$`); !want.MatchString(rows[2]) {
		t.Errorf("got %q, want a lane", rows[2])
	}
	if rows[6] != "  … 4 more lanes move" {
		t.Errorf("got %q, want how many more there are", rows[6])
	}
	if regexp.MustCompile(`\x1b\[[0-9;]+m`).MatchString(stream) {
		t.Error("got colours, want none with NO_COLOR")
	}
}

func TestBarsSayWhatTheSupervisorSays(t *testing.T) {
	var paused, failing, stalled *ops.Watch
	stream := drawn(t, 120, 24, nil, func(t *testing.T, c *ops.Console) {
		paused, failing, stalled = ops.NewWatch("paused"), ops.NewWatch("failing"), ops.NewWatch("stalled")
		paused.Care(func(c *ops.Care) { c.Paused = true })
		failing.Care(func(c *ops.Care) {
			c.Failures, c.Error, c.Next = 3, "sink: 503\nmore", time.Now().Add(42*time.Second)
		})
		stalled.Care(func(c *ops.Care) {
			c.Stalled = &ops.Stall{Since: time.Now().Add(-time.Hour), Stage: "gzip", Lane: "a", Doing: "works"}
		})
		ctx, stop := context.WithCancel(t.Context())
		stop()
		ops.Bars(ctx, c, ops.NewBoard(paused, failing, stalled))
	})
	_, frames := screen(t, stream, 120)
	for _, want := range []string{"]  paused\n", "]  failed 3 times; next in 42s: sink: 503\n", "]  no progress for 1h0m: gzip of lane a: works\n"} {
		if !strings.Contains(frames[0], want) {
			t.Errorf("got\n%swant %q", frames[0], want)
		}
	}
}

func TestWhatIsNoTerminalHasNoBars(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if c := ops.NewConsole(w, func(string) string { return "" }); c.Terminal || c.Color {
		t.Error("got a terminal, want a pipe")
	}
	_, slave := terminal(t, 80, 24)
	defer slave.Close()
	dumb := func(name string) string { return map[string]string{"TERM": "dumb"}[name] }
	if c := ops.NewConsole(slave, dumb); c.Terminal || c.Color {
		t.Error("got a terminal, want a dumb one to be none")
	}
}
