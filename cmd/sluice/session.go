package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/config"
	"sluice/internal/ops"
	"sluice/internal/state"
	"sluice/pipeline"
)

// session runs pipelines side by side, and shows and reports what they do.
type session struct {
	view
	file      *config.File
	pipelines []*config.Pipeline
	once      bool // pipelines that repeat their passes make one
	accept    bool
	again     string     // what to do about a pass that is not complete
	dry       *rehearsal // nil: a real run
	stdout    io.Writer

	console *ops.Console
	log     *slog.Logger
	watches []*ops.Watch // of the pipelines that were opened, in order
	states  []*state.Store
	http    net.Listener                  // nil: none
	serves  []func(context.Context) error // of sources that listen
	closers []func() error
	writing sync.Mutex // of the report
}

// run runs the session. The error says with which status the process ends.
func (s *session) run(ctx context.Context) (err error) {
	if s.console, s.log, err = s.view.open(); err != nil {
		return err
	}
	slog.SetDefault(s.log) // for what is logged outside of passes
	fitted, err := s.file.Fit(s.pipelines...)
	if err != nil {
		return usage(err)
	}
	ops.LimitMemory(s.file.Memory)
	if err = s.open(ctx, fitted); err == nil {
		err = s.move(ctx)
	}
	for _, c := range slices.Backward(s.closers) {
		err = errors.Join(err, c())
	}
	return s.end(err)
}

// open opens all that may be missing or in use, before anything moves.
func (s *session) open(ctx context.Context, fitted []*config.Fitted) (err error) {
	if s.file.HTTP != "" {
		if s.http, err = ops.Listen(ctx, s.file.HTTP); err != nil {
			return err
		}
		s.log.Info("http listens", "address", s.http.Addr().String())
		s.closers = append(s.closers, func() error { s.http.Close(); return nil }) // an error says that it is closed
	}
	for _, f := range fitted {
		st, err := s.openState(f.Config)
		if err != nil {
			return fmt.Errorf("pipeline %s: %w", f.Config.Name, err)
		}
		links := config.Links{Log: s.log, Store: st}
		s.states = append(s.states, st)
		for _, w := range f.Config.Warnings() {
			s.log.Warn("not safe", "pipeline", f.Config.Name, "option", w)
		}
		if f.Lanes < f.Config.Lanes {
			s.log.Debug("memory has room for fewer lanes than are configured", "pipeline", f.Config.Name, "lanes", f.Lanes, "configured", f.Config.Lanes)
		}
		p := f.Pipeline(links)
		if d := f.Config.DeadLetters; d != nil {
			w, err := d.Open(ctx, f.Config.Name)
			if err != nil {
				return fmt.Errorf("pipeline %s: %w", f.Config.Name, err)
			}
			s.closers = append(s.closers, w.Close)
			p.Dead = d.Breaker(w, p.Status)
		}
		if s.dry != nil {
			p.Source = silent{p.Source}
		}
		if err := s.listen(ctx, f.Config, p); err != nil {
			return fmt.Errorf("pipeline %s: source: %w", f.Config.Name, err)
		}
		w := ops.NewWatch(p)
		w.Notes = f.Config.Notes()
		s.watches = append(s.watches, w)
	}
	return nil
}

// listener is a source that takes notes also between its passes, such as which
// objects are new.
type listener interface {
	// Listen begins to listen. serve takes what comes, until its context ends;
	// it is nil if there is nothing to listen to.
	Listen(ctx context.Context, store pipeline.Store) (serve func(context.Context) error, err error)
}

// listen lets the source of a pipeline that repeats its passes listen.
func (s *session) listen(ctx context.Context, c *config.Pipeline, p *pipeline.Pipeline) error {
	l, ok := p.Source.(listener)
	if !ok || !s.daemon(c) {
		return nil
	}
	serve, err := l.Listen(ctx, p.Store)
	if serve != nil {
		s.serves = append(s.serves, serve)
	}
	return err
}

// openState opens the state of a pipeline and ties it to its stages.
func (s *session) openState(p *config.Pipeline) (*state.Store, error) {
	path := stateFile(s.file.State, p.Name)
	if s.dry != nil {
		var err error
		if path, err = s.dry.state(path); err != nil {
			return nil, err
		}
	}
	st, err := state.Open(path)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, st.Close)
	if s.accept {
		return st, st.Accept(p.Identity())
	}
	err = st.Bind(p.Identity())
	if changed := new(state.ChangedError); errors.As(err, &changed) {
		return nil, usage(err)
	}
	return st, err
}

// move runs the pipelines to their end or until ctx ends, and shows them
// meanwhile.
func (s *session) move(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	shown, end := context.WithCancel(context.WithoutCancel(ctx))
	said := context.AfterFunc(ctx, func() {
		s.log.Warn("stopping: what has been read is delivered; a second signal leaves at once")
	})
	var g errgroup.Group
	if s.http != nil {
		g.Go(func() error {
			defer stop()
			return ops.Serve(shown, s.http, ops.Handler(build(), s.watches, s.gitSync()))
		})
	}
	for _, serve := range s.serves {
		g.Go(func() error {
			defer stop()
			return serve(ctx)
		})
	}
	g.Go(func() error { s.progress(shown); return nil })
	g.Go(func() error {
		defer end()
		defer said()
		return s.passes(ctx)
	})
	return g.Wait()
}

// gitSync are the watches whose metrics have a second name.
func (s *session) gitSync() (all ops.GitSync) {
	for i, p := range s.pipelines {
		if s.file.Metrics.GitSync && p.Sink.Kind == "git" {
			all = append(all, s.watches[i])
		}
	}
	return all
}

func (s *session) progress(ctx context.Context) {
	switch {
	case s.quiet, s.dry != nil:
	case s.console.Terminal && !s.json():
		ops.Bars(ctx, s.console, s.watches...)
	default:
		ops.Lines(ctx, s.log, s.watches...)
	}
}

// passes runs the passes of all pipelines, each at its own pace.
func (s *session) passes(ctx context.Context) error {
	var g errgroup.Group
	for i, p := range s.pipelines {
		w := s.watches[i]
		g.Go(func() error {
			if !s.daemon(p) {
				s.pass(ctx, w, s.dry == nil && (s.quiet || s.json())) // else the summary says it
				return nil
			}
			ops.Repeat(ctx, time.Duration(p.Every), func(ctx context.Context) error {
				defer s.reportSoFar()
				if err := s.states[i].Recover(); err != nil {
					s.log.Error("the state cannot be used", "pipeline", p.Name, "error", err)
					return err
				}
				if r := s.pass(ctx, w, true); r.Outcome == ops.Failed {
					return errors.New(r.Error)
				}
				return nil
			})
			return nil
		})
	}
	return g.Wait()
}

func (s *session) pass(ctx context.Context, w *ops.Watch, log bool) ops.Report {
	r := w.Pass(ctx)
	if log {
		r.Log(s.log, w.Name())
	}
	return r
}

// daemon says whether a pipeline repeats its passes until it is stopped.
func (s *session) daemon(p *config.Pipeline) bool { return p.Every > 0 && !s.once }
