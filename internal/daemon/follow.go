package daemon

import (
	"bytes"
	"context"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// Configuration is where jobs come from, and come from again when it changes.
type Configuration struct {
	Text []byte // of which the jobs were made that run
	// Read gives its text now. It is called every other second: whatever may
	// have changed the file, and on whatever machine, its content says so.
	Read func() ([]byte, error)
	// Jobs makes jobs of a text, all that are to run. It opens none of them. An
	// error says that the text is of no use; then all stays as it is.
	Jobs func(text []byte) ([]Job, error)
	// Again asks for all to be read again at once, also if the text is the same:
	// what it names may have changed.
	Again <-chan os.Signal
}

// glimpse is how often a configuration is read.
const glimpse = 2 * time.Second

// follow lets jobs begin and end as the configuration says, until ctx ends.
func (d *Daemon) follow(ctx context.Context, g *errgroup.Group, c *Configuration) {
	tick := time.NewTicker(glimpse)
	defer tick.Stop()
	have, seen, said := c.Text, c.Text, ""
	for {
		asked := false
		select {
		case <-tick.C:
		case <-c.Again:
			asked = true
		case <-ctx.Done():
			return
		}
		text, err := c.Read()
		if err != nil {
			if asked || err.Error() != said {
				d.Log.Error("the configuration cannot be read; all stays as it is", "error", err)
			}
			said = err.Error()
			continue
		}
		said = ""
		whole := bytes.Equal(text, seen) // who writes it may be at it
		seen = text
		if !asked && (!whole || bytes.Equal(text, have)) {
			continue
		}
		have = text
		jobs, err := c.Jobs(text)
		d.Board.Loaded(err)
		if err != nil {
			d.Log.Error("the configuration has errors; all stays as it is", "error", err)
			continue
		}
		d.change(ctx, g, jobs)
	}
}

// change lets exactly these jobs run. Those that are to end, or to begin anew,
// drain first: the others need what they hold.
func (d *Daemon) change(ctx context.Context, g *errgroup.Group, jobs []Job) {
	wanted := map[string]Job{}
	for _, j := range jobs {
		wanted[j.Name] = j
	}
	running, ending := map[string]*worker{}, []*worker(nil)
	for _, w := range d.all() {
		j, stays := wanted[w.job.Name]
		running[w.job.Name] = w
		if why := w.outdated(j, stays); why != "" {
			w.log.Info("pipeline ends", "reason", why)
			w.stop()
			ending = append(ending, w)
		}
	}
	for _, w := range ending {
		<-w.done
		if _, stays := wanted[w.job.Name]; !stays {
			d.dismiss(w)
		}
	}
	begun := 0
	for _, j := range jobs {
		old := running[j.Name]
		if old != nil && !old.ended() {
			continue
		}
		w := d.hire(j, old)
		w.log.Info("pipeline begins")
		d.start(ctx, g, w)
		begun++
	}
	d.Log.Info("the configuration was read again", "pipelines", len(jobs), "ended", len(ending), "begun", begun)
}

// outdated says why a worker has to end for a job of its name, or "".
func (w *worker) outdated(j Job, stays bool) string {
	switch {
	case !stays:
		return "it is no longer in the configuration"
	case j.Text != w.job.Text:
		return "its configuration changed"
	case j.Size < w.job.Size:
		return "memory is shared with others now"
	}
	return ""
}

// ended says whether the worker has ended.
func (w *worker) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}
