package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/internal/config"
	"sluice/internal/daemon"
	"sluice/internal/ops"
	"sluice/internal/state"
	"sluice/pipeline"
)

// jobs makes jobs of the pipelines of a file, as many lanes of them as memory
// has room for.
func (s *session) jobs(file *config.File, pipelines []*config.Pipeline) ([]daemon.Job, error) {
	if s.adjust != nil {
		if err := s.adjust(pipelines); err != nil {
			return nil, usage(err)
		}
	}
	fitted, err := file.Fit(pipelines...)
	if err != nil {
		return nil, usage(err)
	}
	ops.LimitMemory(file.Memory)
	var jobs []daemon.Job
	for _, f := range fitted {
		lane, shared := f.Need()
		j := daemon.Job{
			Name: f.Config.Name, Text: f.Config.Fingerprint(), Size: int64(lane)*int64(f.Lanes) + int64(shared),
			Skip: f.Config.Missed == "skip", Stall: time.Duration(f.Config.Stall), Hooks: f.Config.Hooks,
			Open: func(ctx context.Context) (*daemon.Opened, error) { return s.openPipeline(ctx, file, f) },
		}
		if s.repeats(f.Config) {
			j.Schedule = f.Config.Schedule
		}
		if s.dry != nil {
			j.Hooks = nil // nothing is done that others could be told of
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// openPipeline opens what a pipeline runs with.
func (s *session) openPipeline(ctx context.Context, file *config.File, f *config.Fitted) (o *daemon.Opened, err error) {
	c := f.Config
	st, err := s.openState(file, c)
	if err != nil {
		return nil, err
	}
	closers := []func() error{st.Close}
	o = &daemon.Opened{Notes: c.Notes(), About: aboutPipeline(f), Recover: st.Recover, Close: func() (err error) {
		for _, c := range slices.Backward(closers) {
			err = errors.Join(err, c())
		}
		return err
	}}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	for _, w := range c.Warnings() {
		s.log.Warn("not safe", "pipeline", c.Name, "option", w)
	}
	if f.Lanes < c.Lanes {
		s.log.Debug("memory has room for fewer lanes than are configured", "pipeline", c.Name, "lanes", f.Lanes, "configured", c.Lanes)
	}
	p := f.Pipeline(config.Links{Log: s.log, Store: st})
	if d := c.DeadLetters; d != nil {
		w, err := d.Open(ctx, c.Name)
		if err != nil {
			return nil, err
		}
		closers = append(closers, w.Close)
		p.Dead = d.Breaker(w, p.Status)
	}
	if s.dry != nil {
		p.Source = silent{p.Source}
	}
	o.Pipeline = p
	o.Serve, err = s.listen(ctx, c, p)
	return o, err
}

// openState opens the state of a pipeline and ties it to its stages.
func (s *session) openState(file *config.File, p *config.Pipeline) (st *state.Store, err error) {
	path := stateFile(file.State, p.Name)
	if s.dry != nil {
		if path, err = s.dry.state(path); err != nil {
			return nil, err
		}
	}
	if st, err = state.Open(path); err != nil {
		return nil, err
	}
	if s.accept {
		err = st.Accept(p.Identity())
	} else {
		err = st.Bind(p.Identity())
	}
	if err == nil {
		return st, nil
	}
	if changed := new(state.ChangedError); errors.As(err, &changed) {
		err = usage(err)
	}
	return nil, errors.Join(err, st.Close())
}

// listener is a source that takes notes also between its passes, such as which
// objects are new.
type listener interface {
	// Listen begins to listen. serve takes what comes, until its context ends;
	// it is nil if there is nothing to listen to.
	Listen(ctx context.Context, store pipeline.Store) (serve func(context.Context) error, err error)
}

// listen lets the source of a pipeline that repeats its passes listen.
func (s *session) listen(ctx context.Context, c *config.Pipeline, p *pipeline.Pipeline) (func(context.Context) error, error) {
	l, ok := p.Source.(listener)
	if !ok || !s.repeats(c) {
		return nil, nil
	}
	serve, err := l.Listen(ctx, p.Store)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	return serve, nil
}

// aboutPipeline is what a pipeline is, for those who look at it.
func aboutPipeline(f *config.Fitted) ops.About {
	c := f.Config
	lane, shared := f.Need()
	a := ops.About{Configuration: c.Text(), Named: c.Line > 0, Lane: int64(lane), Shared: int64(shared)}
	a.Stages = append(a.Stages, ops.Named{Name: "source", Kind: c.Source.Kind})
	for _, t := range c.Transforms {
		a.Stages = append(a.Stages, ops.Named{Name: t.Name, Kind: t.Kind})
	}
	a.Stages = append(a.Stages, ops.Named{Name: "sink", Kind: c.Sink.Kind})
	if c.DeadLetters != nil {
		a.Letters = c.DeadLetters.Place(c.Name)
	}
	return a
}
