package daemon_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/daemon"
	"sluice/internal/ops"
	"sluice/pipeline"
)

// disk is a configuration that changes: its text names the fakes that are to
// run, as in "a b=2": b depends on the text 2.
type disk struct {
	mu    sync.Mutex
	text  string
	err   error
	fakes map[string]*fake
	again chan os.Signal
}

func newDisk(text string, fakes ...*fake) *disk {
	d := &disk{text: text, fakes: map[string]*fake{}, again: make(chan os.Signal)}
	for _, f := range fakes {
		d.fakes[f.name] = f
	}
	return d
}

func (d *disk) set(text string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.text, d.err = text, err
}

func (d *disk) configuration() *daemon.Configuration {
	return &daemon.Configuration{Text: []byte(d.text), Read: d.read, Jobs: d.jobs, Again: d.again}
}

func (d *disk) read() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return []byte(d.text), d.err
}

func (d *disk) jobs(text []byte) (jobs []daemon.Job, err error) {
	for name := range strings.FieldsSeq(string(text)) {
		name, value, _ := strings.Cut(name, "=")
		f := d.fakes[name]
		if f == nil {
			return nil, errors.New("no pipeline " + name)
		}
		j := f.job()
		j.Text += value
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// busy is a pipeline whose passes take an hour, and stop when they are asked to.
func busy(name string) *fake {
	f := newFake(name)
	f.every = time.Hour
	f.read = func(ctx context.Context, out chan<- *pipeline.Item) error {
		if err := send(ctx, out, "1"); err != nil {
			return err
		}
		return sleep(ctx, time.Hour)
	}
	return f
}

func TestOnlyWhatChangedBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c, gone := busy("a"), busy("b"), busy("c"), busy("gone")
		d := newDisk("a b gone", a, b, c, gone)
		r := start(t, d.configuration(), a, b, gone)
		time.Sleep(10 * time.Minute)
		d.set("a b=2 c", nil)
		time.Sleep(10 * time.Minute)
		for f, want := range map[*fake][3]int{a: {1, 0, 1}, b: {2, 1, 2}, c: {1, 0, 1}, gone: {1, 1, 1}} {
			opened, closed := f.openings()
			if got := [3]int{opened, closed, len(f.passes(time.Now()))}; got != want {
				t.Errorf("%s: got it opened, closed and in passes %v times, want %v", f.name, got, want)
			}
		}
		if s := r.snapshot(t, "b"); s.Pass != 1 || !s.Running || s.Total.Written != 2 || s.Ended[ops.Stopped] != 1 {
			t.Errorf("got %+v, want it in the pass that was interrupted", s)
		}
		var names []string
		for _, w := range r.Board.Watches() {
			names = append(names, w.Name())
		}
		if want := []string{"a", "b", "c"}; !slices.Equal(names, want) {
			t.Errorf("got %v on the board, want %v", names, want)
		}
	})
}

func TestABadConfigurationIsSaidOnceAndChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := busy("a")
		d := newDisk("a", a)
		r := start(t, d.configuration(), a)
		for _, change := range []func(){
			func() { d.set("a nonsense", nil) },
			func() { d.set("", errors.New("stale file handle")) },
		} {
			change()
			time.Sleep(time.Minute)
		}
		if opened, closed := a.openings(); opened != 1 || closed != 0 {
			t.Errorf("opened %d times and closed %d times, want 1 and 0", opened, closed)
		}
		log := r.log.String()
		if strings.Count(log, "level=ERROR") != 2 || !strings.Contains(log, "no pipeline nonsense") || !strings.Contains(log, "stale file handle") {
			t.Errorf("got %s, want each said once", log)
		}
		if c := r.Board.Configuration(); c.Error != "no pipeline nonsense" || c.At.IsZero() {
			t.Errorf("got %+v, want what is wrong", c)
		}
		d.set("a=2", nil)
		time.Sleep(time.Minute)
		if opened, _ := a.openings(); opened != 2 || r.Board.Configuration().Error != "" {
			t.Errorf("opened %d times, %+v, want it in use", opened, r.Board.Configuration())
		}
	})
}

// TestAConfigurationIsReadWhenItIsWhole: an editor takes a second to write it.
func TestAConfigurationIsReadWhenItIsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := busy("a"), busy("b")
		d := newDisk("a b", a, b)
		r := start(t, d.configuration(), a, b)
		time.Sleep(1500 * time.Millisecond)
		d.set("a", nil)
		time.Sleep(time.Second) // it was read once
		d.set("a b=2", nil)
		time.Sleep(time.Minute)
		if opened, closed := b.openings(); opened != 2 || closed != 1 || strings.Contains(r.log.String(), "no longer") {
			t.Errorf("opened %d times and closed %d times, want 2 and 1, and b never left out:\n%s", opened, closed, r.log)
		}
	})
}

func TestASignalReadsWhatDidNotChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := busy("a")
		d := newDisk("a", a)
		r := start(t, d.configuration(), a)
		time.Sleep(time.Minute)
		a.mu.Lock()
		a.text = "another password"
		a.mu.Unlock()
		time.Sleep(time.Minute)
		if opened, _ := a.openings(); opened != 1 {
			t.Errorf("opened %d times before the signal, want 1", opened)
		}
		d.again <- os.Interrupt
		synctest.Wait()
		time.Sleep(time.Second)
		if opened, _ := a.openings(); opened != 2 {
			t.Errorf("opened %d times, want 2\n%s", opened, r.log)
		}
	})
}

// TestWhoHasMoreMemoryThanItsShareBeginsAnewBeforeOthersDo: b gets what a had.
func TestWhoHasMoreMemoryThanItsShareBeginsAnewBeforeOthersDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := busy("a"), busy("b")
		a.size = 100
		d := newDisk("a", a, b)
		r := start(t, d.configuration(), a)
		time.Sleep(time.Minute)
		a.mu.Lock()
		a.size = 50
		a.mu.Unlock()
		b.opens = func() error {
			if _, closed := a.openings(); closed != 1 {
				return errors.New("a is still open")
			}
			return nil
		}
		d.set("a b", nil)
		time.Sleep(time.Minute)
		if opened, closed := a.openings(); opened != 2 || closed != 1 {
			t.Errorf("opened %d times and closed %d times, want 2 and 1", opened, closed)
		}
		if s := r.snapshot(t, "b"); s.Ended[ops.Failed] != 0 {
			t.Errorf("got %+v, want it opened at the first try", s)
		}
		a.mu.Lock()
		a.size = 100
		a.mu.Unlock()
		d.set("a", nil)
		time.Sleep(time.Minute)
		if opened, _ := a.openings(); opened != 2 {
			t.Errorf("opened %d times, want 2: it may go on with less", opened)
		}
	})
}

func TestOneThatCannotBeOpenedIsFailingAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := busy("a"), busy("b")
		healthy := time.Now().Add(30 * time.Minute)
		b.opens = func() error {
			if time.Now().Before(healthy) {
				return errors.New("read-only file system")
			}
			return nil
		}
		d := newDisk("a", a, b)
		r := start(t, d.configuration(), a)
		d.set("a b", nil)
		time.Sleep(20 * time.Minute)
		if s := r.snapshot(t, "b"); s.Care.Failures < 8 || s.Care.Error != "read-only file system" || s.Last != ops.Failed {
			t.Errorf("got %+v, want it failing", s)
		}
		time.Sleep(20 * time.Minute)
		if s := r.snapshot(t, "b"); !s.Running || s.Pass != 1 {
			t.Errorf("got %+v, want it to run", s)
		}
		if opened, closed := a.openings(); opened != 1 || closed != 0 {
			t.Errorf("the other was opened %d times and closed %d times, want 1 and 0", opened, closed)
		}
	})
}

func TestAPauseOutlivesAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := busy("a")
		d := newDisk("a", a)
		r := start(t, d.configuration(), a)
		time.Sleep(time.Minute)
		if err := r.Pause("a"); err != nil {
			t.Fatal(err)
		}
		d.set("a=2", nil)
		time.Sleep(time.Hour)
		if s := r.snapshot(t, "a"); !s.Care.Paused || s.Running {
			t.Errorf("got %+v, want it paused", s)
		}
		if opened, _ := a.openings(); opened != 2 {
			t.Errorf("opened %d times, want 2", opened)
		}
	})
}

func TestADaemonThatIsStoppedWhileItChangesEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := busy("a"), busy("b")
		a.write = func(ctx context.Context, _ *pipeline.Item) error { return sleep(ctx, 10*time.Minute) } // beyond grace
		d := newDisk("a", a, b)
		r := start(t, d.configuration(), a)
		d.set("a=2 b", nil)
		time.Sleep(4500 * time.Millisecond)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		for _, f := range []*fake{a, b} {
			if opened, closed := f.openings(); opened != closed {
				t.Errorf("%s: opened %d times and closed %d times", f.name, opened, closed)
			}
		}
	})
}
