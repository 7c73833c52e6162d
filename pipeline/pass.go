package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// open opens both ends, and begins a new pass unless one was interrupted.
func (r *run) open() error {
	last, states, err := load(r.Store)
	if err != nil {
		return err
	}
	begin := last.Number == 0 || last.Complete
	r.covered = last.covered()
	if r.began = last.Began; begin {
		r.began = time.Now()
	}
	r.pass = &Pass{Pipeline: r.Name, Parallel: max(1, r.Lanes), Number: last.Number, Lanes: last.Lanes, Last: states, Store: r.Store}
	if begin {
		r.pass.Number, r.pass.Lanes, r.pass.Last = last.Number+1, nil, nil
	}
	if begin && r.New {
		r.pass.Last = states
	}
	if r.reader, err = r.Source.Open(r.as(r.soft, "source"), r.pass); err != nil {
		return fmt.Errorf("source: open: %w", err)
	}
	if !r.whole || last.Complete { // the run before this one may have ended between save and Saved
		if err := r.saved(last.Lanes, states); err != nil {
			return err
		}
	}
	if begin {
		if states, err = r.begin(states); err != nil {
			return err
		}
	}
	if r.writer, err = r.Sink.Open(r.as(r.soft, "sink"), r.pass); err != nil {
		return fmt.Errorf("sink: open: %w", err)
	}
	r.saver = saver{run: r, ledgers: map[string]*ledger{}}
	for _, lane := range r.pass.Lanes {
		st := states[lane.Name]
		if r.whole {
			st = LaneState{ID: lane.ID}
		}
		r.saver.ledgers[lane.Name] = &ledger{state: st}
	}
	r.planned = time.Now()
	r.running.Store(r)
	return nil
}

// begin saves the plan of a new pass, together with the states in which its
// lanes begin. Lanes that are not in the plan keep their state if passes go on
// from it, and are forgotten if they take everything.
func (r *run) begin(known map[string]LaneState) (map[string]LaneState, error) {
	lanes, err := r.reader.Plan(r.as(r.soft, "source"))
	if err != nil {
		return nil, fmt.Errorf("source: plan: %w", err)
	}
	r.pass.Lanes = lanes
	rows := []Row{row(passBucket, "current", passRow{Number: r.pass.Number, Lanes: lanes, Began: r.began, Covered: r.covered})}
	if !r.New {
		for name := range known {
			rows = append(rows, Row{Bucket: laneBucket, Key: name})
		}
	}
	states := map[string]LaneState{}
	for _, lane := range lanes {
		if _, twice := states[lane.Name]; twice || lane.Name == "" {
			return nil, fmt.Errorf("source: plan: lane %q: no name, or not the only one of that name", lane.Name)
		}
		st := LaneState{ID: lane.ID}
		if old := r.pass.Last[lane.Name]; old.ID == lane.ID {
			st.Pos, st.Sink = old.Pos, old.Sink
		}
		states[lane.Name] = st
		rows = append(rows, row(laneBucket, lane.Name, st))
	}
	if err := r.Store.Put(rows...); err != nil {
		return nil, fmt.Errorf("state: begin pass: %w", err)
	}
	return states, nil
}

// lanes runs the chains of all lanes that have not ended, and saves.
func (r *run) lanes() error {
	var (
		mu   sync.Mutex
		errs []error
		g    errgroup.Group
	)
	defer r.count()()
	stopTicking := r.saver.start()
	g.SetLimit(max(1, r.Lanes))
	for _, lane := range r.pass.Lanes {
		l := r.saver.ledgers[lane.Name]
		if l.get().Ended {
			continue
		}
		g.Go(func() error {
			if err := r.lane(lane, l); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
			return nil
		})
	}
	g.Wait()
	stopTicking()
	return errors.Join(append(errs, r.saver.save())...)
}

// count has the source count what is left of each lane, if its plan cannot say
// and all of it is read. What it returns ends that.
func (r *run) count() (end func()) {
	c, ok := r.reader.(Counter)
	if !ok || r.whole || r.New && r.pass.Number > 1 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(r.as(r.soft, "source"))
	var g sync.WaitGroup
	g.Go(func() {
		for _, lane := range r.pass.Lanes {
			st := r.saver.ledgers[lane.Name].get()
			if st.Ended {
				continue
			}
			objects, bytes, ok, err := c.Count(ctx, lane, st.Pos)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				r.log().Info("what there is could not be counted", "lane", lane.Name, "error", err)
			} else if ok {
				r.meter.count(lane.Name, st.Counts.Objects()+objects, st.Counts.BytesRead+bytes)
			}
		}
	})
	return func() {
		cancel()
		g.Wait()
	}
}

// maxStarts is how often a lane may start over in one run: a source whose
// positions never hold long enough would read for ever.
const maxStarts = 5

// lane runs the chain of one lane, again if it starts over.
func (r *run) lane(lane Lane, l *ledger) error {
	for starts := 1; r.soft.Err() == nil; starts++ {
		c := newChain(r, lane, l)
		r.meter.opened(lane.Name, true, nil)
		err := c.move()
		r.meter.opened(lane.Name, false, err)
		if err != nil && r.whole {
			r.stop(ErrStopped) // what is missing from one lane is missing from the pass
		}
		if r.whole || !errors.Is(err, ErrStartOver) || !c.moved() {
			return err
		}
		if starts > maxStarts {
			return fmt.Errorf("started over %d times: %w", maxStarts, err)
		}
		r.log().Warn("lane starts over", "lane", lane.Name, "reason", err)
		r.meter.retried("start over")
		l.startOver()
		if err := r.saver.save(); err != nil {
			r.kill(err)
			return nil // save reports it again at the end
		}
	}
	return nil
}

// finish completes a pass all of whose lanes have ended and are saved.
func (r *run) finish() error {
	if err := r.writer.Finish(r.as(r.hard, "sink")); err != nil {
		return fmt.Errorf("sink: finish: %w", err)
	}
	done := passRow{Number: r.pass.Number, Lanes: r.pass.Lanes, Complete: true, Began: r.began}
	if err := r.Store.Put(row(passBucket, "current", done)); err != nil {
		return fmt.Errorf("state: complete pass: %w", err)
	}
	if !r.whole {
		return nil
	}
	states := map[string]LaneState{}
	for name, l := range r.saver.ledgers {
		states[name] = l.get()
	}
	return r.saved(r.pass.Lanes, states)
}

// close closes what was opened.
func (r *run) close() error {
	var errs []error
	if r.writer != nil {
		if err := r.writer.Close(); err != nil {
			errs = append(errs, fmt.Errorf("sink: close: %w", err))
		}
	}
	if r.reader != nil {
		if err := r.reader.Close(); err != nil {
			errs = append(errs, fmt.Errorf("source: close: %w", err))
		}
	}
	return errors.Join(errs...)
}
